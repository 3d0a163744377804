"""Reading accounts."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.models import AccessToken, Membership, Namespace, Organization, Team, User
from core.errors import NotFound


def find_user(username: str) -> User | None:
    """An active person by name."""
    return User.objects.filter(username=username.lower(), is_active=True).first()


def get_user(username: str) -> User:
    """An active person by name; raises NotFound."""
    user = find_user(username)
    if user is None:
        raise NotFound("There is no such person.")
    return user


def has_administrator() -> bool:
    """Whether anybody may administer this hub."""
    return User.objects.filter(is_superuser=True, is_active=True).exists()


def find_namespace(name: str) -> Namespace | None:
    """A namespace by name, with whoever owns it."""
    return Namespace.objects.select_related("user", "organization").filter(name=name).first()


def get_organization(name: str) -> Organization:
    """An organization by name; raises NotFound."""
    organization = Organization.objects.filter(name=name).first()
    if organization is None:
        raise NotFound("There is no such organization.")
    return organization


def get_team(organization: Organization, name: str) -> Team:
    """A team of the organization; raises NotFound."""
    team = Team.objects.filter(organization=organization, name=name).first()
    if team is None:
        raise NotFound("There is no such team.")
    return team


def is_owner(user_id: int | None, organization: Organization) -> bool:
    """Whether this person owns the organization."""
    return Membership.objects.filter(
        organization=organization, user_id=user_id or 0, role=Membership.Role.OWNER
    ).exists()


def is_member(user_id: int | None, organization: Organization) -> bool:
    """Whether this person belongs to the organization."""
    return Membership.objects.filter(organization=organization, user_id=user_id or 0).exists()


def list_organizations(user_id: int) -> list[Membership]:
    """A person's memberships, by organization name."""
    return list(
        Membership.objects.filter(user_id=user_id)
        .select_related("organization")
        .order_by("organization__name")
    )


def list_tokens(user_id: int) -> list[AccessToken]:
    """A person's tokens that were not revoked, newest first."""
    return list(AccessToken.objects.filter(user_id=user_id, revoked_at=None).order_by("-id"))


def names_of(user_ids: Iterable[int]) -> dict[int, str]:
    """User names by id."""
    return dict(User.objects.filter(pk__in=user_ids).values_list("pk", "username"))
