"""How often one person may do what costs others something; counted in the audit log, so that every
process and both doors, pages and REST, count together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.types import Principal
from core.errors import RateLimited
from events.selectors import count_since

# Kind of event: how often in how many seconds.
Limits = tuple[tuple[int, int], ...]
_LIMITS: dict[str, Limits] = {
    "comment.added": ((10, 60), (100, 86_400)),
    "audit.exported": ((10, 86_400),),
    "webhook.ping": ((6, 60),),
    "webhook.replayed": ((6, 60),),
}
_ONLY: dict[str, dict[str, Any]] = {"repository.created": {"by_push": False}}
_IN_WORDS = {60: "a minute", 3_600: "an hour", 86_400: "a day"}


def limits_of(kind: str) -> Limits:
    """What holds for a kind of event."""
    if kind == "repository.created":
        return ((settings.HUB.repositories_per_hour, 3_600),)
    return _LIMITS[kind]


def refuse_often(principal: Principal, kind: str) -> None:
    """Raises RateLimited if this was done as often as it may be; administrators are free of it."""
    if principal.is_superuser:
        return
    for most, seconds in limits_of(kind):
        since = timezone.now() - timedelta(seconds=seconds)
        if count_since(kind, principal.account_id, since, **_ONLY.get(kind, {})) >= most:
            raise RateLimited(
                f"This can be done {most} times in {_IN_WORDS[seconds]}; try again later.",
                detail={"retry_after_s": seconds},
            )
