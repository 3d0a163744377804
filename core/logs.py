"""One log line an event: no line breaks from outside, bounded length, the request id in front."""

from __future__ import annotations

import logging
from contextvars import ContextVar

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
