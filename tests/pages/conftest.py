"""People with different roles, and repositories with real content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Namespace, User
from accounts.services.organizations import create_organization, set_member
from accounts.services.signup import create_user
from accounts.services.teams import add_to_team, create_team
from events.types import Actor
from oci.digest import Digest
from registry.services.manifests import put_manifest
from registry.services.uploads import put_blob
from repos.models import Repository
from repos.services.collaborators import grant_role, grant_team
from repos.services.repositories import create_repository
from tests.images import Image, image

HOST = "localhost"
ROLES = ("owner", "manager", "writer", "reader", "stranger")


@pytest.fixture(autouse=True)
def _quiet(rung: list[Any]) -> None:
    """No messages to workers."""


@pytest.fixture
def people() -> dict[str, User]:
    """One person for each role."""
    return {
        name: create_user(
            username=name, email=f"{name}@example.org", password="a long enough secret"
        )
        for name in ROLES
    }


def actor(user: User) -> Actor:
    """The person as services know them."""
    return Actor(user.pk, user.username)


def namespace_of(name: str) -> Namespace:
    """A namespace by name."""
    return Namespace.objects.get(name=name)


def push(repository: Repository, content: Image, *tags: str) -> str:
    """Put an image with everything it names; its digest."""
    who = Actor(None, "pusher")
    for child in content.children:
        push(repository, child)
    for blob in content.blobs:
        put_blob(repository, [blob], Digest.of(blob))
    for reference in tags or (Digest.of(content.manifest),):
        put_manifest(
            repository,
            content.manifest,
            content_type=content.media_type,
            reference=reference,
            actor=who,
        )
    return content.digest


def _shared(people: dict[str, User], name: str, visibility: str) -> Repository:
    owner = actor(people["owner"])
    repository = create_repository(
        namespace_of("owner"), name, actor=owner, visibility=visibility, description="An image."
    )
    for person, role in (("manager", "admin"), ("writer", "write"), ("reader", "read")):
        grant_role(repository, people[person], role, actor=owner)
    return repository


@pytest.fixture
def public(people: dict[str, User]) -> Repository:
    """A public repository with one tag."""
    repository = _shared(people, "open", "public")
    push(repository, image("public"), "1.0")
    return repository


@pytest.fixture
def private(people: dict[str, User]) -> Repository:
    """A private repository, two words deep, with one tag."""
    repository = _shared(people, "secret/app", "private")
    push(repository, image("private"), "1.0")
    return repository


@pytest.fixture
def organization(people: dict[str, User]) -> Repository:
    """A private repository of an organization; `writer` writes through a team."""
    group = create_organization(people["owner"], name="crew", display_name="The crew")
    by = actor(people["owner"])
    set_member(group, people["writer"], "member", actor=by)
    team = create_team(group, "builders", actor=by)
    add_to_team(team, people["writer"], actor=by)
    create_team(group, "testers", actor=by)
    repository = create_repository(namespace_of("crew"), "ship", actor=actor(people["owner"]))
    grant_team(repository, team, "write", actor=actor(people["owner"]))
    push(repository, image("ship"), "1.0")
    return repository


@pytest.fixture
def browser(people: dict[str, User]) -> Callable[[str], Client]:
    """A browser in which this person is signed in; nobody for an empty name."""

    def open_browser(name: str = "") -> Client:
        client = Client(headers={"host": HOST})
        if name:
            client.force_login(
                people[name], backend="allauth.account.auth_backends.AuthenticationBackend"
            )
        return client

    return open_browser


@pytest.fixture
def htmx() -> dict[str, str]:
    """Headers of a fragment request."""
    return {"HX-Request": "true"}
