"""What is kept of a try, and when the next one is. Reads settings, touches no rows."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from django.conf import settings

from core.http import AddressInvalid, AddressRefused, Answer, OutboundError

MAX_RETRY_AFTER_S = 24 * 3600.0
EXCERPT_BYTES = 2048
GONE = 410
MAX_HEADERS = 40
MAX_HEADER_CHARS = 500
NOT_SHOWN = (
    "The answer came from a private network and is not shown here; the operator can allow it "
    "with HUB_WEBHOOK_SHOW_PRIVATE_RESPONSES."
)
_LEAST_SECRET_CHARS = 8
_SIGNATURE_CHARS = 15  # enough to compare by eye, not enough to be replayed
_SIGNATURES = frozenset({"x-hub-signature-256", "webhook-signature", "x-gitea-signature"})
_SECRET_ANSWERS = frozenset(
    {"set-cookie", "set-cookie2", "authorization", "www-authenticate", "proxy-authenticate"}
)
_PLAIN_ANSWERS = frozenset({"content-type", "content-length", "date", "retry-after"})
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try ended; the names are those of `Attempt`.

    `final` means no further try, `sent` is false when none was made at all, `unreached` is true
    when the host gave no answer.
    """

    status: int | None = None
    error: str = ""
    duration_ms: int = 0
    response_headers: dict[str, str] = field(default_factory=dict)
    response_excerpt: str = ""
    response_size: int = 0
    retry_after_s: float = 0
    final: bool = False
    sent: bool = True
    unreached: bool = False

    @property
    def succeeded(self) -> bool:
        """Any 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The receiver says that nobody is there any more and never will be."""
        return self.status == GONE

    @property
    def host_failed(self) -> bool:
        """Whether this speaks against the whole host: no answer, or one of 5xx."""
        return self.unreached or (self.status is not None and self.status >= 500)


def of_answer(answer: Answer, *, now: datetime, secrets: Iterable[str] = ()) -> Outcome:
    """What is kept of an answer; of a private network's only what tells nothing about it.

    `secrets` are values of the request: where the answer repeats one, it is masked.
    """
    hidden = _words(secrets)
    shown = not answer.address_is_private or settings.HUB.webhook_show_private_responses
    error = ""
    if 300 <= answer.status < 400:
        error = (
            f"The receiver answered with a redirect ({answer.status}). Redirects are not "
            "followed: enter the address it leads to."
        )
    if answer.status == GONE:
        error = "The receiver answered that it is gone (410), so the webhook was switched off."
    return Outcome(
        status=answer.status,
        error=error,
        duration_ms=answer.duration_ms,
        response_headers=_kept_headers(answer.headers, hidden, shown=shown),
        response_excerpt=_text(_excerpt(answer, hidden)) if shown else NOT_SHOWN,
        response_size=answer.size,
        retry_after_s=_retry_after_s(answer, now),
        final=answer.status == GONE,
    )


def of_error(error: OutboundError, *, duration_ms: int) -> Outcome:
    """A try without an answer; an address that the hub itself refuses says nothing of the host."""
    return Outcome(
        error=error.message[:300],
        duration_ms=duration_ms,
        unreached=not isinstance(error, AddressInvalid | AddressRefused),
    )


def kept_request_headers(
    headers: Mapping[str, str], secret: Collection[str] = ()
) -> dict[str, str]:
    """The headers that were sent, signatures shortened, without the values of `secret` ones,
    whose names are in lower case."""
    return {
        name: "(not kept)"
        if name.lower() in secret
        else f"{value[:_SIGNATURE_CHARS]}…"
        if name.lower() in _SIGNATURES
        else value
        for name, value in headers.items()
    }


def next_delay_s(tries: int, retry_after_s: float = 0) -> float | None:
    """Seconds until the next try after `tries` failed ones; None after the last.

    The operator's delay ±20 %, or what the receiver asked for if that is longer.
    """
    delays_s = settings.HUB.webhook_retry_delays_s
    if tries > len(delays_s):
        return None
    jitter = random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
    return max(delays_s[tries - 1] * jitter, retry_after_s)


def _words(secrets: Iterable[str]) -> list[str]:
    """What to mask: whole values, and of `Bearer …` and the like also what follows; the longest
    first. Short words stand in any answer and guard nothing."""
    found = {part for value in secrets for part in (value, *value.split()[1:])}
    return sorted((part for part in found if len(part) >= _LEAST_SECRET_CHARS), key=len)[::-1]


def _masked(text: str, hidden: Iterable[str]) -> str:
    """Each with as many stars as it has characters, so that nothing behind it moves into sight."""
    for word in hidden:
        text = text.replace(word, "*" * len(word))
    return text


def _excerpt(answer: Answer, hidden: Iterable[str]) -> bytes:
    return _masked(answer.excerpt.decode("latin-1"), hidden).encode("latin-1")[:EXCERPT_BYTES]


def _kept_headers(
    headers: Mapping[str, str], hidden: Iterable[str], *, shown: bool
) -> dict[str, str]:
    kept = {}
    for name, value in list(headers.items())[:MAX_HEADERS]:
        if name.lower() in _SECRET_ANSWERS:
            kept[_CONTROL.sub("", name)[:100]] = "(not kept)"
        elif shown or name.lower() in _PLAIN_ANSWERS:
            plain = _CONTROL.sub("", _masked(value, hidden))
            kept[_CONTROL.sub("", name)[:100]] = plain[:MAX_HEADER_CHARS]
    return kept


def _text(data: bytes) -> str:
    """Bytes of unknown making as text that a database takes and a page can show."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", data.decode(errors="replace"))


def _retry_after_s(answer: Answer, now: datetime) -> float:
    """Seconds a busy receiver asked us to wait, 0 if it did not; at most a day."""
    if answer.status not in (429, 503):
        return 0
    text = next((v for k, v in answer.headers.items() if k.lower() == "retry-after"), "").strip()
    if text.isascii() and text.isdigit():
        wait_s = float(text[:10])
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return 0
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        wait_s = (moment - now) / timedelta(seconds=1)
    return min(max(wait_s, 0), MAX_RETRY_AFTER_S)
