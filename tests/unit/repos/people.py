"""People, organizations, teams and repositories, made without hashing passwords."""

from __future__ import annotations

from typing import Any

from accounts.models import (
    Membership,
    Namespace,
    Organization,
    Team,
    TeamMembership,
    User,
)
from accounts.types import Principal, TokenScope
from repos.models import Repository


def person(name: str) -> User:
    user = User.objects.create(username=name, password="!")
    Namespace.objects.create(name=name, kind=Namespace.Kind.USER, user=user)
    return user


def organization(name: str, owner: User) -> Organization:
    made = Organization.objects.create(name=name)
    Namespace.objects.create(name=name, kind=Namespace.Kind.ORGANIZATION, organization=made)
    Membership.objects.create(organization=made, user=owner, role=Membership.Role.OWNER)
    return made


def team(of: Organization, name: str, *users: User) -> Team:
    made = Team.objects.create(organization=of, name=name)
    for user in users:
        Membership.objects.get_or_create(organization=of, user=user)
        TeamMembership.objects.create(team=made, user=user)
    return made


def repository(namespace: Namespace, name: str, **values: Any) -> Repository:
    return Repository.objects.create(
        namespace=namespace, name=name, path=f"{namespace.name}/{name}", **values
    )


def principal(user: User | None, *scopes: str) -> Principal:
    """As a session, or with scopes `glob:action,action` as a limited token."""
    if user is None:
        return Principal()
    parsed = tuple(
        TokenScope(glob, frozenset(a for a in actions.split(",") if a))
        for glob, _, actions in (scope.partition(":") for scope in scopes)
    )
    return Principal(
        user.pk,
        user.username,
        "token" if scopes else "session",
        is_superuser=user.is_superuser,
        token_id=1 if scopes else None,
        scopes=parsed or None,
    )
