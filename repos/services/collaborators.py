"""Giving and taking roles. Callers have already decided who may do this."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Team, User
from core.errors import Invalid, NotFound
from events.services import record
from events.types import Actor
from repos.models import Collaborator, Repository, Role, TeamGrant


def grant_role(repository: Repository, user: User, role: str, *, actor: Actor) -> Collaborator:
    """Give a person a role, replacing the one they had; raises Invalid."""
    _check_role(role)
    if repository.namespace.user_id == user.pk:
        raise Invalid("The owner of the namespace already has every right.", code="IS_OWNER")
    with transaction.atomic():
        row, _ = Collaborator.objects.update_or_create(
            repository=repository, user=user, defaults={"role": role}
        )
        _record("collaborator.added", repository, actor, {"user": user.username, "role": role})
    return row


def revoke_role(repository: Repository, user: User, *, actor: Actor) -> None:
    """Take a person's role away; raises NotFound."""
    with transaction.atomic():
        gone, _ = Collaborator.objects.filter(repository=repository, user=user).delete()
        if not gone:
            raise NotFound("This person is not a collaborator.")
        _record("collaborator.removed", repository, actor, {"user": user.username})


def grant_team(repository: Repository, team: Team, role: str, *, actor: Actor) -> TeamGrant:
    """Give a team of the repository's organization a role; raises Invalid."""
    _check_role(role)
    if repository.namespace.organization_id != team.organization_id:
        raise Invalid("The team must belong to the organization that owns the repository.")
    with transaction.atomic():
        row, _ = TeamGrant.objects.update_or_create(
            repository=repository, team=team, defaults={"role": role}
        )
        _record("collaborator.added", repository, actor, {"team": team.name, "role": role})
    return row


def revoke_team(repository: Repository, team: Team, *, actor: Actor) -> None:
    """Take a team's role away; raises NotFound."""
    with transaction.atomic():
        gone, _ = TeamGrant.objects.filter(repository=repository, team=team).delete()
        if not gone:
            raise NotFound("This team has no role here.")
        _record("collaborator.removed", repository, actor, {"team": team.name})


def _check_role(role: str) -> None:
    if role not in Role.values:
        raise Invalid("A role is read, write or admin.", code="ROLE_INVALID")


def _record(kind: str, repository: Repository, actor: Actor, payload: dict[str, str]) -> None:
    record(
        kind,
        actor=actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        payload=payload,
    )
