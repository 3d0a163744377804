"""Robot accounts on the pages of their namespace."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import AccessToken, Membership, Organization, User
from accounts.services.credentials import authenticate, principal_of
from accounts.services.organizations import create_organization
from accounts.services.robots import create_robot
from accounts.services.tokens import create_token
from repos.models import Collaborator
from repos.services.repositories import create_repository

pytestmark = pytest.mark.django_db
LIST = "/acme/-/robots"
NEW = f"{LIST}/new"
CI = f"{LIST}/ci"
TOKEN = re.compile(r"hubr_[0-9A-Za-z]{10}_[0-9A-Za-z]{43}_[0-9a-f]{8}")
HERE = "192.0.2.1"


@pytest.fixture
def acme(alice: User) -> Organization:
    return create_organization(alice, name="acme")


@pytest.fixture
def ci(acme: Organization, alice: User) -> User:
    return create_robot(acme.namespace, "ci", actor=principal_of(alice).actor)


def fields(**values: str) -> dict[str, str]:
    return {"name": "ci", "description": "", "role": "", "expires": "90", **values}


def secret_in(response: Any) -> str:
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    (secret,) = set(TOKEN.findall(response.content.decode()))
    return secret


class TestMaking:
    def test_from_the_empty_page_to_a_working_token(self, browser: Client, acme: Any) -> None:
        assert NEW in browser.get(LIST).content.decode()
        assert browser.get(NEW).status_code == 200
        response = browser.post(NEW, fields(role="write", may_create="on", description="Builds"))
        secret = secret_in(response)
        page = response.content.decode()
        assert "docker login localhost:5000 -u &#x27;acme+ci&#x27; --password-stdin" in page
        for text in ("kubectl create secret docker-registry", "dockerconfigjson", "docker/login-"):
            assert text in page
        principal = authenticate("acme+ci", secret, address=HERE)
        assert (principal.robot_role, principal.robot_creates) == ("write", True)
        listed = browser.get(LIST).content.decode()
        assert "acme+ci" in listed
        assert "Builds" in listed
        assert secret not in listed
        assert secret not in browser.get(CI).content.decode()

    @pytest.mark.parametrize(
        "values",
        [
            {"name": "CI"},
            {"name": ""},
            {"name": "new"},
            {"name": "taken"},
            {"role": "admin"},
            {"expires": "9999"},
            {"description": "x" * 301},
        ],
    )
    def test_refusals(
        self, browser: Client, acme: Organization, alice: User, values: dict[str, str]
    ) -> None:
        create_robot(acme.namespace, "taken", actor=principal_of(alice).actor)
        response = browser.post(NEW, fields(**values))
        assert response.status_code == 422
        assert "errorlist" in response.content.decode()
        assert User.objects.filter(robot_namespace=acme.namespace).count() == 1

    def test_ones_own_are_among_ones_settings(self, browser: Client) -> None:
        assert "/alice/-/robots" in browser.get("/settings/tokens").content.decode()
        secret = secret_in(browser.post("/alice/-/robots/new", fields()))
        assert authenticate("alice+ci", secret, address=HERE)
        assert "Access tokens" in browser.get("/alice/-/robots").content.decode()


class TestOne:
    def test_rights_are_changed(self, browser: Client, ci: User) -> None:
        values = {"description": "Builds", "role": "read", "may_create": "on"}
        assert browser.post(CI, values)["Location"] == CI
        ci.refresh_from_db()
        assert (ci.bio, ci.robot_role, ci.robot_creates) == ("Builds", "read", True)
        assert browser.post(CI, {"role": "admin"}).status_code == 422

    def test_repositories_it_was_added_to(
        self, browser: Client, ci: User, alice: User, acme: Organization
    ) -> None:
        row = create_repository(acme.namespace, "app", actor=principal_of(alice).actor)
        added = browser.post("/acme/app/-/people/add", {"username": "acme+ci", "role": "write"})
        assert added.status_code == 302
        assert Collaborator.objects.get(repository=row).user == ci
        assert "/acme/app/-/people" in browser.get(CI).content.decode()
        assert "acme+ci" in browser.get("/acme/app/-/people").content.decode()
        assert (
            browser.post(
                "/acme/app/-/people/add", {"username": "acme+none", "role": "write"}
            ).status_code
            == 422
        )

    def test_deleted_after_its_name_was_typed(self, browser: Client, ci: User) -> None:
        secret = create_token(ci, name="x").secret
        browser.post(f"{CI}/delete", {"confirm": "acme"})
        assert authenticate("acme+ci", secret, address=HERE)
        assert browser.post(f"{CI}/delete", {"confirm": "acme+ci"})["Location"] == LIST
        assert not AccessToken.objects.exists()
        assert browser.get(CI).status_code == 404
        assert "acme+ci was deleted" in browser.get(LIST).content.decode()


class TestTokens:
    def make(self, browser: Client, **values: str) -> Any:
        return browser.post(
            f"{CI}/tokens/new",
            {
                "name": "nightly",
                "expires": "30",
                "access": "chosen",
                "scope-TOTAL_FORMS": "1",
                "scope-INITIAL_FORMS": "0",
                "scope-0-pattern": "acme/app",
                "scope-0-actions": "pull",
                **values,
            },
        )

    def test_made_rotated_revoked(self, browser: Client, ci: User) -> None:
        assert "acme/app" in browser.get(f"{CI}/tokens/new").content.decode()
        old = secret_in(self.make(browser))
        token = AccessToken.objects.get()
        assert (token.user, token.scopes) == (ci, ["repository:acme/app:pull"])
        page = browser.get(CI).content.decode()
        assert f"hubr_{token.prefix}…" in page
        assert f"{CI}/tokens/{token.pk}/rotate" in page
        assert browser.get(f"{CI}/tokens/{token.pk}/rotate").status_code == 200
        new = secret_in(browser.post(f"{CI}/tokens/{token.pk}/rotate", {"keep_old": "on"}))
        for secret in (old, new):
            assert authenticate("acme+ci", secret, address=HERE).scopes is not None
        assert browser.post(f"{CI}/tokens/{token.pk}/revoke")["Location"] == CI
        assert not AccessToken.objects.filter(revoked_at=None)
        assert token.prefix not in browser.get(CI).content.decode()

    def test_not_for_other_namespaces(self, browser: Client, ci: User) -> None:
        refused = self.make(browser, **{"scope-0-pattern": "alice/app"})
        assert refused.status_code == 422
        assert "reaches outside acme" in refused.content.decode()
        more = browser.post(f"{CI}/tokens/new", {"more": "1", "scope-TOTAL_FORMS": "1"})
        assert "scope-1-pattern" in more.content.decode()
        assert not AccessToken.objects.exists()

    def test_of_another_robot_are_absent(
        self, browser: Client, ci: User, acme: Organization, alice: User
    ) -> None:
        other = create_robot(acme.namespace, "other", actor=principal_of(alice).actor)
        mine = create_robot(alice.namespace, "ci", actor=principal_of(alice).actor)
        own = create_token(alice, name="x").row
        for token in (create_token(other, name="x").row, create_token(mine, name="x").row, own):
            for end in ("rotate", "revoke"):
                assert browser.post(f"{CI}/tokens/{token.pk}/{end}").status_code == 404
            if token is not own:
                assert browser.post(f"/settings/tokens/{token.pk}/revoke").status_code == 404
        assert not AccessToken.objects.exclude(revoked_at=None).exists()


PAGES = [
    ("GET", LIST),
    ("GET", NEW),
    ("POST", NEW),
    ("GET", CI),
    ("POST", CI),
    ("POST", f"{CI}/delete"),
    ("GET", f"{CI}/tokens/new"),
    ("POST", f"{CI}/tokens/new"),
    ("GET", f"{CI}/tokens/1/rotate"),
    ("POST", f"{CI}/tokens/1/rotate"),
    ("POST", f"{CI}/tokens/1/revoke"),
]


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_who_gets_in(
    method: str, path: str, ci: User, person: Callable[..., User], signed_in: Callable[..., Client]
) -> None:
    member = person("member")
    Membership.objects.create(organization=Organization.objects.get(), user=member)
    callers = [
        (signed_in(None), 302),
        (signed_in(person("mallory")), 404),
        (signed_in(person("root0", superuser=True)), 404),
        (signed_in(member), 403),
    ]
    absent = path.replace("/ci", "/absent")
    for client, status in callers:
        answer = client.generic(method, path)
        assert answer.status_code == status
        assert client.generic(method, absent).status_code == status
        if status == 302:
            assert answer["Location"].startswith("/accounts/login/")
    assert User.objects.filter(pk=ci.pk).exists()
    assert signed_in(None).generic(method, path.replace("acme", "nobody")).status_code == 404


def test_secrets_are_made_only_soon_after_a_sign_in(browser: Client, ci: User) -> None:
    token = create_token(ci, name="x").row
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        for path in (NEW, f"{CI}/tokens/{token.pk}/rotate"):
            asked = browser.post(path, fields(name="other"))
            assert asked["Location"].startswith("/accounts/reauthenticate/")
        assert TestTokens().make(browser).status_code == 302
    assert User.objects.filter(robot_namespace__isnull=False).count() == 1
    assert AccessToken.objects.get().secret_hash == token.secret_hash


def test_the_list_costs_the_same_however_many_there_are(
    browser: Client, acme: Organization, alice: User, django_assert_max_num_queries: Any
) -> None:
    for n in range(12):
        robot = create_robot(acme.namespace, f"r{n}", actor=principal_of(alice).actor)
        create_token(robot, name="x")
    with django_assert_max_num_queries(8):
        browser.get(LIST)
    for n in range(8):
        create_token(robot, name=str(n), scopes=["repository:acme/*:pull"])
    with django_assert_max_num_queries(9):
        browser.get(f"{LIST}/r11")


def test_a_robot_is_no_person_on_pages(browser: Client, ci: User, alice: User) -> None:
    page = browser.get("/acme").content.decode()
    assert "acme+ci" not in page
    for name in ("ci", "absent"):
        assert Client().get(f"/acme+{name}")["Location"] == f"/acme/-/robots/{name}"
    User.objects.filter(pk=alice.pk).update(is_superuser=True, is_staff=True)
    assert "acme+ci" not in browser.get("/admin/django/accounts/user/").content.decode()
