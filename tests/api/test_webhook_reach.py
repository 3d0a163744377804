"""What webhooks might tell, or let somebody change, beyond the rights of whoever asks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from accounts.services.credentials import principal_of
from events.models import Event
from events.services import record
from repos.models import Collaborator, Repository, Visibility
from repos.services.renaming import transfer_repository
from tests.api.conftest import HOOK, World
from webhooks import permits, results
from webhooks.formats import preview
from webhooks.models import Attempt, Delivery, Result, Webhook
from webhooks.owners import Owner
from webhooks.resending import owe, ping
from webhooks.services import create_webhook

pytestmark = pytest.mark.django_db


def push_of(repository: Repository) -> Event:
    return Event.objects.filter(kind="tag.moved", repository_id=repository.pk).latest("pk")


def actor_of(user: User) -> Any:
    return principal_of(user).actor


def made(world: World, owner: Owner, maker: str = "olga", **settings: Any) -> Webhook:
    return create_webhook(owner, actor=actor_of(world.people[maker]), url=HOOK, **settings)


def sent(hook: Webhook, event: Event, body: str = "{}") -> Attempt:
    (delivery,) = owe([(hook, event)])
    return Attempt.objects.create(delivery=delivery, duration_ms=1, request_body=body)


@pytest.fixture
def server(world: World) -> Webhook:
    User.objects.filter(username__in=["olga", "mallory"]).update(is_superuser=True)
    return made(world, Owner())


def test_a_comparison_on_the_server_opens_nothing_private(world: World, server: Webhook) -> None:
    """Olga may read the private repository and her webhook tells of it; mallory may not."""
    shown = sent(server, push_of(world.repositories["app"]), '{"a": "open"}')
    hidden = sent(server, push_of(world.repositories["secret"]), '{"a": "hush"}')
    client = Client()
    client.force_login(world.people["mallory"])
    for left, right in ((hidden, hidden), (shown, hidden), (hidden, shown)):
        query = f"left={left.pk}&right={right.pk}"
        answer = world["mallory"]("GET", f"admin/webhooks/{server.pk}/difference?{query}")
        assert answer.status_code == 404, answer.content
        page = f"/admin/webhooks/{server.pk}/deliveries/{shown.delivery.uid}/compare?{query}"
        assert client.get(page).status_code == 404
    query = f"left={shown.pk}&right={shown.pk}"
    answer = world["mallory"]("GET", f"admin/webhooks/{server.pk}/difference?{query}")
    assert answer.status_code == 200


def test_a_test_shows_nothing_of_what_is_hidden_by_now(world: World, server: Webhook) -> None:
    app = world.repositories["app"]
    actor = actor_of(world.people["olga"])
    tested = ping(server, actor=actor, event=push_of(app))
    empty = ping(server, actor=actor)
    Event.objects.filter(pk=empty.event_id).update(payload={"webhook_id": server.pk, "of": None})
    warned = record("quota.warning", actor=actor, payload={"namespace": "acme"})
    (about_none,) = owe([(server, warned)])

    def listed() -> set[int]:
        rows = world["mallory"]("GET", f"admin/webhooks/{server.pk}/deliveries").json()["results"]
        return {row["id"] for row in rows}

    assert listed() == {tested.pk, empty.pk, about_none.pk}
    Repository.objects.filter(pk=app.pk).update(visibility=Visibility.PRIVATE)
    assert listed() == {empty.pk, about_none.pk}


def test_pages_of_a_repository_do_not_name_webhooks_from_above(world: World) -> None:
    app = world.repositories["app"]
    above = made(world, Owner(namespace=world.organization.namespace), name="Quiet plans")
    own = app.webhooks.get()
    Webhook.objects.filter(pk=own.pk).update(name="Plain tests")
    for hook in (above, own):
        tried = sent(hook, push_of(app))
        results.report(tried.delivery.uid, state="success")
    client = Client()
    client.force_login(world.people["boss"])
    page = client.get("/acme/app/-/webhooks/promotions").content.decode()
    assert "Plain tests" in page
    assert "Quiet plans" not in page
    assert "127.0.0.1" not in page


@pytest.fixture
def answered(world: World) -> Delivery:
    """A push to `acme/app` that a webhook of its namespace was told of."""
    cache.clear()
    hook = made(world, Owner(namespace=world.organization.namespace))
    return sent(hook, push_of(world.repositories["app"])).delivery


def report(delivery: Delivery) -> int:
    body = json.dumps({"state": "success"})
    path = f"/api/webhook-callbacks/{delivery.uid}"
    return Client().post(path, body, "application/json").status_code


def test_who_still_may_reports(answered: Delivery) -> None:
    assert report(answered) == 200


def test_a_repository_that_left_takes_no_results_from_where_it_was(
    world: World, answered: Delivery
) -> None:
    """The callback was handed out by the namespace it has left; the new owner never asked it."""
    olga = world.people["olga"]
    transfer_repository(world.repositories["app"], olga.namespace, principal=principal_of(olga))
    assert report(answered) == 404
    assert not Result.objects.exists()


@pytest.mark.parametrize("what", ["closed", "role", "hidden"])
def test_who_may_no_longer_ask_gets_no_result_in(world: World, what: str) -> None:
    cache.clear()
    app = world.repositories["app"]
    hook = made(world, Owner(app), "boss")
    delivery = sent(hook, push_of(app)).delivery
    boss = world.people["boss"]
    if what == "closed":
        User.objects.filter(pk=boss.pk).update(is_active=False)
    else:
        Collaborator.objects.filter(user=boss).delete()
    if what == "hidden":
        Repository.objects.filter(pk=app.pk).update(visibility=Visibility.PRIVATE)
    assert report(delivery) == 404
    assert not Result.objects.exists()


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("tag.moved", True),
        ("comment.added", True),
        ("collaborator.added", False),
        ("collaborator.removed", False),
        ("repository.renamed", False),
        ("repository.transferred", False),
    ],
)
def test_a_former_administrator_is_told_what_everybody_is(
    world: World, kind: str, told: bool
) -> None:
    """Of a public repository; who was given a role is for its administrators only."""
    app = world.repositories["app"]
    hook = made(world, Owner(app), "boss")
    event = record(
        kind,
        actor=actor_of(world.people["olga"]),
        repository_id=app.pk,
        repository_path=app.path,
        namespace_id=app.namespace_id,
        payload={"user": "reader", "role": "write"},
    )
    (delivery,) = owe([(hook, event)])
    assert permits.obstacle(delivery, app) == ""
    Collaborator.objects.filter(user=world.people["boss"]).update(role="read")
    assert (permits.obstacle(delivery, app) == "") is told


def test_receivers_learn_no_ids_of_other_webhooks(world: World, answered: Delivery) -> None:
    report(answered)
    event = Event.objects.get(kind="webhook.result")
    for shape in Webhook.Format.values:
        if shape == "custom":
            continue
        hook = Webhook(repository=world.repositories["app"], url=HOOK, format=shape)
        body = preview(hook, event).body.decode()
        assert "webhook_id" not in body
        assert "result_id" not in body
