"""An organization with a private and a public repository, and people around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from accounts.models import User
from accounts.services.credentials import principal_of
from accounts.types import Principal
from events import dispatch
from events.types import Actor
from repos.models import Collaborator, Comment, Repository
from repos.services.comments import add_comment
from tests.unit.repos import people


@dataclass
class Town:
    """`olga` owns `acme`; `rita` reads `acme/closed`, `adam` administers it, `sven` is nobody."""

    users: dict[str, User]
    closed: Repository
    open: Repository

    def id(self, name: str) -> int:
        return self.users[name].pk

    def actor(self, name: str) -> Actor:
        return Actor(self.users[name].pk, name)

    def principal(self, name: str) -> Principal:
        self.users[name].refresh_from_db()
        return principal_of(self.users[name])

    def says(self, name: str, body: str, where: Repository | None = None) -> Comment:
        """A comment, and everybody told of it."""
        comment = add_comment(where or self.closed, principal=self.principal(name), body=body)
        dispatch.drain()
        return comment


@pytest.fixture(autouse=True)
def _quiet(rung: list[Any]) -> None:
    """No messages to workers."""


@pytest.fixture
def town(db: None) -> Town:
    users = {name: people.person(name) for name in ("olga", "rita", "adam", "sven")}
    for name, user in users.items():
        user.email = f"{name}@example.org"
        user.save()
    acme = people.organization("acme", users["olga"])
    closed = people.repository(acme.namespace, "closed")
    opened = people.repository(acme.namespace, "open", visibility="public")
    for name, role in (("rita", "read"), ("adam", "admin")):
        Collaborator.objects.create(repository=closed, user=users[name], role=role)
    return Town(users, closed, opened)
