"""REST: the audit log, and activity feeds that tell nothing of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from events.services import audit
from events.types import Actor, Origin, origin
from repos.services.repositories import update_repository
from tests.api.conftest import Caller, World

pytestmark = pytest.mark.django_db

FIELDS = {
    *("id", "occurred_at", "kind", "actor", "credential", "address", "client", "repository"),
    *("outcome", "before", "after", "details", "request_id"),
}


def denied(world: World, name: str) -> None:
    row = world.repositories[name]
    token = origin.set(Origin("192.0.2.77", "crane"))
    try:
        audit(
            "access.denied",
            actor=Actor(world.people["mallory"].pk, "mallory", "password"),
            repository_id=row.pk,
            repository_path=row.path,
            namespace_id=row.namespace_id,
            outcome="role_missing",
        )
    finally:
        origin.reset(token)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("repositories/acme/app/audit", (401, 403, 403, 403, 200, 200, 403, 403)),
        ("repositories/acme/secret/audit", (404, 404, 403, 403, 200, 200, 403, 403)),
        ("repositories/acme/absent/audit", (404,) * 8),
        ("namespaces/acme/audit", (401, 403, 403, 403, 403, 200, 403, 403)),
        ("namespaces/olga/audit", (401, 404, 404, 404, 404, 200, 403, 403)),
        ("namespaces/absent/audit", (401, 404, 404, 404, 404, 404, 403, 403)),
        ("user/audit", (401, 200, 200, 200, 200, 200, 403, 403)),
        ("audit", (404,) * 8),
    ],
)
def test_who_may_read_what(world: World, path: str, expected: tuple[int, ...]) -> None:
    people = ("nobody", "mallory", "reader", "writer", "boss", "olga", "pull token", "full token")
    found = tuple(world[name]("GET", path).status_code for name in people)
    assert found == expected
    assert world["nobody"]("POST", path).status_code in (401, 404, 405)


def test_an_entry(world: World) -> None:
    denied(world, "secret")
    rows = world["boss"]("GET", "repositories/acme/secret/audit?outcome=refused").json()["results"]
    assert len(rows) == 1
    assert set(rows[0]) == FIELDS
    assert (rows[0]["actor"], rows[0]["address"]) == ("mallory", "192.0.2.77")
    assert rows[0]["outcome"] == "role_missing"


def test_filters_and_pages(world: World) -> None:
    def kinds(query: str) -> list[str]:
        answer = world["olga"]("GET", f"namespaces/acme/audit?limit=100&{query}")
        assert answer.status_code == 200, answer.content
        return [row["kind"] for row in answer.json()["results"]]

    assert set(kinds("kind=tag.moved")) == {"tag.moved"}
    assert set(kinds("kind=content&repository=acme/app")) == {"tag.moved"}
    assert set(kinds("person=reader")) == {"comment.added"}
    assert kinds("to=2020-01-01") == []
    assert kinds("outcome=refused") == []
    first = world["olga"]("GET", "namespaces/acme/audit?limit=2&kind=content").json()
    assert "kind=content" in first["next"]
    assert len(first["results"]) == 2


@pytest.mark.parametrize("query", ["from=soon", "to=2020-13-01", "outcome=maybe", "cursor=x"])
def test_bad_filters(world: World, query: str) -> None:
    answer = world["olga"]("GET", f"namespaces/acme/audit?{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_of_the_hub(world: World, call_as: Any) -> None:
    chief = User.objects.create(username="chief", is_superuser=True)
    assert call_as(chief)("GET", "audit").status_code == 200
    assert call_as(chief, "repository:*:pull")("GET", "audit").status_code == 404
    assert call_as(chief)("GET", "repositories/acme/secret/audit").status_code == 404
    assert call_as(chief)("GET", "namespaces/acme/audit").status_code == 403


def test_own_log_hides_refusals_about_what_is_hidden(world: World) -> None:
    denied(world, "secret")
    denied(world, "app")
    rows = world["mallory"]("GET", "user/audit?outcome=refused").json()["results"]
    assert [row["repository"] for row in rows] == ["acme/app"]


def test_activity_tells_nothing_that_only_the_log_may(world: World) -> None:
    row = world.repositories["app"]
    olga = Actor(world.people["olga"].pk, "olga", "token ci (abc)")
    update_repository(row, actor=olga, description="A secret plan")
    update_repository(row, actor=olga, description="An image")
    denied(world, "app")
    for name in ("nobody", "mallory", "boss", "olga"):
        for path in ("repositories/acme/app/events", "events"):
            answer = world[name]("GET", f"{path}?limit=100")
            text = answer.content.decode()
            assert answer.status_code == 200
            for hidden in ("192.0.2.77", "access.denied", "webhook.", "secret plan", "token ci"):
                assert hidden not in text, (name, path, hidden)


def test_the_same_queries_for_many_rows(world: World, django_assert_num_queries: Any) -> None:
    caller: Caller = world["olga"]
    path = "namespaces/acme/audit?limit=100"
    caller("GET", path)
    with CaptureQueriesContext(connection) as few:
        caller("GET", path)
    for _ in range(20):
        denied(world, "app")
    with django_assert_num_queries(len(few)):
        caller("GET", path)
