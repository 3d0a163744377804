"""Which roles somebody holds on a repository, and through what."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Membership, Namespace, TeamMembership
from accounts.types import Principal
from repos.models import Collaborator, Opening, Repository, Role, TeamGrant

RANK = {"": 0, Role.READ.value: 1, Role.WRITE.value: 2, Role.ADMIN.value: 3}


@dataclass(frozen=True, slots=True)
class Held:
    """A role and where it comes from."""

    role: str
    source: str


def held_roles(principal: Principal, repository: Repository) -> list[Held]:
    """Every role this principal holds here, without visibility and without the token's limits."""
    if principal.is_anonymous:
        return []
    namespace = repository.namespace
    if principal.is_robot:
        return _of_robot(principal, repository)
    if namespace.user_id == principal.user_id:
        return [Held(Role.ADMIN, f"you own the namespace {namespace.name}")]
    if namespace.kind == Namespace.Kind.LIBRARY and principal.is_superuser:
        return [Held(Role.ADMIN, "administrators keep the library")]
    held = _of_opening(principal, repository) if principal.is_superuser else []
    if is_suspended(principal, repository):
        return held
    held += _of_collaborator(principal, repository)
    if namespace.organization_id is not None:
        held += _of_membership(principal, namespace) + _of_teams(principal, repository)
    return held


def is_suspended(principal: Principal, repository: Repository) -> bool:
    """Whether roles do not count because the organization demands a second factor."""
    organization = repository.namespace.organization
    return (
        organization is not None
        and organization.second_factor_required
        and not principal.second_factor
        and not principal.is_robot
    )


def _of_robot(principal: Principal, repository: Repository) -> list[Held]:
    """A robot reaches nothing outside its namespace, wherever a repository has gone to."""
    if principal.robot_of != repository.namespace_id:
        return []
    held = _of_collaborator(principal, repository)
    if principal.robot_role:
        name = repository.namespace.name
        held.append(Held(principal.robot_role, f"robot with the role on all of {name}"))
    return held


def _of_opening(principal: Principal, repository: Repository) -> list[Held]:
    openings = Opening.objects.filter(
        repository=repository, user_id=principal.account_id, until__gt=Now()
    )
    return [Held(Role.READ, "opened by an administrator")] if openings.exists() else []


def _of_collaborator(principal: Principal, repository: Repository) -> list[Held]:
    return [
        Held(role, f"collaborator with the role {role}")
        for role in Collaborator.objects.filter(
            repository=repository, user_id=principal.account_id
        ).values_list("role", flat=True)
    ]


def _of_membership(principal: Principal, namespace: Namespace) -> list[Held]:
    organization = namespace.organization
    assert organization is not None
    membership = Membership.objects.filter(
        organization=organization, user_id=principal.account_id
    ).first()
    if membership is None:
        return []
    if membership.role == Membership.Role.OWNER:
        return [Held(Role.ADMIN, f"owner of the organization {namespace.name}")]
    if organization.base_role:
        return [Held(organization.base_role, f"member of the organization {namespace.name}")]
    return []


def _of_teams(principal: Principal, repository: Repository) -> list[Held]:
    grants = TeamGrant.objects.filter(
        repository=repository, team__memberships__user_id=principal.account_id
    ).values_list("role", "team__name")
    held = [Held(role, f"team {team} with the role {role}") for role, team in grants]
    everywhere = TeamMembership.objects.filter(
        ~Q(team__base_role=""),
        team__organization=repository.namespace.organization_id,
        user_id=principal.account_id,
    ).values_list("team__base_role", "team__name")
    return held + [
        Held(role, f"team {team} with the role {role} on all repositories")
        for role, team in everywhere
    ]
