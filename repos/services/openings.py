"""An administrator of the hub looks into a private repository: for a while, with a reason."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import Membership, User
from accounts.services.mail import post
from core.errors import Invalid
from events.services import audit
from events.types import Actor
from repos.models import Opening, Repository

LENGTH = timedelta(hours=1)
MIN_REASON = 10
MAX_REASON = 300


def open_repository(repository: Repository, user: User, *, reason: str, actor: Actor) -> Opening:
    """Give an administrator the role read for an hour, record it, and tell the owners by mail.

    Raises Invalid for a reason that says nothing, and where nothing is closed.
    """
    reason = " ".join(reason.split())
    if not MIN_REASON <= len(reason) <= MAX_REASON:
        raise Invalid(
            f"Say why in {MIN_REASON} to {MAX_REASON} characters; the owners are told.",
            code="REASON_INVALID",
        )
    if not user.is_superuser:
        raise Invalid("Only administrators of the hub open repositories.")
    if repository.is_public or not repository.is_active:
        raise Invalid("This repository is not private.")
    until = timezone.now() + LENGTH
    with transaction.atomic():
        opening = Opening.objects.create(
            repository=repository, user=user, reason=reason, until=until
        )
        _audit("repository.opened", opening, actor, {"reason": reason, "until": until.isoformat()})
        context = {"path": repository.path, "who": user.username, "reason": reason, "until": until}
        for address in _owners(repository):
            post(address, "repository_opened", context)
    return opening


def close_repository(opening: Opening, *, actor: Actor) -> None:
    """End it before its time; repeating it changes nothing."""
    now = timezone.now()
    with transaction.atomic():
        if Opening.objects.filter(pk=opening.pk, until__gt=now).update(until=now):
            _audit("repository.closed", opening, actor, {"until": now.isoformat()})


def open_until(user_id: int) -> dict[int, datetime]:
    """Repositories this administrator has open now, by id, with the end of it."""
    rows = Opening.objects.filter(user_id=user_id, until__gt=timezone.now())
    return dict(rows.order_by("until").values_list("repository_id", "until"))


def _owners(repository: Repository) -> list[str]:
    namespace = repository.namespace
    if namespace.user is not None:
        owners = User.objects.filter(pk=namespace.user.pk, is_active=True)
    else:
        owners = User.objects.filter(
            is_active=True,
            memberships__organization=namespace.organization_id,
            memberships__role=Membership.Role.OWNER,
        )
    return list(owners.exclude(email="").values_list("email", flat=True))


def _audit(kind: str, opening: Opening, actor: Actor, payload: dict[str, str]) -> None:
    repository = opening.repository
    audit(
        kind,
        actor=actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        namespace_id=repository.namespace_id,
        payload=payload,
    )
