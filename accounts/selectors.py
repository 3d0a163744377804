"""Reading accounts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet

from accounts.models import AccessToken, Membership, Namespace, Organization, Team, User
from core.errors import Invalid, NotFound

SEARCH_CHARS, SEARCH_ROWS = 3, 10


def find_user(username: str) -> User | None:
    """An active person by name; a robot is none."""
    rows = User.objects.filter(username=username.lower(), robot_namespace=None, is_active=True)
    return rows.first()


def get_user(username: str) -> User:
    """An active person by name; raises NotFound."""
    user = find_user(username)
    if user is None:
        raise NotFound("There is no such person.")
    return user


def search_users(text: str) -> QuerySet[User]:
    """The first active people whose names hold a text, by name, few at a time: the list of all is
    nobody's. Raises Invalid for a text that is too short; no character stands for others."""
    text = text.strip().lower()
    if len(text) < SEARCH_CHARS:
        raise Invalid(f"Write {SEARCH_CHARS} characters of the name at least.", code="TOO_SHORT")
    rows = User.objects.filter(username__contains=text, robot_namespace=None, is_active=True)
    return rows.order_by("username")[:SEARCH_ROWS]


def get_account(username: str, namespace_id: int) -> User:
    """An active person, or a robot of this namespace, by name; raises NotFound."""
    known = Q(robot_namespace=None) | Q(robot_namespace_id=namespace_id)
    user = User.objects.filter(known, username=username.lower(), is_active=True).first()
    if user is None:
        raise NotFound("There is no such person, nor such a robot account of this namespace.")
    return user


def has_administrator() -> bool:
    """Whether anybody may administer this hub."""
    return User.objects.filter(is_superuser=True, is_active=True).exists()


def find_namespace(name: str) -> Namespace | None:
    """A namespace by name, with whoever owns it."""
    return Namespace.objects.select_related("user", "organization").filter(name=name).first()


def find_renamed(name: str) -> Namespace | None:
    """A namespace by a name it had before, with whoever owns it."""
    rows = Namespace.objects.select_related("user", "organization")
    return rows.filter(aliases__old_name=name).first()


def get_organization(name: str, *, former: bool = False) -> Organization:
    """An organization by name, and also by one it had before if asked; raises NotFound."""
    organization = Organization.objects.filter(name=name).first()
    if organization is None and former:
        organization = Organization.objects.filter(namespace__aliases__old_name=name).first()
    if organization is None:
        raise NotFound("There is no such organization.")
    return organization


def get_team(organization: Organization, name: str) -> Team:
    """A team of the organization; raises NotFound."""
    team = Team.objects.filter(organization=organization, name=name).first()
    if team is None:
        raise NotFound("There is no such team.")
    return team


def get_member(organization: Organization, username: str) -> Membership:
    """A member by name, deactivated ones included; raises NotFound."""
    rows = Membership.objects.select_related("user", "organization")
    member = rows.filter(organization=organization, user__username=username.lower()).first()
    if member is None:
        raise NotFound("This person is not a member.")
    return member


def list_members(organization: Organization) -> list[Membership]:
    """Members by name, with who they are."""
    rows = Membership.objects.filter(organization=organization).select_related("user")
    return list(rows.order_by("user__username"))


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
    """A person's or robot's tokens that were not revoked, newest first, with their owner."""
    rows = AccessToken.objects.filter(user_id=user_id, revoked_at=None)
    return list(rows.select_related("user").order_by("-id"))


def names_of(user_ids: Iterable[int]) -> dict[int, str]:
    """User names by id."""
    return dict(User.objects.filter(pk__in=user_ids).values_list("pk", "username"))


def organizations_that_ask(user_id: int) -> list[str]:
    """Organizations of a person that ask for a second factor, which the person lacks: until there
    is one, membership gives nothing there."""
    rows = Membership.objects.filter(
        user_id=user_id, user__second_factor=False, organization__second_factor_required=True
    )
    return list(rows.order_by("organization__name").values_list("organization__name", flat=True))


def manager_facts(namespace: Namespace, tab: str) -> dict[str, Any]:
    """What the head of a namespace's pages shows to whoever manages it; `tab` is the one shown."""
    organization = namespace.organization
    return {
        "tab": tab,
        "is_me": namespace.user_id is not None,
        "is_owner": organization is not None,
        "is_inside": organization is not None,
        "about": organization.description if organization else "",
        "member_count": organization.memberships.count() if organization else 0,
    }
