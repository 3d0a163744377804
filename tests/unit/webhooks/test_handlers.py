"""Which event is owed to which webhook."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.services.signup import create_user
from events import dispatch, jobs
from events.models import Event, QueueMessage
from events.services import record
from events.types import SYSTEM, Actor
from repos.models import Repository
from repos.services.repositories import create_repository
from repos.services.stars import set_star
from webhooks import handlers, permits, promotions, services
from webhooks.formats import render
from webhooks.models import Delivery, Webhook
from webhooks.owners import Owner
from webhooks.types import EVENTS, NAMES

pytestmark = pytest.mark.django_db

URL = "http://127.0.0.1:8080/hook"


def test_registered_with_the_outbox_and_the_clock():
    assert handlers.on_event in dispatch._handlers
    assert promotions.on_event in dispatch._handlers
    assert jobs.JOBS["webhooks.sweep"].interval_s == 15


@pytest.mark.parametrize(
    ("glob", "tag", "fits"),
    [
        ("", "latest", True),
        ("*", "latest", True),
        ("latest", "latest", True),
        ("latest", "latest2", False),
        ("v*", "v1.2", True),
        ("v*", "V1.2", False),
        ("v*", "dev1", False),
        ("v?.[0-9]", "v1.2", True),
        ("v?.[0-9]", "v1.x", False),
        ("[!v]*", "latest", True),
        ("[!v]*", "v1", False),
        ("*-rc*", "1.0-rc1", True),
        (r"/^v\d+$/", "v12", True),
        (r"/^v\d+$/", "v12.1", False),
    ],
)
def test_tag_filter(repository, actor, happen, glob, tag, fits):
    services.create_webhook(Owner(repository), actor=actor, url=URL, tag_filter=glob)
    happen(tag=tag)
    assert Delivery.objects.count() == int(fits)


FACTS = {  # what such an event always has
    "comment.added": {"comment_id": 1},
    "token.expiring": {"owner": "nobody-there"},
}


@pytest.mark.parametrize("kind", NAMES)
def test_each_event_goes_to_those_who_asked_for_it(repository, actor, happen, kind):
    wanted = services.create_webhook(Owner(repository), actor=actor, url=URL, events=[NAMES[kind]])
    others = [name for name in EVENTS if name != NAMES[kind]]
    services.create_webhook(Owner(repository), actor=actor, url=URL, events=others)
    happen(kind, **FACTS.get(kind, {}))
    assert [d.webhook for d in Delivery.objects.all()] == [wanted]


def test_tag_filter_says_nothing_about_events_without_a_tag(repository, actor, happen):
    services.create_webhook(Owner(repository), actor=actor, url=URL, events=EVENTS, tag_filter="v*")
    happen("comment.added", comment_id=1)
    assert Delivery.objects.count() == 1


def test_inactive_foreign_and_unknown_are_passed_over(repository, alice, actor, happen):
    services.create_webhook(Owner(repository), actor=actor, url=URL, events=EVENTS, active=False)
    other = create_repository(alice.namespace, "other", actor=actor)
    dispatch.drain()
    services.create_webhook(Owner(other), actor=actor, url=URL, events=EVENTS)
    happen()
    happen("build.started")
    assert not Delivery.objects.exists()
    assert not Event.objects.filter(dispatched_at=None).exists()


def test_a_real_star(repository, alice, actor):
    services.create_webhook(Owner(repository), actor=actor, url=URL, events=["star"])
    set_star(repository, actor=Actor(alice.pk, "alice"), starred=True)
    dispatch.drain()
    assert Delivery.objects.get().event.kind == "repository.starred"


def test_twice_told_is_owed_once_and_wakes_a_worker(repository, actor, happen):
    services.create_webhook(Owner(repository), actor=actor, url=URL)
    event = happen()
    handlers.on_event(event)
    delivery = Delivery.objects.get()
    assert delivery.state == "due"
    assert delivery.host == "127.0.0.1:8080"
    assert delivery.order_key == f"{repository.pk}:latest"
    tasks = [m.payload for m in QueueMessage.objects.all() if "webhooks.tasks.visit" in m.payload]
    assert len(tasks) == 1


@pytest.fixture
def olga(hub):
    return create_user(username="olga", email="olga@example.com", password="correct horse 9")


def owed():
    return {(d.webhook_id, d.event.kind) for d in Delivery.objects.select_related("event")}


def test_namespaces_and_the_server_are_told_of_what_their_makers_may_see(
    repository, alice, olga, actor, happen
):
    mine = services.create_webhook(Owner(namespace=alice.namespace), actor=actor, url=URL)
    services.create_webhook(Owner(namespace=olga.namespace), actor=Actor(olga.pk, "olga"), url=URL)
    root = create_user(username="root0", email="root0@example.com", password="correct horse 9")
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    server = services.create_webhook(Owner(), actor=Actor(root.pk, "root0"), url=URL)
    hubs = services.create_webhook(Owner(), actor=Actor(None, "hub"), url=URL)
    happen()
    assert owed() == {(mine.pk, "tag.moved")}
    Repository.objects.update(visibility="public")
    Delivery.objects.all().delete()
    happen()
    assert owed() == {(hook.pk, "tag.moved") for hook in (mine, server, hubs)}


def test_after_a_transfer_the_old_namespace_hears_no_more(repository, alice, olga, actor, happen):
    old = services.create_webhook(
        Owner(namespace=alice.namespace), actor=actor, url=URL, events=EVENTS
    )
    new = services.create_webhook(
        Owner(namespace=olga.namespace), actor=Actor(olga.pk, "olga"), url=URL, events=EVENTS
    )
    event = happen()
    delivery = Delivery.objects.get()
    assert delivery.webhook == old
    assert permits.obstacle(delivery, permits.subject_of(delivery)) == ""
    Repository.objects.filter(pk=repository.pk).update(namespace=olga.namespace, path="olga/app")
    delivery = Delivery.objects.select_related("webhook__namespace", "event").get()
    assert "left this namespace" in permits.obstacle(delivery, permits.subject_of(delivery))
    # What waits to be handed on still belongs to where it happened, and tells of nothing hidden.
    Delivery.objects.all().delete()
    handlers.on_event(event)
    assert owed() == set()
    del new


def test_tokens_and_quotas_concern_the_namespace(alice, olga, actor):
    mine = services.create_webhook(
        Owner(namespace=alice.namespace), actor=actor, url=URL, events=EVENTS
    )
    services.create_webhook(
        Owner(namespace=olga.namespace), actor=Actor(olga.pk, "olga"), url=URL, events=EVENTS
    )
    User.objects.filter(pk=olga.pk).update(is_superuser=True)
    server = services.create_webhook(Owner(), actor=Actor(olga.pk, "olga"), url=URL, events=EVENTS)
    for kind, payload in (("token.expiring", {"owner": "x"}), ("quota.warning", {"percent": 80})):
        record(kind, actor=SYSTEM, namespace_id=alice.namespace.pk, payload=payload)
    dispatch.drain()
    assert owed() == {
        (mine.pk, "token.expiring"),
        (mine.pk, "quota.warning"),
        (server.pk, "quota.warning"),
    }


def test_what_happened_before_a_webhook_or_in_its_pause_is_not_owed(repository, actor, happen):
    event = happen()
    hook = services.create_webhook(Owner(repository), actor=actor, url=URL)
    handlers.on_event(event)
    Webhook.objects.update(paused_at=timezone.now())
    happen(tag="v2")
    assert owed() == set()
    services.resume(hook, actor=actor)
    happen(tag="v3")
    assert Delivery.objects.get().event.payload["tag"] == "v3"


def test_one_query_finds_every_hook_and_one_insert_owes_to_all(
    repository, alice, actor, happen, django_assert_num_queries
):
    owners = [Owner(repository)] * 5 + [Owner(namespace=alice.namespace)] * 3
    for owner in owners:
        services.create_webhook(owner, actor=actor, url=URL)
    event = happen()
    Delivery.objects.all().delete()
    # Hooks, repository, its readers, what is owed, the insert, the message to workers.
    with django_assert_num_queries(6):
        handlers.on_event(event)
    assert Delivery.objects.count() == 8
    Webhook.objects.all().delete()
    with django_assert_num_queries(1):
        handlers.on_event(event)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (lambda hook, user: None, ""),
        (lambda hook, user: setattr(hook, "active", False), "switched off"),
        (lambda hook, user: User.objects.filter(pk=user.pk).update(is_active=False), "no longer a"),
        (lambda hook, user: setattr(hook, "created_by_id", 99999), "no longer active"),
        (lambda hook, user: setattr(hook, "created_by_id", None), "may no longer read"),
        (lambda hook, user: Repository.objects.update(state="trashed"), "was deleted"),
        (lambda hook, user: Repository.objects.all().delete(), "was deleted"),
    ],
)
def test_obstacles_of_a_namespace_hook(repository, alice, actor, happen, what, sentence):
    services.create_webhook(Owner(namespace=alice.namespace), actor=actor, url=URL)
    happen()
    delivery = Delivery.objects.select_related("event", "webhook__namespace").get()
    what(delivery.webhook, alice)
    found = permits.obstacle(delivery, permits.subject_of(delivery))
    assert sentence in found
    assert bool(found) == bool(sentence)


def test_a_server_hook_ends_with_the_office(repository, alice, actor, happen):
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    Repository.objects.update(visibility="public")
    services.create_webhook(Owner(), actor=actor, url=URL)
    happen()
    delivery = Delivery.objects.select_related("event", "webhook").get()
    assert permits.obstacle(delivery, permits.subject_of(delivery)) == ""
    User.objects.filter(pk=alice.pk).update(is_superuser=False)
    assert "administers the server" in permits.obstacle(delivery, permits.subject_of(delivery))


def test_of_a_transfer_nobody_is_told_who_lost_a_role(repository, actor, happen):
    services.create_webhook(Owner(repository), actor=actor, url=URL, events=EVENTS)
    change = {"before": {"path": "acme/app"}, "after": {"path": "alice/app"}}
    happen("repository.transferred", **change, teams=["secret-team"], robots=["acme+ci"])
    delivery = Delivery.objects.select_related("event", "webhook__repository__namespace").get()
    for format in Webhook.Format.values:
        if format != "custom":
            delivery.webhook.format = format
            body = render(delivery).body.decode()
            assert "secret-team" not in body
            assert "acme+ci" not in body
