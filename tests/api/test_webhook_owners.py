"""The same addresses below a repository, a namespace and the server; and what comes back."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import User
from core.errors import Denied
from events import dispatch
from events.models import Event
from events.types import Actor
from registry.services.retag import retag
from repos.models import Repository
from tests.api.conftest import HOOK, Caller, World
from webhooks import replaying
from webhooks.api.outcomes import CallbackThrottle
from webhooks.models import Attempt, Delivery, Promotion, Result, Webhook
from webhooks.owners import Owner
from webhooks.resending import owe
from webhooks.services import create_webhook, ping

pytestmark = pytest.mark.django_db
BASES = {
    "repository": "repositories/acme/app",
    "namespace": "namespaces/acme",
    "server": "admin",
}


@pytest.fixture(params=BASES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def chief(world: World, kind: str) -> Caller:
    """Who may: olga owns the namespace, and administers the server where that is asked."""
    if kind == "server":
        User.objects.filter(username="olga").update(is_superuser=True)
    return world["olga"]


@pytest.fixture
def base(kind: str) -> str:
    return BASES[kind]


def push_of(repository: Repository, tag: str = "v1") -> Event:
    rows = Event.objects.filter(kind="tag.moved", repository_id=repository.pk, payload__tag=tag)
    return rows.latest("pk")


def test_the_whole_life(world: World, base: str, kind: str, chief: Caller) -> None:
    values = {
        "url": HOOK,
        "name": "CI",
        "events": ["push", "star"],
        "tag_filter": "/^v/",
        "platform_filter": "linux/*",
        "actor_filter": "ol*",
        "media_type_filter": "*",
        "format": "slack",
    }
    secret = {"headers": {"X-Key": "hush"}}
    made = chief("POST", f"{base}/webhooks", values | secret)
    assert made.status_code == 201, made.content
    one = f"{base}/webhooks/{made.json()['id']}"
    shown = chief("GET", one).json()
    assert values.items() <= shown.items()
    assert shown["headers"] == ["X-Key"]
    row = Webhook.objects.get(pk=shown["id"])
    owner = {"repository": (1, 0), "namespace": (0, 1), "server": (0, 0)}[kind]
    assert (bool(row.repository_id), bool(row.namespace_id)) == owner
    assert row.created_by_id == world.people["olga"].pk

    rotated = chief("POST", f"{one}/rotate", {"overlap_hours": 2}).json()
    assert set(rotated) == {"secret", "previous_secret_until"}
    assert Webhook.objects.get(pk=row.pk).secret == rotated["secret"] != made.json()["secret"]
    assert chief("POST", f"{one}/rotate", {"overlap_hours": 999}).status_code == 400
    Webhook.objects.filter(pk=row.pk).update(paused_at=timezone.now())
    assert chief("POST", f"{one}/ping", {}).json()["code"] == "webhook_inactive"
    assert chief("POST", f"{one}/resume").json()["paused_at"] is None
    assert chief("PATCH", one, {"url": "http://127.0.0.2:8080/"}).json()["code"] == (
        "webhook_invalid"
    )
    kept = chief("PATCH", one, {"name": "Other", "headers": {"X-Key": None}})
    assert kept.json()["name"] == "Other"
    everything = json.dumps([chief("GET", at).json() for at in (one, f"{base}/webhooks")])
    for told in ("hush", made.json()["secret"], rotated["secret"]):
        assert told not in everything
    assert chief("DELETE", one).status_code == 204
    assert chief("GET", one).status_code == 404


def test_tests_and_trials(world: World, base: str, kind: str, chief: Caller) -> None:
    app, secret = (world.repositories[name] for name in ("app", "secret"))
    one = f"{base}/webhooks/{chief('POST', f'{base}/webhooks', {'url': HOOK}).json()['id']}"
    named = push_of(app)
    sent = chief("POST", f"{one}/ping", {"event_id": str(named.uid)})
    assert sent.status_code == 202, sent.content
    delivery = Delivery.objects.select_related("event").get(pk=sent.json()["id"])
    assert delivery.event.payload["of"] == named.pk
    hidden = push_of(secret)
    allowed = 202 if kind == "namespace" else 404
    assert chief("POST", f"{one}/ping", {"event_id": str(hidden.uid)}).status_code == allowed
    star = Event.objects.filter(kind="comment.added").first()
    assert star is not None
    for uid in (star.uid, uuid.uuid4()):
        assert chief("POST", f"{one}/ping", {"event_id": str(uid)}).status_code == 404

    trials = chief("POST", f"{base}/webhooks/dry-run", {"tag_filter": "v1"}).json()["results"]
    seen = {(row["repository"], row["tag"], row["matches"]) for row in trials}
    paths = ["acme/app", "acme/secret"] if kind == "namespace" else ["acme/app"]
    assert seen == {(path, tag, tag == "v1") for path in paths for tag in ("v1", "v2")}
    assert "does not fit" in next(row["reason"] for row in trials if not row["matches"])
    assert chief("POST", f"{base}/webhooks/dry-run", {"tag_filter": "/(/"}).status_code == 400

    body = {"format": "dockerhub", "event_id": str(named.uid)}
    shown = chief("POST", f"{base}/webhooks/preview", body).json()
    assert json.loads(shown["body"])["push_data"]["tag"] == "v1"
    body = {"format": "custom", "template": '{"t": "${event.tag}"}', "event_id": str(named.uid)}
    assert json.loads(chief("POST", f"{base}/webhooks/preview", body).json()["body"]) == {"t": "v1"}
    body["template"] = '{"t": "${secret}"}'
    assert chief("POST", f"{base}/webhooks/preview", body).status_code == 400
    body = {"format": "slack", "event_id": str(hidden.uid)}
    allowed = 200 if kind == "namespace" else 404
    assert chief("POST", f"{base}/webhooks/preview", body).status_code == allowed


def test_sending_again(world: World, base: str, chief: Caller) -> None:
    one = f"{base}/webhooks/{chief('POST', f'{base}/webhooks', {'url': HOOK}).json()['id']}"
    span = {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    count = chief("POST", f"{one}/replay", span).json()["count"]
    assert count == Delivery.objects.filter(webhook_id=int(one.rpartition("/")[2])).count() > 0
    rows = chief("GET", f"{one}/deliveries?tag=v1&event=push").json()["results"]
    assert rows
    assert {row["tag"] for row in rows} == {"v1"}
    attempts = []
    for body in ('{"a": 1}', '{"a": 2}'):
        made = Attempt.objects.create(
            delivery_id=rows[0]["id"], duration_ms=1, request_body=body, error="refused"
        )
        attempts.append(made.pk)
    Delivery.objects.filter(pk=rows[0]["id"]).update(state="gave_up")
    for query, size in (("q=refuse", 1), ("state=gave_up", 1), ("q=nowhere-at-all", 0)):
        assert len(chief("GET", f"{one}/deliveries?{query}").json()["results"]) == size, query
    for query in ("state=lost", "since=yesterday"):
        assert chief("GET", f"{one}/deliveries?{query}").status_code == 400
    left, right = attempts
    lines = chief("GET", f"{one}/difference?left={left}&right={right}").json()["lines"]
    assert [line["kind"] for line in lines] == ["same", "left", "right", "same"]
    assert chief("POST", f"{one}/redeliver").json() == {"count": 1}
    assert chief("POST", f"{base}/deliveries/{rows[0]['id']}/redeliver").status_code == 202
    for wrong in ({}, {**span, "until": span["since"]}, {**span, "more": 1}):
        assert chief("POST", f"{one}/replay", wrong).status_code == 400


def test_az03_another_owners_webhook_is_not_there(world: World, base: str, chief: Caller) -> None:
    """Own parent and foreign id, foreign parent and own id: 404, and nothing changes."""
    olga = world.people["olga"]
    mallory = world.people["mallory"]
    owners = [
        Owner(world.repositories["app"]),
        Owner(world.repositories["secret"]),
        Owner(namespace=world.organization.namespace),
        Owner(namespace=mallory.namespace),
        Owner(),
    ]
    actor = world_actor(olga)
    wanted = {"repositories/acme/app": 0, "namespaces/acme": 2, "admin": 4}[base]
    Webhook.objects.all().delete()
    hooks = [create_webhook(owner, actor=actor, url=HOOK) for owner in owners]
    sent = [ping(hook, actor=actor) for hook in hooks]
    tried = Attempt.objects.create(delivery=sent[wanted], duration_ms=1, request_body="{}")
    before = (list(Webhook.objects.values()), list(Delivery.objects.values()))
    for number, (hook, delivery) in enumerate(zip(hooks, sent, strict=True)):
        foreign = number != wanted
        for parent, child in ((hook, sent[wanted]), (hooks[wanted], delivery)):
            if not foreign:
                continue
            one = f"{base}/webhooks/{parent.pk}"
            for method, path, body in (
                ("GET", f"{one}/deliveries/{child.pk}", None),
                ("POST", f"{one}/deliveries/{child.pk}/redeliver", None),
                *addresses(one if parent is hook else "", tried.pk),
            ):
                answer = chief(method, path, body)
                assert answer.status_code == 404, (method, path, answer.content)
        if foreign:
            path = f"{base}/deliveries/{delivery.pk}/redeliver"
            assert chief("POST", path).status_code == 404
    assert (list(Webhook.objects.values()), list(Delivery.objects.values())) == before


def addresses(one: str, attempt: int) -> list[tuple[str, str, Any]]:
    """Everything of a webhook that is not the caller's to touch."""
    span = {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    return (
        [
            ("GET", one, None),
            ("PATCH", one, {"active": False}),
            ("DELETE", one, None),
            ("POST", f"{one}/ping", {}),
            ("POST", f"{one}/rotate", {}),
            ("POST", f"{one}/resume", None),
            ("POST", f"{one}/redeliver", None),
            ("POST", f"{one}/replay", span),
            ("GET", f"{one}/deliveries", None),
            ("GET", f"{one}/difference?left={attempt}&right={attempt}", None),
        ]
        if one
        else []
    )


def world_actor(user: User) -> Actor:
    return Actor(user.pk, user.username)


def test_few_tests_in_a_minute(world: World) -> None:
    hook = world.repositories["app"].webhooks.get()
    path = f"repositories/acme/app/webhooks/{hook.pk}/ping"
    answers = [world["boss"]("POST", path, {}).status_code for _ in range(7)]
    assert answers == [202] * 6 + [429]


def test_sending_again_is_counted_and_kept(world: World) -> None:
    """A thousand deliveries each time: whoever likes could bury a receiver."""
    hook = world.repositories["app"].webhooks.get()
    path = f"repositories/acme/app/webhooks/{hook.pk}"
    span = {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    answers = []
    for _ in range(3):
        answers += [world["boss"]("POST", f"{path}/redeliver").status_code]
        answers += [world["boss"]("POST", f"{path}/replay", span).status_code]
    assert answers == [202] * 6
    for tail, body in (("redeliver", None), ("replay", span)):
        assert world["boss"]("POST", f"{path}/{tail}", body).status_code == 429
    kept = Event.objects.filter(kind="webhook.replayed", repository_path="acme/app")
    assert [event.actor_name for event in kept] == ["boss"] * 6


def test_a_role_that_ends_meanwhile_sends_nothing_again(world: World) -> None:
    hook = world.repositories["app"].webhooks.get()
    Delivery.objects.filter(webhook=hook).update(state="gave_up")

    def refuse(owner: Owner) -> None:
        raise Denied("Your role has ended.")

    span = {"since": timezone.now() - timedelta(days=1), "until": timezone.now()}
    actor = world_actor(world.people["boss"])
    before = list(Delivery.objects.values())
    for ask in (replaying.send_lost, partial(replaying.replay, **span)):
        with pytest.raises(Denied):
            ask(hook, actor=actor, recheck=refuse)
    assert list(Delivery.objects.values()) == before


# --- what comes back


@pytest.fixture
def told(world: World) -> Delivery:
    """A push that the webhook of `acme/app` is told of."""
    app = world.repositories["app"]
    (sent,) = owe([(app.webhooks.get(), push_of(app))])
    return sent


def callback(uid: Any, body: Any, **more: Any) -> Any:
    """As a receiver does it: no credential, whatever content type."""
    text = body if isinstance(body, str) else json.dumps(body)
    kind = more.pop("content_type", "application/json")
    path = f"/api/webhook-callbacks/{uid}"
    return Client(enforce_csrf_checks=True).post(path, text, kind, **more)


def test_a_result_comes_back_and_shows_on_the_tag(world: World, told: Delivery) -> None:
    cache.clear()
    body = {
        "state": "success",
        "context": "tests",
        "description": "42 passed",
        "target_url": "https://ci.example/42",
    }
    answer = callback(told.uid, {**body, "something": "more"})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert callback(told.uid, body).status_code == 409
    shown = world["nobody"]("GET", "repositories/acme/app/tags/v1").json()["results"]
    at = shown[0].pop("at")
    assert shown == [{**body, "webhook": None}]
    hook = world.repositories["app"].webhooks.get()
    listed = world["boss"]("GET", "repositories/acme/app/tags").json()["results"]
    found = {row["name"]: row["results"] for row in listed}
    assert found == {"v1": [{**body, "webhook": hook.pk, "at": at}], "v2": []}
    rows = world["nobody"]("GET", "repositories/acme/app/results?tag=v1").json()["results"]
    assert [(row["tag"], row["state"], row["webhook"]) for row in rows] == [("v1", "success", None)]
    sent = f"repositories/acme/app/webhooks/{hook.pk}/deliveries/{told.pk}"
    assert world["boss"]("GET", sent).json()["result"]["description"] == "42 passed"
    assert world["nobody"]("GET", "repositories/acme/secret/results").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("", 400),
        ("[]", 400),
        ('"success"', 400),
        ({}, 400),
        ({"state": "pending"}, 400),
        ({"state": ["success"]}, 400),
        ({"state": "success", "description": 5}, 400),
        ({"state": "success", "description": "x" * 256}, 400),
        ({"state": "success", "context": "x" * 101}, 400),
        ({"state": "success", "target_url": "javascript:alert(1)"}, 400),
        ({"state": "success", "description": "x" * 17_000}, 413),
        ({"state": "success", "context": None}, 200),
        ({"state": "failure", "description": "x" * 255, "context": "x" * 100}, 200),
    ],
)
def test_bodies_of_callbacks(told: Delivery, body: Any, status: int) -> None:
    cache.clear()
    answer = callback(told.uid, body)
    assert answer.status_code == status, answer.content
    assert Result.objects.count() == (status == 200)


