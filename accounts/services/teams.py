"""Teams of an organization. Callers have already decided who may do this."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.errors import NameTaken
from accounts.models import (
    BaseRole,
    Invitation,
    Membership,
    Organization,
    Team,
    TeamMembership,
    User,
)
from accounts.services.invitations import list_open, withdraw
from accounts.services.organizations import lock, place_of, set_member
from core.errors import Conflict, Invalid, NotFound
from events.services import audit
from events.types import Actor
from oci.names import is_component

MAX_TEAMS = 200  # of one organization
MAX_NAME, MAX_DESCRIPTION = 60, 300
_TAKEN_BY_PAGES = ("new",)


def create_team(
    organization: Organization,
    name: str,
    *,
    actor: Actor,
    description: str = "",
    base_role: str = "",
) -> Team:
    """Make a team; raises Invalid, NameTaken, Conflict."""
    _check(name, description, base_role)
    try:
        with transaction.atomic():
            lock(organization)
            if Team.objects.filter(organization=organization).count() >= MAX_TEAMS:
                raise Conflict(f"An organization has at most {MAX_TEAMS} teams.", code="TOO_MANY")
            team = Team.objects.create(
                organization=organization, name=name, description=description, base_role=base_role
            )
            _audit("team.created", team, actor, {"after": _facts(team)})
    except IntegrityError as error:
        raise NameTaken("This organization has a team with this name.") from error
    return team


def update_team(
    team: Team,
    *,
    actor: Actor,
    name: str | None = None,
    description: str | None = None,
    base_role: str | None = None,
) -> Team:
    """Change what is given; roles and members stay. Raises Invalid, NameTaken, NotFound."""
    try:
        with transaction.atomic():
            row = _lock(team)
            before = _facts(row)
            row.name = row.name if name is None else name
            row.description = row.description if description is None else description
            row.base_role = row.base_role if base_role is None else base_role
            after = _facts(row)
            if before == after:
                return row
            _check(row.name, row.description, row.base_role)
            row.save(update_fields=["name", "description", "base_role"])
            changed = [n for n in before if before[n] != after[n]]
            payload = {
                "before": {n: before[n] for n in changed},
                "after": {n: after[n] for n in changed},
            }
            _audit("team.changed", row, actor, payload)
    except IntegrityError as error:
        raise NameTaken("This organization has a team with this name.") from error
    return row


def delete_team(team: Team, *, actor: Actor) -> None:
    """Take a team away with the roles it gave and the invitations into it; its members stay in the
    organization."""
    with transaction.atomic():
        row = _lock(team)
        for invitation in invitations_into(row):
            withdraw(invitation, actor=actor)
        names = TeamMembership.objects.filter(team=row).values_list("user__username", flat=True)
        payload = {"before": {**_facts(row), "members": sorted(names)}}
        _audit("team.deleted", row, actor, payload)
        row.delete()


def invitations_into(team: Team) -> QuerySet[Invitation]:
    """Open ones, which end with the team."""
    return list_open(team.organization).filter(team=team)


def let_in(
    organization: Organization, user: User, role: str, *, actor: Actor, team: Team | None = None
) -> bool:
    """Add a person, and to a team if one is named, in one act; who is in already keeps their role.

    Returns whether they are new. Raises Invalid, Conflict and NotFound.
    """
    with transaction.atomic():
        lock(organization)
        new = not Membership.objects.filter(organization=organization, user=user).exists()
        if new:
            set_member(organization, user, role, actor=actor)
        if team is not None:
            add_to_team(team, user, actor=actor)
    return new


def add_to_team(team: Team, user: User, *, actor: Actor) -> TeamMembership:
    """Put a member of the organization into a team; raises Invalid for somebody from outside."""
    with transaction.atomic():
        row = _lock(team)
        members = Membership.objects.filter(organization_id=row.organization_id, user=user)
        if not members.exists():
            raise Invalid("Add this person to the organization first.", code="NOT_MEMBER")
        membership, made = TeamMembership.objects.get_or_create(team=row, user=user)
        if made:
            _audit("team.member_added", row, actor, {"user": user.username})
    return membership


def remove_from_team(team: Team, user: User, *, actor: Actor) -> None:
    """Take somebody out of a team; raises NotFound."""
    with transaction.atomic():
        row = _lock(team)
        if not TeamMembership.objects.filter(team=row, user=user).delete()[0]:
            raise NotFound("This person is not in the team.")
        _audit("team.member_removed", row, actor, {"user": user.username})


def teams_for(organization: Organization, user_id: int, *, owner: bool) -> QuerySet[Team]:
    """All teams for owners, one's own for members, by name."""
    rows = Team.objects.filter(organization=organization).select_related("organization")
    if not owner:
        rows = rows.filter(memberships__user_id=user_id)
    return rows.order_by("name")


def _lock(team: Team) -> Team:
    """The organization's row first, so that nobody leaves it meanwhile."""
    lock(team.organization)
    row = Team.objects.select_related("organization").filter(pk=team.pk).first()
    if row is None:
        raise NotFound("There is no such team.")
    return row


def _check(name: str, description: str, base_role: str) -> None:
    if not is_component(name) or len(name) > MAX_NAME or name in _TAKEN_BY_PAGES:
        raise Invalid(
            "A team's name is lower-case letters and digits; single . _ - may stand between them.",
            code="NAME_INVALID",
        )
    if len(description) > MAX_DESCRIPTION:
        raise Invalid(f"A description has at most {MAX_DESCRIPTION} characters.")
    if base_role and base_role not in BaseRole.values:
        raise Invalid("A team's role is read, write, admin or none.", code="ROLE_INVALID")


def _facts(team: Team) -> dict[str, Any]:
    return {"name": team.name, "description": team.description, "base_role": team.base_role}


def _audit(kind: str, team: Team, actor: Actor, payload: dict[str, Any]) -> None:
    payload = {"organization": team.organization.name, "team": team.name, **payload}
    audit(kind, actor=actor, namespace_id=place_of(team.organization), payload=payload)
