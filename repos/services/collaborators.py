"""Giving and taking roles. Callers have already decided who may do this."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from accounts.models import Team, User
from accounts.types import Principal
from core.errors import Invalid, NotFound
from events.services import record
from events.types import Actor
from repos.models import Collaborator, Repository, Role, TeamGrant
from repos.services.locking import Recheck, lock_active, no_recheck


def grant_role(
    repository: Repository,
    user: User,
    role: str,
    *,
    actor: Actor,
    recheck: Recheck = no_recheck,
) -> Collaborator:
    """Give a person or a robot a role, replacing the one they had; raises Invalid, NotFound."""
    _check_role(role)
    with transaction.atomic():
        repository = lock_active(repository, recheck)
        if user.is_robot:
            _check_robot(repository, user, role)
        if repository.namespace.user_id == user.pk:
            raise Invalid("The owner of the namespace already has every right.", code="IS_OWNER")
        held = Collaborator.objects.filter(repository=repository, user=user)
        before = held.values_list("role", flat=True).first()
        row, _ = Collaborator.objects.update_or_create(
            repository=repository, user=user, defaults={"role": role}
        )
        _added(repository, actor, {"user": user.username}, before, role)
    return row


def revoke_role(
    repository: Repository, user: User, *, actor: Actor, recheck: Recheck = no_recheck
) -> None:
    """Take a person's role away; raises NotFound."""
    with transaction.atomic():
        repository = lock_active(repository, recheck)
        held = Collaborator.objects.filter(repository=repository, user=user)
        before = held.values_list("role", flat=True).first()
        gone, _ = held.delete()
        if not gone:
            raise NotFound("This person is not a collaborator.")
        _removed(repository, actor, {"user": user.username}, before)


def may_leave(principal: Principal) -> bool:
    """Whether this credential may give up its owner's own roles."""
    return not (principal.is_anonymous or principal.is_robot or principal.is_limited)


def grant_team(
    repository: Repository,
    team: Team,
    role: str,
    *,
    actor: Actor,
    recheck: Recheck = no_recheck,
) -> TeamGrant:
    """Give a team of the repository's organization a role; raises Invalid, NotFound."""
    _check_role(role)
    with transaction.atomic():
        repository = lock_active(repository, recheck)
        if repository.namespace.organization_id != team.organization_id:
            raise Invalid("The team must belong to the organization that owns the repository.")
        held = TeamGrant.objects.filter(repository=repository, team=team)
        before = held.values_list("role", flat=True).first()
        row, _ = TeamGrant.objects.update_or_create(
            repository=repository, team=team, defaults={"role": role}
        )
        _added(repository, actor, {"team": team.name}, before, role)
    return row


def revoke_team(
    repository: Repository, team: Team, *, actor: Actor, recheck: Recheck = no_recheck
) -> None:
    """Take a team's role away; raises NotFound."""
    with transaction.atomic():
        repository = lock_active(repository, recheck)
        held = TeamGrant.objects.filter(repository=repository, team=team)
        before = held.values_list("role", flat=True).first()
        gone, _ = held.delete()
        if not gone:
            raise NotFound("This team has no role here.")
        _removed(repository, actor, {"team": team.name}, before)


def _check_robot(repository: Repository, robot: User, role: str) -> None:
    if robot.robot_namespace_id != repository.namespace_id:
        raise Invalid(
            "A robot account reaches only repositories of its own namespace.",
            code="ROBOT_ELSEWHERE",
        )
    if role == Role.ADMIN:
        raise Invalid("A robot account reads or writes; only people administer.", code="ROBOT")


def _check_role(role: str) -> None:
    if role not in Role.values:
        raise Invalid("A role is read, write or admin.", code="ROLE_INVALID")


def _added(
    repository: Repository, actor: Actor, who: dict[str, str], before: str | None, role: str
) -> None:
    """Also tells of another role, and of the same one given again."""
    changes = {"before": {"role": before}} if before else {}
    payload = {**who, "role": role, **changes, "after": {"role": role}}
    _record("collaborator.added", repository, actor, payload)


def _removed(repository: Repository, actor: Actor, who: dict[str, str], before: str | None) -> None:
    _record("collaborator.removed", repository, actor, {**who, "before": {"role": before}})


def _record(kind: str, repository: Repository, actor: Actor, payload: dict[str, Any]) -> None:
    record(
        kind,
        actor=actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        namespace_id=repository.namespace_id,
        payload=payload,
    )
