"""Webhooks and deliveries as the contract has them."""

from __future__ import annotations

from typing import Any

import pytest

from events.services import record
from events.types import Actor
from tests.api.conftest import HOOK, World
from webhooks.models import Attempt, Delivery, Webhook

pytestmark = pytest.mark.django_db
BASE = "repositories/acme/app/webhooks"
FIELDS = {
    *("id", "name", "url", "events", "format", "template", "headers", "has_client_certificate"),
    *("tag_filter", "platform_filter", "actor_filter", "media_type_filter"),
    *("active", "failing_since", "paused_at", "previous_secret_until", "created_at"),
}


def test_make_change_delete(world: World) -> None:
    boss = world["boss"]
    body = {"url": HOOK, "secret": "s3cret", "events": ["push", "star"], "tag_filter": "v*"}
    made = boss("POST", BASE, {**body, "format": "dockerhub", "active": False})
    assert made.status_code == 201
    hook = made.json()
    assert set(hook) == FIELDS | {"secret"}
    assert {**body, "format": "dockerhub", "active": False}.items() <= hook.items()
    path = f"{BASE}/{hook['id']}"
    assert set(boss("GET", path).json()) == FIELDS
    assert boss("GET", BASE).json()["results"][0] == boss("GET", path).json()
    changed = boss("PATCH", path, {"active": True, "secret": ""}).json()
    assert (changed["active"], changed["tag_filter"]) == (True, "v*")
    assert Webhook.objects.get(pk=hook["id"]).secret == "s3cret"
    assert boss("DELETE", path).status_code == 204
    assert boss("GET", path).status_code == 404


def test_a_secret_is_made(world: World) -> None:
    made = world["boss"]("POST", BASE, {"url": HOOK}).json()
    assert made["secret"].startswith("whsec_")
    assert (made["events"], made["active"], made["format"]) == (["push"], True, "dockerhub")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "ftp://example.com"},
        {"url": "http://10.0.0.1:8080/"},
        {"url": "http://user:pw@127.0.0.1:8080/"},
        {"url": HOOK, "events": ["nothing"]},
        {"url": HOOK, "events": []},
        {"url": HOOK, "events": "push"},
        {"url": HOOK, "format": "telegram"},
        {"url": HOOK, "repository": 1},
        {"url": HOOK, "namespace": 1},
        {"url": HOOK, "paused_at": None},
        {"url": HOOK, "tag_filter": "/(/"},
        {"url": HOOK, "headers": {"Host": "x"}},
        {"url": HOOK, "headers": ["X"]},
        {"url": HOOK, "client_certificate": "x"},
        {"url": HOOK, "format": "custom"},
        {"url": HOOK, "created_by_id": 1},
    ],
)
def test_bad_webhooks(world: World, body: dict[str, Any]) -> None:
    assert world["boss"]("POST", BASE, body).status_code == 400
    assert Webhook.objects.count() == 2


def test_ping_and_again(world: World, rung: list[Any]) -> None:
    path = f"{BASE}/{world.id('app', 'webhook')}"
    sent = world["boss"]("POST", f"{path}/ping")
    assert sent.status_code == 202
    delivery = sent.json()
    assert set(delivery) == {
        "id",
        "event",
        "event_id",
        "repository",
        "tag",
        "result",
        "state",
        "attempt_count",
        "next_attempt_at",
        "created_at",
        "attempts",
    }
    assert (delivery["event"], delivery["state"], delivery["attempts"]) == ("ping", "due", [])
    rows = world["boss"]("GET", f"{path}/deliveries").json()["results"]
    assert rows[0]["id"] == delivery["id"]
    Delivery.objects.filter(pk=delivery["id"]).update(state="gave_up", attempt_count=8)
    for again in (
        f"{path}/deliveries/{delivery['id']}/redeliver",
        f"repositories/acme/app/deliveries/{delivery['id']}/redeliver",
    ):
        answer = world["boss"]("POST", again)
        assert answer.status_code == 202
        assert (answer.json()["state"], answer.json()["attempt_count"]) == ("due", 0)
    world["boss"]("PATCH", path, {"active": False})
    assert world["boss"]("POST", f"{path}/ping").status_code == 409


def test_attempts(world: World, django_assert_max_num_queries: Any) -> None:
    hook = Webhook.objects.get(repository__path="acme/app")
    for _ in range(5):
        event = record("tag.moved", actor=_olga(world), repository_id=hook.repository_id)
        delivery = Delivery.objects.create(
            webhook=hook, event=event, state="done", next_attempt_at=event.occurred_at
        )
        for status in (502, 200):
            Attempt.objects.create(
                delivery=delivery,
                duration_ms=12,
                request_headers={"X-Hub-Event": "push"},
                request_body="{}",
                status=status,
                response_headers={"content-type": "text/plain"},
                response_excerpt="queued",
                response_size=6,
            )
    world["boss"]("GET", f"{BASE}/{hook.pk}")  # the first use of a token is noted
    with django_assert_max_num_queries(11):
        page = world["boss"]("GET", f"{BASE}/{hook.pk}/deliveries").json()
    row = page["results"][0]
    assert (row["event"], row["state"], row["next_attempt_at"]) == ("push", "done", None)
    assert [attempt["status"] for attempt in row["attempts"]] == [502, 200]
    attempt = row["attempts"][1]
    del attempt["at"], attempt["id"]
    assert attempt == {
        "duration_ms": 12,
        "status": 200,
        "error": "",
        "request": {"headers": {"X-Hub-Event": "push"}, "body": "{}"},
        "response": {
            "headers": {"content-type": "text/plain"},
            "excerpt": "queued",
            "size_bytes": 6,
        },
    }
    one = world["boss"]("GET", f"{BASE}/{hook.pk}/deliveries/{row['id']}")
    assert one.json()["event_id"] == row["event_id"]


def _olga(world: World) -> Any:
    return Actor(world.people["olga"].pk, "olga")
