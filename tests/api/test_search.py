"""`GET /api/search`: filters, orders and pages for programs."""

from __future__ import annotations

import pytest
from django.conf import settings

from accounts.models import User
from events import dispatch
from tests.api.conftest import Caller, World
from tests.unit.registry.pushing import make_repository

pytestmark = pytest.mark.django_db


def paths(caller: Caller, query: str) -> list[str]:
    response = caller("GET", f"search?{query}")
    assert response.status_code == 200, response.content
    return [row["path"] for row in response.json()["results"]]


@pytest.mark.parametrize(
    ("query", "reader", "nobody"),
    [
        ("q=acme", ["app", "secret"], ["app"]),
        ("q=is:private", ["secret"], []),
        ("visibility=private", ["secret"], []),
        ("platform=linux/arm64", ["app", "secret"], ["app"]),
        ("platform=s390x", [], []),
        ("kind=image&q=secret", ["secret"], []),
        ("kind=chart", [], []),
        ("namespace=acme&updated=1d", ["app", "secret"], ["app"]),
        ("namespace=olga", [], []),
        ("show=shared", ["app", "secret"], []),
        ("show=starred", [], []),
    ],
)
def test_filters(world: World, query: str, reader: list[str], nobody: list[str]) -> None:
    dispatch.drain()
    assert sorted(paths(world["reader"], query)) == [f"acme/{name}" for name in reader]
    assert sorted(paths(world["nobody"], query)) == [f"acme/{name}" for name in nobody]
    assert paths(world["pull token"], query) == paths(world["reader"], query)


@pytest.mark.parametrize(
    "query", ["q=is:wrong", "kind=thing", "platform=a/b/c/d", "updated=soon", "sort=size", "show=x"]
)
def test_what_is_no_filter_is_refused(nobody: Caller, query: str) -> None:
    response = nobody("GET", f"search?{query}")
    assert response.status_code == 400
    assert response.json()["code"] == "query_invalid"
    assert "Try " in response.json()["detail"]


@pytest.mark.parametrize("sort", ["match", "stars", "pulls", "recent", "name"])
def test_pages_in_every_order(alice: User, nobody: Caller, sort: str) -> None:
    for number in range(7):
        make_repository(alice.namespace, f"r{number}", visibility="public", star_count=number % 2)
    seen, url = [], f"/api/search?limit=3&q=r&sort={sort}"
    while url:
        page = nobody("GET", url.partition("/api/")[2]).json()
        seen += [row["name"] for row in page["results"]]
        url = page["next"]
        assert url is None or url.startswith(f"{settings.HUB.external_url}/api/search?")
    assert sorted(seen) == [f"r{number}" for number in range(7)]
    if sort == "name":
        assert seen == sorted(seen)


def test_a_cursor_is_good_for_its_order_only(alice: User, nobody: Caller) -> None:
    for number in range(3):
        make_repository(alice.namespace, f"r{number}", visibility="public")
    following = nobody("GET", "search?limit=1&sort=stars").json()["next"]
    cursor = following.partition("cursor=")[2]
    assert nobody("GET", f"search?limit=1&sort=name&cursor={cursor}").status_code == 400
