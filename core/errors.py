"""The one hierarchy of errors. Domain code knows kinds and codes; edges turn them into statuses."""

from __future__ import annotations

from typing import Any


class HubError(Exception):
    """Something a caller must be told.

    `code` is a stable word for programs, `message` one plain sentence for people, `detail` any
    JSON value, `reasons` the facts a decision rested on.
    """

    code = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        detail: Any = None,  # any JSON value, as the registry protocol has it
        reasons: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.detail = detail
        self.reasons = reasons


class Invalid(HubError):
    """The request makes no sense whoever asks."""

    code = "INVALID"


class Unauthenticated(HubError):
    """Nobody, or somebody whose credential is not good."""

    code = "UNAUTHORIZED"


class Denied(HubError):
    """The thing may be seen, the act is not allowed."""

    code = "DENIED"


class NotFound(HubError):
    """Absent, or invisible to whoever asks."""

    code = "NOT_FOUND"


class Unsupported(HubError):
    """Known, and not offered here."""

    code = "UNSUPPORTED"


class Conflict(HubError):
    """The present state forbids it."""

    code = "CONFLICT"


class TooLarge(HubError):
    """Over a size limit."""

    code = "SIZE_INVALID"


class RangeWrong(HubError):
    """A byte range that does not fit the present state."""

    code = "RANGE_INVALID"


class RateLimited(HubError):
    """Too often."""

    code = "TOOMANYREQUESTS"


class QuotaExceeded(HubError):
    """No room left for this namespace."""

    code = "DENIED"


class Unavailable(HubError):
    """Not now; try again."""

    code = "UNAVAILABLE"


STATUS: dict[type[HubError], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    Denied: 403,
    QuotaExceeded: 403,
    NotFound: 404,
    Unsupported: 405,
    Conflict: 409,
    TooLarge: 413,
    RangeWrong: 416,
    RateLimited: 429,
    Unavailable: 503,
}


def status_of(error: HubError) -> int:
    """HTTP status of an error's kind, for the renderers of the edges."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500