def test_a_callback_asks_for_no_credential_and_no_content_type(told: Delivery) -> None:
    cache.clear()
    answer = callback(
        told.uid,
        {"state": "error"},
        content_type="application/x-www-form-urlencoded",
        HTTP_AUTHORIZATION="Bearer hubp_nonsense",
    )
    assert answer.status_code == 200
    assert not answer.cookies


def test_other_methods_and_ids(told: Delivery) -> None:
    cache.clear()
    path = f"/api/webhook-callbacks/{told.uid}"
    for method in ("get", "put", "patch", "delete"):
        assert getattr(Client(), method)(path).status_code == 405
    assert callback(uuid.uuid4(), {"state": "success"}).status_code == 404
    assert callback("x", {"state": "success"}).status_code == 404


def test_guessing_is_slowed_down(told: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr(CallbackThrottle, "rate", "3/min")
    found = [callback(uuid.uuid4(), {"state": "success"}).status_code for _ in range(4)]
    assert found == [404, 404, 404, 429]
    assert callback(told.uid, {"state": "success"}).status_code == 429
    other = callback(told.uid, {"state": "success"}, REMOTE_ADDR="192.0.2.7")
    assert other.status_code == 200
    cache.clear()


def test_tags_cost_as_many_queries_with_results(
    world: World, django_assert_max_num_queries: Any
) -> None:
    app = world.repositories["app"]
    hook = app.webhooks.get()

    def cost() -> int:
        with django_assert_max_num_queries(60) as queries:
            world["boss"]("GET", "repositories/acme/app/tags")
        return len(queries)

    cost()
    few = cost()
    for number in range(6):
        digest = push_of(app, "v2" if number % 2 else "v1").payload["digest"]
        retag(app, f"t{number}", digest, actor=world_actor(world.people["olga"]))
        Result.objects.create(
            webhook=hook, repository=app, tag="v1", digest=digest, state="success", context=number
        )
    assert cost() == few


def test_promotion_rules(world: World, told: Delivery) -> None:
    cache.clear()
    boss, base = world["boss"], "repositories/acme/app/promotions"
    hook = world.repositories["app"].webhooks.get()
    other = world.repositories["secret"].webhooks.get()
    body = {"source": "v*", "target": "stable", "requires": [hook.pk]}
    made = boss("POST", base, body)
    assert made.status_code == 201, made.content
    assert body.items() <= made.json().items()
    one = f"{base}/{made.json()['id']}"
    assert boss("GET", one).json() == made.json()
    assert boss("GET", base).json()["results"] == [made.json()]
    for wrong in (
        {**body, "requires": [other.pk]},
        {**body, "requires": []},
        {**body, "target": "no tag"},
        {**body, "source": "/(/"},
        {**body, "created_by_id": 1},
    ):
        assert boss("POST", base, wrong).status_code == 400, wrong
    foreign = one.replace("acme/app", "acme/secret")
    assert boss("GET", foreign).status_code == boss("DELETE", foreign).status_code == 404
    assert world["writer"]("POST", base, body).status_code == 403
    assert callback(told.uid, {"state": "success"}).status_code == 200
    dispatch.drain()
    shown = world["nobody"]("GET", "repositories/acme/app/tags/stable").json()
    assert (shown["digest"], shown["pushed_by"]) == (told.event.payload["digest"], "boss")
    assert boss("DELETE", one).status_code == 204
    assert not Promotion.objects.exists()


def test_a_servers_log_opens_nothing_private(world: World) -> None:
    User.objects.filter(username="olga").update(is_superuser=True)
    chief = world["olga"]
    hook = create_webhook(Owner(), actor=world_actor(world.people["olga"]), url=HOOK)
    for name in ("app", "secret"):
        owe([(hook, push_of(world.repositories[name]))])
    rows = chief("GET", f"admin/webhooks/{hook.pk}/deliveries").json()["results"]
    assert [row["repository"] for row in rows] == ["acme/app"]
    hidden = Delivery.objects.get(webhook=hook, event__repository_path="acme/secret")
    path = f"admin/webhooks/{hook.pk}/deliveries/{hidden.pk}"
    assert chief("GET", path).status_code == 404
    assert chief("POST", f"{path}/redeliver").status_code == 404
