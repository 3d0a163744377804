"""Which event is owed to which webhook."""

from __future__ import annotations

import pytest

from events import dispatch, jobs
from events.models import Event, QueueMessage
from events.types import Actor
from repos.services.repositories import create_repository
from repos.services.stars import set_star
from webhooks import handlers, services
from webhooks.models import Delivery
from webhooks.types import EVENTS, NAMES

pytestmark = pytest.mark.django_db

URL = "http://127.0.0.1:8080/hook"


def test_registered_with_the_outbox_and_the_clock():
    assert handlers.on_event in dispatch._handlers
    job = jobs.JOBS["webhooks.deliver_due"]
    assert (job.run, job.interval_s) == (services.deliver_due, 15)


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
    ],
)
def test_tag_filter(repository, actor, happen, glob, tag, fits):
    services.create_webhook(repository, actor=actor, url=URL, tag_filter=glob)
    happen(tag=tag)
    assert Delivery.objects.count() == int(fits)


FACTS = {"comment.added": {"comment_id": 1}}  # what such an event always has


@pytest.mark.parametrize("kind", NAMES)
def test_each_event_goes_to_those_who_asked_for_it(repository, actor, happen, kind):
    wanted = services.create_webhook(repository, actor=actor, url=URL, events=[NAMES[kind]])
    others = [name for name in EVENTS if name != NAMES[kind]]
    services.create_webhook(repository, actor=actor, url=URL, events=others)
    happen(kind, **FACTS.get(kind, {}))
    assert [d.webhook for d in Delivery.objects.all()] == [wanted]


def test_tag_filter_says_nothing_about_events_without_a_tag(repository, actor, happen):
    services.create_webhook(repository, actor=actor, url=URL, events=EVENTS, tag_filter="v*")
    happen("comment.added", comment_id=1)
    assert Delivery.objects.count() == 1


def test_inactive_foreign_and_unknown_are_passed_over(repository, alice, actor, happen):
    services.create_webhook(repository, actor=actor, url=URL, events=EVENTS, active=False)
    other = create_repository(alice.namespace, "other", actor=actor)
    dispatch.drain()
    services.create_webhook(other, actor=actor, url=URL, events=EVENTS)
    happen()
    happen("build.started")
    assert not Delivery.objects.exists()
    assert not Event.objects.filter(dispatched_at=None).exists()


def test_a_real_star(repository, alice, actor):
    services.create_webhook(repository, actor=actor, url=URL, events=["star"])
    set_star(repository, actor=Actor(alice.pk, "alice"), starred=True)
    dispatch.drain()
    assert Delivery.objects.get().event.kind == "repository.starred"


def test_twice_told_is_owed_once_and_wakes_a_worker(repository, actor, happen):
    services.create_webhook(repository, actor=actor, url=URL)
    event = happen()
    handlers.on_event(event)
    delivery = Delivery.objects.get()
    assert delivery.state == "due"
    tasks = [m.payload for m in QueueMessage.objects.all() if "webhooks.tasks.deliver" in m.payload]
    assert tasks
