"""Robot accounts over REST: who manages them, and how little they may do themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from accounts.models import AccessToken, Membership, User
from accounts.services.credentials import principal_of
from accounts.services.robots import create_robot
from accounts.services.tokens import create_token
from repos.models import Collaborator
from tests.api.conftest import Caller, World

pytestmark = pytest.mark.django_db
BASE = "namespaces/acme/robots"
CI = f"{BASE}/ci"


@pytest.fixture
def ci(world: World) -> User:
    actor = principal_of(world.people["olga"]).actor
    robot = create_robot(world.organization.namespace, "ci", actor=actor)
    create_token(robot, name="first")
    return robot


@pytest.fixture
def as_ci(ci: User, call_as: Callable[..., Caller]) -> Caller:
    return call_as(ci)


def test_from_nothing_to_a_working_token(world: World) -> None:
    olga = world["olga"]
    body = {"name": "ci", "description": "Builds", "role": "write", "may_create": True}
    made = olga("POST", BASE, body)
    assert made.status_code == 201
    robot = made.json()
    assert robot == {
        **body,
        "username": "acme+ci",
        "created_by": "olga",
        "created_at": robot["created_at"],
        "token_count": 0,
    }
    token = olga("POST", f"{CI}/tokens", {"name": "first", "scopes": ["repository:acme/*:pull"]})
    assert token.status_code == 201
    assert token.json()["token"].startswith("hubr_")
    assert olga("GET", CI).json()["token_count"] == 1
    assert [row["name"] for row in olga("GET", BASE).json()["results"]] == ["ci"]
    rows = olga("GET", f"{CI}/tokens").json()["results"]
    assert [row["name"] for row in rows] == ["first"]
    assert "token" not in rows[0]
    caller = Caller(token.json()["token"])
    assert caller("GET", "repositories/acme/secret").json()["permissions"] == {
        "see": True,
        "pull": True,
        "push": False,
        "administer": False,
    }
    changed = olga("PATCH", CI, {"role": ""})
    assert (changed.json()["role"], changed.json()["description"]) == ("", "Builds")
    assert caller("GET", "repositories/acme/secret").status_code == 404
    path = f"{CI}/tokens/{token.json()['id']}"
    new = olga("POST", f"{path}/rotate", {"keep_old": False}).json()["token"]
    assert caller("GET", "repositories").status_code == 401
    assert Caller(new)("GET", "repositories").status_code == 200
    assert olga("DELETE", path).status_code == 204
    assert Caller(new)("GET", "repositories").status_code == 401
    assert olga("DELETE", path).status_code == 404
    assert olga("DELETE", CI).status_code == 204
    assert olga("GET", CI).status_code == 404
    assert olga("GET", BASE).json() == {"results": [], "next": None}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (BASE, {"name": "ci"}, 409),
        (BASE, {"name": "new"}, 400),
        (BASE, {"name": "A"}, 400),
        (BASE, {"name": "x", "role": "admin"}, 400),
        (BASE, {"name": "x", "robot_role": "write"}, 400),
        (BASE, {"name": "x", "is_superuser": True}, 400),
        (BASE, {}, 400),
        (f"{CI}/tokens", {"name": ""}, 400),
        (f"{CI}/tokens", {"name": "x", "scopes": ["repository:*:pull"]}, 400),
        (f"{CI}/tokens", {"name": "x", "scopes": ["repository:olga/app:pull"]}, 400),
    ],
)
def test_bad_values(world: World, ci: User, path: str, body: Any, status: int) -> None:
    assert world["olga"]("POST", path, body).status_code == status
    assert User.objects.filter(robot_namespace__isnull=False).count() == 1
    assert AccessToken.objects.filter(user=ci).count() == 1


ROWS: list[tuple[str, str, Any, int]] = [
    ("GET", "", None, 200),
    ("POST", "", {"name": "other"}, 201),
    ("GET", "/ci", None, 200),
    ("PATCH", "/ci", {"role": "read"}, 200),
    ("DELETE", "/ci", None, 204),
    ("GET", "/ci/tokens", None, 200),
    ("POST", "/ci/tokens", {"name": "x"}, 201),
    ("DELETE", "/ci/tokens/{token}", None, 204),
    ("POST", "/ci/tokens/{token}/rotate", None, 200),
]


@pytest.mark.parametrize(("method", "tail", "body", "good"), ROWS)
def test_who_manages(
    world: World,
    ci: User,
    as_ci: Caller,
    call_as: Callable[..., Caller],
    method: str,
    tail: str,
    body: Any,
    good: int,
) -> None:
    id = AccessToken.objects.filter(user=ci).earliest("id").pk
    path = f"{BASE}{tail.format(token=id)}"
    root = world.people["mallory"]
    expected = {
        "nobody": 401,
        "mallory": 404,
        "writer": 404,
        "boss": 404,
        "reader": 403,
        "pull token": 403,
        "full token": 403,
        "olga": good,
    }
    for who, status in expected.items():
        with transaction.atomic():
            answer = world[who](method, path, body)
            transaction.set_rollback(True)
        assert answer.status_code == status, who
    assert as_ci(method, path, body).status_code == 403
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    root.refresh_from_db()
    assert call_as(root)(method, path, body).status_code == 404
    for absent in ("/absent", ""):
        for who in ("mallory", "reader"):
            other = path.replace("/ci", absent) if absent else path.replace("acme", "nobody")
            answer = world[who](method, other, body)
            assert answer.status_code == (expected[who] if absent else 404)


def test_a_robot_or_token_of_another_parent_is_absent(world: World, ci: User) -> None:
    olga = world.people["olga"]
    actor = principal_of(olga).actor
    create_robot(olga.namespace, "own", actor=actor)
    other = create_robot(world.organization.namespace, "other", actor=actor)
    foreign = [create_token(other, name="x").row.pk, create_token(olga, name="x").row.pk, 2**40]
    caller = world["olga"]
    assert caller("GET", f"{BASE}/own").status_code == 404
    assert caller("GET", "namespaces/olga/robots/ci").status_code == 404
    for pk in foreign:
        assert caller("DELETE", f"{CI}/tokens/{pk}").status_code == 404
        assert caller("POST", f"{CI}/tokens/{pk}/rotate").status_code == 404
    own = AccessToken.objects.filter(user=ci).earliest("id").pk
    assert caller("DELETE", f"tokens/{own}").status_code == 404
    assert not AccessToken.objects.exclude(revoked_at=None).exists()


NEVER: list[tuple[str, str, Any]] = [
    ("GET", "tokens", None),
    ("POST", "tokens", {"name": "x"}),
    ("DELETE", "tokens/{token}", None),
    ("POST", "tokens/{token}/rotate", None),
    ("GET", "organizations", None),
    ("POST", "organizations", {"name": "robots"}),
    ("POST", "organizations/acme/teams", {"name": "x"}),
    ("PUT", "organizations/acme/members/mallory", {"role": "member"}),
    ("POST", "users", {"username": "x1", "email": "x@example.com", "password": "long enough 1"}),
    ("GET", "user/stars", None),
    ("PUT", "repositories/acme/app/star", None),
    ("POST", "repositories/acme/app/comments", {"body": "x"}),
    ("PATCH", "repositories/acme/app", {"description": "x"}),
    ("DELETE", "repositories/acme/app", None),
    ("GET", "repositories/acme/app/collaborators", None),
    ("PUT", "repositories/acme/app/collaborators/acme+ci", {"role": "write"}),
    ("GET", "repositories/acme/app/webhooks", None),
    ("POST", BASE, {"name": "more"}),
    ("PATCH", CI, {"role": "write"}),
]


@pytest.mark.parametrize(("method", "path", "body"), NEVER)
def test_a_robot_is_no_person(
    world: World, ci: User, as_ci: Caller, method: str, path: str, body: Any
) -> None:
    User.objects.filter(pk=ci.pk).update(robot_role="write", robot_creates=True)
    id = AccessToken.objects.filter(user=ci).earliest("id").pk
    answer = as_ci(method, path.format(token=id), body)
    assert answer.status_code == 403
    problem = answer.json()
    assert problem["reasons"]
    assert problem["code"] in ("robot", "role_missing")
    assert AccessToken.objects.filter(user=ci, revoked_at=None).count() == 2


def test_who_a_robot_is(as_ci: Caller, call_as: Callable[..., Caller], ci: User) -> None:
    me = as_ci("GET", "user").json()
    assert me == {"username": "acme+ci", "email": "", "organizations": []}
    assert as_ci("GET", "organizations/acme").status_code == 200
    assert as_ci("GET", "organizations/acme/members").status_code == 404
    assert call_as(ci, "repository:acme/app:pull")("GET", "user").status_code == 403


def test_a_robot_as_a_collaborator_and_never_as_a_member(world: World, ci: User) -> None:
    boss, olga = world["boss"], world["olga"]
    path = "repositories/acme/secret/collaborators/acme+ci"
    given = boss("PUT", path, {"role": "write"})
    assert (given.status_code, given.json()["username"]) == (200, "acme+ci")
    assert Collaborator.objects.get(user=ci).role == "write"
    assert boss("PUT", path, {"role": "admin"}).status_code == 400
    assert boss("DELETE", path).status_code == 204
    assert boss("PUT", f"{path}x", {"role": "read"}).status_code == 404
    other = create_robot(
        world.people["olga"].namespace, "bot", actor=principal_of(world.people["olga"]).actor
    )
    foreign = path.replace("acme+ci", other.username)
    assert boss("PUT", foreign, {"role": "read"}).status_code == 404
    for where in ("members", "teams/dev/members"):
        answer = olga("PUT", f"organizations/acme/{where}/acme+ci", {"role": "member"})
        assert answer.status_code in (400, 404)
    assert not Membership.objects.filter(user=ci).exists()


def test_an_expiring_token_makes_no_endless_token_of_a_robot(
    world: World, ci: User, call_as: Callable[..., Caller]
) -> None:
    caller = call_as(world.people["olga"])
    row = AccessToken.objects.filter(user=world.people["olga"]).latest("id")
    row.expires_at = row.created_at.replace(year=row.created_at.year + 1)
    row.save()
    made = caller("POST", f"{CI}/tokens", {"name": "x"})
    assert made.status_code == 201
    assert AccessToken.objects.get(pk=made.json()["id"]).expires_at == row.expires_at
    endless = AccessToken.objects.filter(user=ci).earliest("id").pk
    refused = caller("POST", f"{CI}/tokens/{endless}/rotate")
    assert (refused.status_code, refused.json()["code"]) == (403, "token_cannot")


def test_pages_of_a_list(world: World, ci: User) -> None:
    actor = principal_of(world.people["olga"]).actor
    for name in ("a", "b", "c"):
        create_robot(world.organization.namespace, name, actor=actor)
    olga = world["olga"]
    first = olga("GET", f"{BASE}?limit=3").json()
    assert [row["name"] for row in first["results"]] == ["a", "b", "c"]
    following = first["next"].partition("/api/")[2]
    assert [row["name"] for row in olga("GET", following).json()["results"]] == ["ci"]
