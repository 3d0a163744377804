"""A small hub: people, an organization, and repositories of every kind of visibility."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Namespace, User
from accounts.types import Principal
from repos.models import Collaborator, Opening, Repository, TeamGrant
from search import branches
from tests.unit.repos import people


@pytest.fixture(autouse=True)
def _quiet(rung: list[Any]) -> None:
    """No messages to workers."""


@pytest.fixture(params=["few", "many"])
def plan(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Rows are gathered by ids, or walked in their order: the answers are the same."""
    if request.param == "many":
        monkeypatch.setattr(branches, "FEW", -1)
    return str(request.param)


@dataclass
class Hub:
    """Who there is."""

    users: dict[str, User]
    callers: dict[str, Principal]


NAMES = ("olga", "member", "grantee", "based", "lent", "stranger", "root")


@pytest.fixture
def hub(db: None) -> Hub:
    """`acme` is owned by olga; the others hold a role by one way each."""
    users = {name: people.person(name) for name in NAMES}
    users["root"].is_superuser = True
    users["root"].save()
    acme = people.organization("acme", users["olga"])
    open_house = people.organization("house", users["stranger"])
    open_house.base_role = "read"
    open_house.save()
    people.team(open_house, "all", users["member"])
    granted = people.team(acme, "granted", users["grantee"])
    based = people.team(acme, "based", users["based"])
    based.base_role = "write"
    based.save()
    library = Namespace.objects.get_or_create(name="library", defaults={"kind": "library"})[0]
    spaces = [acme.namespace, open_house.namespace, library, users["lent"].namespace]
    for number, (space, visibility) in enumerate(
        (space, visibility) for space in spaces for visibility in ("public", "private")
    ):
        for name in ("api", "web"):
            people.repository(
                space,
                f"{name}-{visibility}",
                visibility=visibility,
                description=f"The {name} of {space.name}",
                star_count=number % 3,
                pull_count=number % 2,
                last_pushed_at=timezone.now() - timedelta(days=number),
            )
    closed = Repository.objects.get(path="acme/api-private")
    Collaborator.objects.create(repository=closed, user=users["lent"], role="read")
    TeamGrant.objects.create(repository=closed, team=granted, role="read")
    Opening.objects.create(
        repository=closed, user=users["root"], until=timezone.now() + timedelta(hours=1)
    )
    robot = User.objects.create(
        username="acme+ci", password="!", robot_namespace=acme.namespace, robot_role="read"
    )
    callers = {name: people.principal(user) for name, user in users.items()}
    callers["nobody"] = people.principal(None)
    callers["token"] = people.principal(users["olga"], "acme/api-*:pull")
    callers["robot"] = Principal(
        robot.pk, robot.username, "token", robot_of=acme.namespace.pk, robot_role="read"
    )
    return Hub(users, callers)
