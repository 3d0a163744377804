"""One log line an event: no line breaks from outside, bounded length, the request id in front."""

from __future__ import annotations

import logging
import threading
import time
from contextvars import ContextVar
from smtplib import SMTPException

from django.core.mail import send_mail

MAX_FIELD_CHARS = 2048
request_id: ContextVar[str] = ContextVar("request_id", default="-")


class LineFormatter(logging.Formatter):
    """`time level logger [request id] message`, with control characters escaped."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()[:MAX_FIELD_CHARS]
        clean = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in message)
        head = f"{self.formatTime(record)} {record.levelname} {record.name} [{request_id.get()}] "
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return head + clean + trace


class MailHandler(logging.Handler):
    """Mails errors, one in a minute at most and never in the way of a request.

    `to` are addresses. The mail has what the log has: no headers, bodies or values of variables.
    """

    PAUSE_S = 60

    def __init__(self, to: list[str]) -> None:
        super().__init__()
        self.to = to
        self._next_at = 0.0
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler, which holds its lock meanwhile."""
        now = time.monotonic()
        if now < self._next_at or record.name.startswith("django.core.mail"):
            self._left_out += 1
            return
        self._next_at = now + self.PAUSE_S
        text = self.format(record)
        if self._left_out:
            text += f"\n\n{self._left_out} more errors came since the last mail; see the log."
        self._left_out = 0
        threading.Thread(target=self._send, args=(record, text), daemon=True).start()

    def _send(self, record: logging.LogRecord, text: str) -> None:
        try:
            send_mail(f"[Hub] error in {record.name}", text, None, self.to)
        except (OSError, SMTPException):
            self.handleError(record)
