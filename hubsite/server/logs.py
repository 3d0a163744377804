"""gunicorn's log without what clients send in place of a request: it may hold their secrets."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger


class DiscreetLogger(Logger):  # type: ignore[misc]  # gunicorn is untyped
    """Says who sent something that is no request, and not what."""

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """See Logger."""
        if msg.startswith("Invalid request from ip="):
            msg = msg.split(": ", 1)[0]
        super().warning(msg, *args, **kwargs)
