"""What is invisible answers as what is absent; organizations and limited tokens in detail."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from tests.api.conftest import HOOK, World

BASE = "repositories/acme"
# method, what follows the name, body; who may is in tests/matrix
ROWS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PATCH", "", {"description": "x"}),
    ("DELETE", "", None),
    ("GET", "/collaborators", None),
    ("PUT", "/collaborators/mallory", {"role": "read"}),
    ("DELETE", "/collaborators/reader", None),
    ("GET", "/teams", None),
    ("PUT", "/teams/acme/dev", {"role": "write"}),
    ("DELETE", "/teams/acme/dev", None),
    ("PUT", "/star", None),
    ("DELETE", "/star", None),
    ("GET", "/comments", None),
    ("POST", "/comments", {"body": "Hi"}),
    ("GET", "/comments/{comment}", None),
    ("GET", "/tags", None),
    ("GET", "/tags/v1", None),
    ("GET", "/tags/absent", None),
    ("DELETE", "/tags/v1", None),
    ("GET", "/webhooks", None),
    ("POST", "/webhooks", {"url": HOOK}),
    ("GET", "/webhooks/{webhook}", None),
    ("PATCH", "/webhooks/{webhook}", {"active": False}),
    ("DELETE", "/webhooks/{webhook}", None),
    ("POST", "/webhooks/{webhook}/ping", None),
    ("GET", "/webhooks/{webhook}/deliveries", None),
    ("GET", "/webhooks/{webhook}/deliveries/{delivery}", None),
    ("POST", "/webhooks/{webhook}/deliveries/{delivery}/redeliver", None),
    ("POST", "/deliveries/{delivery}/redeliver", None),
    ("GET", "/events", None),
]


def status(world: World, who: str, method: str, path: str, body: Any = None) -> int:
    """The answer's status; whatever it changed is undone."""
    with transaction.atomic():
        response = world[who](method, path, body)
        transaction.set_rollback(True)
    if response.status_code >= 400:
        problem = response.json()
        assert response["Content-Type"] == "application/problem+json"
        assert problem["status"] == response.status_code
        assert {"type", "title", "code", "detail"} <= set(problem)
        assert (response.status_code in (401, 403)) == ("reasons" in problem)
        assert problem.get("reasons", ["-"])
    return response.status_code


def address(world: World, name: str, tail: str) -> str:
    ids = {kind: world.id(name, kind) for kind in ("comment", "webhook", "delivery")}
    return f"{BASE}/{name}{tail.format(**ids)}"


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["nobody", "mallory"])
def test_private_and_absent_are_twins(world: World, who: str) -> None:
    for method, tail, body in ROWS:
        answers = []
        for name in ("secret", "absent"):
            for sent in [None] if body is None else [body, {"no such": "field"}, "{"]:
                response = world[who](method, address(world, name, tail), sent)
                headers = {k: v for k, v in response.items() if k != "X-Request-Id"}
                answers.append((response.status_code, response.content, headers))
        assert answers[0][0] == 404
        assert all(answer == answers[0] for answer in answers)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["OPTIONS", "POST", "PUT", "TRACE", "PURGE"])
def test_wrong_methods_tell_nothing(world: World, method: str) -> None:
    public, private, absent = (
        world["nobody"](method, f"{BASE}/{name}") for name in ("app", "secret", "absent")
    )
    assert public.status_code == private.status_code == 405
    assert public.content == private.content == absent.content
    assert private.json()["code"] == "method_not_allowed"


@pytest.mark.django_db
def test_organizations(world: World) -> None:
    org = "organizations/acme"
    rows: list[tuple[str, str, Any, dict[str, int]]] = [
        ("GET", org, None, {"nobody": 200, "mallory": 200, "olga": 200, "full token": 403}),
        ("GET", f"{org}/members", None, {"nobody": 404, "mallory": 404, "reader": 200}),
        ("GET", f"{org}/teams", None, {"nobody": 404, "mallory": 404, "reader": 200}),
        ("POST", f"{org}/teams", {"name": "ops"}, {"nobody": 401, "reader": 403, "olga": 201}),
        (
            "PUT",
            f"{org}/members/mallory",
            {"role": "member"},
            {"nobody": 401, "mallory": 403, "reader": 403, "full token": 403, "olga": 200},
        ),
        ("PUT", f"{org}/members/noone", {"role": "member"}, {"olga": 404}),
        ("PUT", f"{org}/members/olga", {"role": "member"}, {"olga": 409}),
        ("PUT", f"{org}/members/reader", {"role": "boss"}, {"olga": 400}),
        (
            "DELETE",
            f"{org}/members/reader",
            None,
            {"nobody": 401, "mallory": 403, "reader": 204, "olga": 204, "pull token": 403},
        ),
        ("DELETE", f"{org}/members/olga", None, {"olga": 409}),
        ("DELETE", f"{org}/members/mallory", None, {"mallory": 404, "olga": 404}),
        ("GET", f"{org}/teams/dev/members", None, {"nobody": 401, "reader": 403, "olga": 200}),
        ("PUT", f"{org}/teams/dev/members/olga", None, {"reader": 403, "olga": 200}),
        ("PUT", f"{org}/teams/dev/members/mallory", None, {"olga": 400}),
        ("PUT", f"{org}/teams/absent/members/olga", None, {"olga": 404}),
        ("DELETE", f"{org}/teams/dev/members/reader", None, {"reader": 403, "olga": 204}),
        ("POST", "organizations/absent/teams", {"name": "x"}, {"nobody": 404, "olga": 404}),
        ("GET", "organizations", None, {"nobody": 401, "reader": 200, "pull token": 403}),
        ("POST", "organizations", {"name": "fresh"}, {"nobody": 401, "mallory": 201}),
        ("POST", "organizations", {"name": "olga"}, {"mallory": 409}),
        ("POST", "organizations", {"name": "api"}, {"mallory": 400}),
    ]
    for method, path, body, expected in rows:
        found = {who: status(world, who, method, path, body) for who in expected}
        assert (method, path, found) == (method, path, expected)


@pytest.mark.django_db
def test_limited_tokens_reach_no_account(world: World) -> None:
    account: list[tuple[str, str, Any]] = [
        ("GET", "user", None),
        ("GET", "user/stars", None),
        ("GET", "tokens", None),
        ("POST", "tokens", {"name": "more"}),
        ("DELETE", "tokens/1", None),
        ("POST", "users", {"username": "x2", "email": "x@example.com", "password": "x"}),
    ]
    for method, path, body in account:
        response = world["full token"](method, path, body)
        assert response.status_code == 403
        assert response.json()["code"] == "token_scope"
        assert "limited to repositories" in response.json()["reasons"][0]
        if path != "users":
            assert status(world, "nobody", method, path, body) == 401
