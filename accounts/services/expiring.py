"""Telling people in time that an access token is about to end."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import AccessToken, Membership, User
from accounts.services.mail import post
from accounts.services.robots import short_name
from accounts.services.tokens import beginning
from events.services import record
from events.types import SYSTEM

FIRST, LAST = timedelta(days=7), timedelta(days=1)  # before the end


def warn_expiring() -> int:
    """Write to the owners of tokens that end within a week, and once more within a day.

    Returns how many tokens were warned of. One whose whole life is no longer than that is left
    alone: its owner knows.
    """
    now = timezone.now()
    first = Q(warned_at=None, expires_at__lte=now + FIRST)
    last = Q(warned_at__lt=F("expires_at") - LAST, expires_at__lte=now + LAST)
    due = AccessToken.objects.filter(
        first | last, revoked_at=None, expires_at__gt=now, user__is_active=True
    ).select_related("user__robot_namespace__organization", "user__robot_namespace__user")
    return sum(_warn(token, now) for token in list(due.order_by("expires_at", "id")))


def _warn(token: AccessToken, now: datetime) -> bool:
    assert token.expires_at is not None
    life = token.expires_at - (token.rotated_at or token.created_at)
    if life <= LAST or (life <= FIRST and token.expires_at > now + LAST):
        return False
    with transaction.atomic():
        mine = AccessToken.objects.filter(
            pk=token.pk, warned_at=token.warned_at, expires_at=token.expires_at, revoked_at=None
        )
        if not mine.update(warned_at=now):
            return False  # another worker has told them
        for person in _keepers(token.user):
            post(person.email, "token_expiring", _context(token, person))
        record(
            "token.expiring",
            actor=SYSTEM,
            namespace_id=_namespace_id(token.user),
            payload={
                "token": token.name,
                "prefix": beginning(token),
                "owner": token.user.username,
                "expires_at": token.expires_at.isoformat(timespec="seconds"),
            },
        )
    return True


def _keepers(owner: User) -> list[User]:
    """Who can make a new one: the person, or whoever manages the robot."""
    namespace = owner.robot_namespace
    if namespace is None:
        return [owner]
    if namespace.organization_id is None:
        return [namespace.user] if namespace.user is not None and namespace.user.is_active else []
    rows = Membership.objects.filter(
        organization_id=namespace.organization_id,
        role=Membership.Role.OWNER,
        user__is_active=True,
    )
    return [row.user for row in rows.select_related("user").order_by("id")]


def _context(token: AccessToken, person: User) -> dict[str, object]:
    owner = token.user
    path = "/settings/tokens"
    if owner.robot_namespace is not None:
        path = f"/{owner.robot_namespace.name}/-/robots/{short_name(owner)}"
    return {
        "name": person.username,
        "token": token,
        "beginning": beginning(token),
        "robot": owner.username if owner.is_robot else "",
        "path": path,
    }


def _namespace_id(owner: User) -> int | None:
    if owner.robot_namespace_id is not None:
        return owner.robot_namespace_id
    namespace = getattr(owner, "namespace", None)
    return None if namespace is None else int(namespace.pk)
