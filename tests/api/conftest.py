"""An organization with people of every role, and a caller for each of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import Membership, Organization, Team, TeamMembership, User
from accounts.services.credentials import principal_of
from accounts.services.organizations import create_organization
from accounts.services.tokens import create_token
from registry.models import Manifest
from repos.models import Collaborator, Repository
from repos.services.comments import add_comment
from repos.services.repositories import create_repository
from tests.images import image, multi
from tests.unit.registry.pushing import make_person, push
from webhooks.models import Webhook
from webhooks.owners import Owner
from webhooks.services import create_webhook, ping

PEOPLE = ("mallory", "reader", "writer", "boss", "olga")
HOOK = "http://127.0.0.1:8080/hook"


@dataclass
class Caller:
    """Calls the API as somebody, or as nobody."""

    token: str = ""
    client: Client = field(default_factory=Client)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        if self.token:
            headers.setdefault("HTTP_AUTHORIZATION", f"Bearer {self.token}")
        data = "" if body is None else body if isinstance(body, str) else json.dumps(body)
        kind = "application/json" if data else ""
        return self.client.generic(method, f"/api/{path}", data, kind, **headers)


@dataclass
class World:
    """`acme/app` is public, `acme/secret` private, `acme/absent` is not there; `olga` owns all."""

    people: dict[str, User]
    callers: dict[str, Caller]
    organization: Organization
    team: Team
    repositories: dict[str, Repository]
    manifest: Manifest

    def __getitem__(self, name: str) -> Caller:
        return self.callers[name]

    def id(self, repository: str, kind: str) -> int:
        """The id of the one comment, webhook or delivery there; one that is absent elsewhere."""
        found = self.repositories.get(repository)
        if found is None:
            return 1
        if kind == "comment":
            return found.comments.get().pk
        webhook: Webhook = found.webhooks.get()
        return webhook.pk if kind == "webhook" else webhook.deliveries.get().pk


@pytest.fixture(autouse=True)
def _quiet(rung: list[Any], hub_settings: Callable[..., None]) -> None:
    """No messages to workers; webhooks may point to this machine."""
    hub_settings(webhook_allow_networks=["127.0.0.0/8"])


@pytest.fixture
def nobody() -> Caller:
    return Caller()


@pytest.fixture
def call_as() -> Callable[..., Caller]:
    """A caller with a new token of this person: `call_as(user, "repository:a/b:pull")`."""

    def make(user: User, *scopes: str) -> Caller:
        return Caller(create_token(user, name="t", scopes=scopes).secret)

    return make


@pytest.fixture
def alice(db: None) -> User:
    return make_person("alice")


@pytest.fixture
def as_alice(alice: User, call_as: Callable[..., Caller]) -> Caller:
    return call_as(alice)


@pytest.fixture
def app(alice: User) -> Repository:
    """`alice/app`, private."""
    return create_repository(alice.namespace, "app", actor=_actor(alice))


@pytest.fixture
def world(db: None, call_as: Callable[..., Caller]) -> World:
    people = {name: make_person(name) for name in PEOPLE}
    organization = create_organization(people["olga"], name="acme")
    team = Team.objects.create(organization=organization, name="dev")
    Membership.objects.create(organization=organization, user=people["reader"])
    TeamMembership.objects.create(team=team, user=people["reader"])
    callers = {name: call_as(user) for name, user in people.items()}
    callers["nobody"] = Caller()
    callers["pull token"] = call_as(people["olga"], "repository:acme/*:pull")
    callers["full token"] = call_as(people["olga"], "repository:acme/*:*")
    repositories = {}
    for name, visibility in [("app", "public"), ("secret", "private")]:
        row = create_repository(
            organization.namespace, name, actor=_actor(people["olga"]), visibility=visibility
        )
        for person, role in [("reader", "read"), ("writer", "write"), ("boss", "admin")]:
            Collaborator.objects.create(repository=row, user=people[person], role=role)
        manifest = push(row, multi(name), "v1")
        push(row, image(name), "v2")
        add_comment(row, principal=principal_of(people["reader"]), body="Works **well**.")
        webhook = create_webhook(Owner(row), actor=_actor(people["olga"]), url=HOOK)
        ping(webhook, actor=_actor(people["olga"]))
        row.refresh_from_db()
        repositories[name] = row
    return World(people, callers, organization, team, repositories, manifest)


def _actor(user: User) -> Any:
    return principal_of(user).actor
