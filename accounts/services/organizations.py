"""Organizations, their members and teams. Callers have already decided who may do this."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from accounts.errors import LastOwner, NameTaken
from accounts.models import Membership, Namespace, Organization, Team, TeamMembership, User
from accounts.names import check_name
from core.errors import Invalid, NotFound
from oci.names import is_component


def create_organization(owner: User, *, name: str, display_name: str = "") -> Organization:
    """Make an organization with its namespace and its first owner; raises Invalid, NameTaken."""
    check_name(name)
    if User.objects.filter(username=name).exists():
        raise NameTaken("This name is already in use.")
    try:
        with transaction.atomic():
            organization = Organization.objects.create(name=name, display_name=display_name)
            Namespace.objects.create(
                name=name, kind=Namespace.Kind.ORGANIZATION, organization=organization
            )
            Membership.objects.create(
                organization=organization, user=owner, role=Membership.Role.OWNER
            )
    except IntegrityError as error:
        raise NameTaken("This name is already in use.") from error
    return organization


def set_member(organization: Organization, user: User, role: str) -> Membership:
    """Add a member or change their role; raises Invalid, LastOwner."""
    if role not in Membership.Role.values:
        raise Invalid("A member's role is owner or member.")
    with transaction.atomic():
        _lock(organization)
        if role != Membership.Role.OWNER:
            _keep_an_owner(organization, user)
        return Membership.objects.update_or_create(
            organization=organization, user=user, defaults={"role": role}
        )[0]


def remove_member(organization: Organization, user: User) -> None:
    """Take a member out of the organization and its teams; raises NotFound, LastOwner."""
    with transaction.atomic():
        _lock(organization)
        _keep_an_owner(organization, user)
        gone, _ = Membership.objects.filter(organization=organization, user=user).delete()
        if not gone:
            raise NotFound("This person is not a member.")
        TeamMembership.objects.filter(team__organization=organization, user=user).delete()


def create_team(organization: Organization, name: str) -> Team:
    """Make a team; raises Invalid, NameTaken."""
    if not is_component(name) or len(name) > 60:
        raise Invalid("A team's name is lower-case letters, digits and single . _ -.")
    try:
        with transaction.atomic():
            return Team.objects.create(organization=organization, name=name)
    except IntegrityError as error:
        raise NameTaken("This organization has a team with this name.") from error


def add_to_team(team: Team, user: User) -> TeamMembership:
    """Put a member of the organization into a team; raises Invalid for somebody from outside."""
    if not Membership.objects.filter(organization_id=team.organization_id, user=user).exists():
        raise Invalid("Add this person to the organization first.")
    return TeamMembership.objects.get_or_create(team=team, user=user)[0]


def remove_from_team(team: Team, user: User) -> None:
    """Take somebody out of a team; raises NotFound."""
    gone, _ = TeamMembership.objects.filter(team=team, user=user).delete()
    if not gone:
        raise NotFound("This person is not in the team.")


def _lock(organization: Organization) -> None:
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)


def _keep_an_owner(organization: Organization, leaving: User) -> None:
    owners = Membership.objects.filter(organization=organization, role=Membership.Role.OWNER)
    if not owners.exclude(user=leaving).exists():
        raise LastOwner("An organization needs an owner; make somebody else owner first.")
