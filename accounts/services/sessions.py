"""Browsers in which somebody is signed in: listed, ended one by one or all others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from events.services import audit
from events.types import Actor, origin

# Keys in the session itself: when it began, and when it was last seen to be used.
SIGNED_IN_AT, SEEN_AT = "signed_in_at", "seen_at"


@dataclass(frozen=True, slots=True)
class Browser:
    """One of somebody's sessions; never its key."""

    id: int
    address: str
    client: str
    started_at: datetime
    last_seen_at: datetime
    is_current: bool


def list_sessions(user_id: int, current_key: str | None) -> list[Browser]:
    """Sessions that have not ended, the current one first, then the one used last."""
    alive = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    rows = UserSession.objects.filter(user_id=user_id, session_key__in=alive)
    found = [
        Browser(
            id=row.pk,
            address=row.ip,
            client=row.user_agent,
            started_at=row.created_at,
            last_seen_at=row.last_seen_at,
            is_current=row.session_key == current_key,
        )
        for row in rows.order_by("-last_seen_at")
    ]
    return sorted(found, key=lambda browser: not browser.is_current)


def touch_session(key: str) -> None:
    """Note that a session is in use, and from where."""
    source = origin.get()
    now: dict[str, object] = {"last_seen_at": timezone.now(), "user_agent": source.client}
    if source.address:
        now["ip"] = source.address
    UserSession.objects.filter(session_key=key).update(**now)


def end_session(user: User, session_id: int, *, actor: Actor) -> bool:
    """End one of somebody's own sessions; False if there is no such one."""
    return bool(_end(user, UserSession.objects.filter(user=user, pk=session_id), actor))


def end_other_sessions(user: User, keep: str | None, *, actor: Actor) -> int:
    """End all but one; returns how many there were."""
    return _end(user, UserSession.objects.filter(user=user).exclude(session_key=keep or ""), actor)


def _end(user: User, rows: object, actor: Actor) -> int:
    with transaction.atomic():
        found = list(rows)  # type: ignore[call-overload]
        keys = [row.session_key for row in found]
        ended, _ = Session.objects.filter(session_key__in=keys).delete()
        UserSession.objects.filter(pk__in=[row.pk for row in found]).delete()
        if ended:
            audit(
                "session.ended",
                actor=actor,
                namespace_id=_namespace(user),
                payload={"user": user.username, "sessions": ended},
            )
    return ended


def _namespace(user: User) -> int | None:
    namespace = getattr(user, "namespace", None)
    return namespace.pk if namespace is not None else None
