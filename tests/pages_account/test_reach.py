"""What one person or robot reaches in an organization, for its owners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.services.credentials import principal_of
from accounts.services.organizations import create_organization, set_member
from accounts.services.people import deactivate
from accounts.services.robots import create_robot
from events.types import SYSTEM
from repos.models import Collaborator
from repos.services.repositories import create_repository

pytestmark = pytest.mark.django_db
PEOPLE = "/acme/-/people"


@pytest.fixture
def bob(alice: User, person: Callable[..., User]) -> User:
    """A collaborator on `acme/app`, a member of `acme`, and owner of a repository elsewhere."""
    bob, by = person("bob"), principal_of(alice).actor
    acme = create_organization(alice, name="acme")
    set_member(acme, bob, "member", actor=by)
    app = create_repository(acme.namespace, "app", actor=by)
    create_repository(acme.namespace, "secret", actor=by)
    create_repository(bob.namespace, "own", actor=by)
    Collaborator.objects.create(repository=app, user=bob, role="write")
    create_robot(acme.namespace, "ci", actor=by, role="read")
    person("mallory")
    return bob


def paths(page: Any) -> list[str]:
    return [row.repository.path for row in page.context["rows"]]


def test_owners_see_it_of_members_others_and_robots(bob: User, browser: Client) -> None:
    page = browser.get(f"{PEOPLE}/bob/access")
    assert paths(page) == ["acme/app"]
    assert b"collaborator" in page.content
    assert page.content.count(b"<h1") == 1
    assert paths(browser.get(f"{PEOPLE}/alice/access")) == ["acme/app", "acme/secret"]
    assert paths(browser.get(f"{PEOPLE}/acme+ci/access")) == ["acme/app", "acme/secret"]
    assert paths(browser.get(f"{PEOPLE}/mallory/access")) == []
    assert f"{PEOPLE}/bob/access" in browser.get(PEOPLE).content.decode()
    robot = browser.get("/acme/-/robots/ci").content.decode()
    assert f"{PEOPLE}/acme+ci/access" in robot


def test_nobody_else_does(
    bob: User, browser: Client, signed_in: Callable[[User | None], Client]
) -> None:
    path = f"{PEOPLE}/bob/access"
    assert signed_in(bob).get(path).status_code == 403
    assert signed_in(User.objects.get(username="mallory")).get(path).status_code == 404
    assert Client().get(path).status_code == 302
    assert browser.get(f"{PEOPLE}/nobody/access").status_code == 404
    assert browser.get(f"{PEOPLE}/alice+ci/access").status_code == 404
    deactivate(bob, actor=SYSTEM)
    assert browser.get(path).status_code == 404
    assert path not in browser.get(PEOPLE).content.decode()
