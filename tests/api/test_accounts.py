"""Accounts and tokens as the contract has them, and every way to say who asks."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AccessToken, Membership, OutgoingMail, User
from accounts.services.signup import create_user
from events.models import Event
from repos import limits
from repos.models import Repository
from tests.api.conftest import Caller, World
from tests.unit.registry.pushing import make_person

pytestmark = pytest.mark.django_db
PASSWORD = "a sentence nobody guesses"


def basic(name: str, secret: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def signup(name: str, **more: Any) -> dict[str, Any]:
    return {"username": name, "email": f"{name}@example.com", "password": PASSWORD, **more}


def test_sign_up_and_basic(nobody: Caller) -> None:
    made = nobody("POST", "users", signup("alice"))
    assert made.status_code == 201
    assert made.json() == {"username": "alice", "email": "alice@example.com"}
    me = nobody("GET", "user", **basic("alice", PASSWORD))
    assert me.json() == {"username": "alice", "email": "alice@example.com", "organizations": []}
    token = nobody("POST", "tokens", {"name": "ci"}, **basic("alice", PASSWORD)).json()["token"]
    assert nobody("GET", "user", **basic("alice", token)).status_code == 200
    assert nobody("GET", "user", **basic("mallory", token)).status_code == 401


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"username": "Alice"}, 400),
        ({"username": "admin"}, 400),
        ({"email": "nothing"}, 400),
        ({"password": "short"}, 400),
        ({"is_superuser": True}, 400),
        ({"is_staff": True}, 400),
        ({"username": "taken"}, 409),
    ],
)
def test_bad_sign_ups(nobody: Caller, change: dict[str, Any], code: int) -> None:
    make_person("taken")
    assert nobody("POST", "users", signup("alice") | change).status_code == code
    assert not User.objects.filter(username="alice").exists()


def test_closed_sign_up(
    nobody: Caller, hub_settings: Callable[..., None], call_as: Callable[..., Caller]
) -> None:
    hub_settings(signup="closed")
    refused = nobody("POST", "users", signup("alice"))
    assert (refused.status_code, refused.json()["code"]) == (403, "signup_closed")
    root = make_person("root0")
    assert call_as(root)("POST", "users", signup("alice")).status_code == 403
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    root.refresh_from_db()
    assert call_as(root)("POST", "users", signup("alice")).status_code == 201
    assert call_as(root, "repository:*:pull")("POST", "users", signup("bob")).status_code == 403


def test_sign_up_is_rated_by_address(nobody: Caller, settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_THROTTLE_RATES": {"signup": "2/hour"},
    }
    statuses = [nobody("POST", "users", {}).status_code for _ in range(3)]
    assert statuses == [400, 400, 429]
    last = nobody("POST", "users", {})
    assert last.json()["code"] == "throttled"
    assert int(last["Retry-After"]) > 0
    assert nobody("POST", "users", {}, REMOTE_ADDR="192.0.2.1").status_code == 400


def test_comments_are_rated_by_person(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Event.objects.filter(kind="comment.added", actor_name="reader").count()
    monkeypatch.setitem(limits._LIMITS, "comment.added", ((before + 1, 60),))
    path = "repositories/acme/app/comments"
    statuses = [world["reader"]("POST", path, {"body": "x"}).status_code for _ in range(2)]
    assert statuses == [201, 429]
    assert world["reader"]("GET", path).status_code == 200
    assert world["writer"]("POST", path, {"body": "x"}).status_code == 201


def test_me(world: World) -> None:
    me = world["olga"]("GET", "user").json()
    assert set(me) == {"username", "email", "organizations"}
    assert me["organizations"] == [{"name": "acme", "role": "owner"}]


def test_tokens(as_alice: Caller, alice: User, nobody: Caller, call_as: Any) -> None:
    when = (timezone.now() + timedelta(days=1)).isoformat()
    scopes = ["repository:alice/app:pull,push", "repository:alice/*:pull"]
    made = as_alice("POST", "tokens", {"name": "ci", "scopes": scopes, "expires_at": when})
    assert made.status_code == 201
    token = made.json()
    assert set(token) == {
        "id",
        "name",
        "prefix",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "last_used_address",
        "last_used_client",
        "rotated_at",
        "previous_until",
        "token",
    }
    assert token["scopes"] == scopes
    rows = as_alice("GET", "tokens").json()["results"]
    assert [row["name"] for row in rows] == ["ci", "t"]
    assert all("token" not in row and "secret_hash" not in row for row in rows)
    limited = Caller(token["token"])
    assert limited("GET", "user").status_code == 403
    other = call_as(make_person("mallory"))
    assert other("DELETE", f"tokens/{token['id']}").status_code == 404
    assert as_alice("DELETE", f"tokens/{token['id']}").status_code == 204
    assert as_alice("DELETE", f"tokens/{token['id']}").status_code == 404
    assert limited("GET", "user").status_code == 401
    assert limited("GET", "repositories").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x", "scopes": ["repository:x"]},
        {"name": "x", "scopes": ["repository:x:fly"]},
        {"name": "x", "scopes": "repository:x:pull"},
        {"name": "x", "scopes": None},
        {"name": "x", "expires_at": "yesterday"},
        {"name": "x", "expires_at": "2001-01-01T00:00:00Z"},
        {"name": "x", "user": 1},
        {"name": "\0"},
        {"name": "\ud800"},
    ],
)
def test_bad_tokens(as_alice: Caller, body: dict[str, Any]) -> None:
    assert as_alice("POST", "tokens", body).status_code == 400
    assert AccessToken.objects.count() == 1


@pytest.mark.parametrize(
    "header",
    ["Bearer x", "Bearer", "Basic x", "Basic", "Digest x", "Bearer hubp_x", "Basic YWxpY2U6eA=="],
)
def test_a_bad_credential_is_always_401(
    world: World, nobody: Caller, header: str, alice: User
) -> None:
    for path in ("repositories", "repositories/acme/app", "schema", "no/such/address", "user"):
        response = nobody("GET", path, HTTP_AUTHORIZATION=header)
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == 'Bearer realm="Hub"'
        assert response.json()["reasons"]


def test_a_deactivated_account_is_out(as_alice: Caller, alice: User, app: Repository) -> None:
    assert as_alice("GET", "repositories/alice/app").status_code == 200
    User.objects.update(is_active=False)
    assert as_alice("GET", "repositories/alice/app").status_code == 401


def test_a_session_needs_the_csrf_token(alice: User, settings: Any) -> None:
    browser = Caller(client=Client(enforce_csrf_checks=True))
    browser.client.force_login(alice)
    assert browser("GET", "user").json()["username"] == "alice"
    body = {"namespace": "alice", "name": "app"}
    refused = browser("POST", "repositories", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert "CSRF" in refused.json()["reasons"][0]
    browser.client.cookies[settings.CSRF_COOKIE_NAME] = "c" * 32
    assert browser("POST", "repositories", body, HTTP_X_CSRFTOKEN="d" * 32).status_code == 403
    made = browser("POST", "repositories", body, HTTP_X_CSRFTOKEN="c" * 32)
    assert made.status_code == 201
    assert browser("DELETE", "repositories/alice/app").status_code == 403
    assert browser("POST", "tokens", {"name": "x"}, HTTP_X_CSRFTOKEN="c" * 32).status_code == 201


def test_a_token_goes_before_the_session(world: World, as_alice: Caller, alice: User) -> None:
    caller = Caller(world["mallory"].token)
    caller.client.force_login(alice)
    assert caller("GET", "user").json()["username"] == "mallory"
    caller.token = "hubp_bad"
    assert caller("GET", "user").status_code == 401


def test_an_organization_from_scratch(as_alice: Caller, alice: User, call_as: Any) -> None:
    made = as_alice("POST", "organizations", {"name": "acme", "display_name": "ACME"})
    assert made.status_code == 201
    assert made.json()["display_name"] == "ACME"
    rows = as_alice("GET", "organizations").json()["results"]
    assert [(row["name"], row["role"]) for row in rows] == [("acme", "owner")]
    bob = make_person("bob")
    member = as_alice("PUT", "organizations/acme/members/bob", {"role": "member"}).json()
    assert (member["username"], member["role"]) == ("bob", "member")
    team = as_alice("POST", "organizations/acme/teams", {"name": "dev"})
    assert (team.status_code, team.json()["organization"]) == (201, "acme")
    assert call_as(bob)("GET", "organizations/acme/teams").json()["results"] == []
    added = as_alice("PUT", "organizations/acme/teams/dev/members/bob")
    assert added.json()["username"] == "bob"
    assert len(call_as(bob)("GET", "organizations/acme/teams").json()["results"]) == 1
    as_alice("PUT", "organizations/acme/members/bob", {"role": "owner"})
    assert as_alice("DELETE", "organizations/acme/members/alice").status_code == 204
    assert Membership.objects.get().user == bob


def test_an_address_is_taken_whatever_its_case(nobody: Caller) -> None:
    create_user(username="alice", email="alice@example.com", password=PASSWORD)
    body = signup("bob", email="ALICE@Example.com")
    assert nobody("POST", "users", body).status_code == 409


def test_where_addresses_are_confirmed_a_known_one_is_answered_alike(
    nobody: Caller, settings: Any
) -> None:
    create_user(username="alice", email="alice@example.com", password=PASSWORD)
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    known = nobody("POST", "users", signup("bob", email="ALICE@Example.com"))
    fresh = nobody("POST", "users", signup("bob", email="Carol@Example.com"))
    assert known.status_code == fresh.status_code == 201
    assert known.json() == {"username": "bob", "email": "alice@example.com"}
    assert fresh.json() == {"username": "bob", "email": "carol@example.com"}
    assert [mail.to for mail in OutgoingMail.objects.order_by("pk")] == [
        "alice@example.com",
        "carol@example.com",
    ]
    assert nobody("POST", "users", signup("alice", email="x@example.com")).status_code == 409


def test_an_address_fits_into_its_column(nobody: Caller) -> None:
    long = f"{'a' * 60}@{'.'.join(['b' * 50] * 4)}.example.com"
    assert nobody("POST", "users", signup("bob", email=long)).status_code == 400


def test_people_are_found_by_three_characters_of_their_names(
    world: World, as_alice: Caller, nobody: Caller
) -> None:
    for n in range(12):
        make_person(f"many-{n:02}")
    found = as_alice("GET", "users?q=RIT").json()
    assert found == {"results": [{"username": "writer"}], "next": None}
    assert len(as_alice("GET", "users?q=many").json()["results"]) == 10
    assert as_alice("GET", "users?q=%25%25%25").json()["results"] == []
    assert as_alice("GET", "users?q=w__t").json()["results"] == []
    for text in ("", "ri", "%20r%20"):
        assert as_alice("GET", f"users?q={text}").json()["code"] == "too_short"
    User.objects.filter(username="writer").update(is_active=False)
    assert as_alice("GET", "users?q=writer").json()["results"] == []
    assert nobody("GET", "users?q=reader").status_code == 401
    assert world["pull token"]("GET", "users?q=reader").status_code == 403
