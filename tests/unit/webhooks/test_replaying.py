"""Time spans sent again, deliveries found again, payloads side by side."""

from __future__ import annotations

import random
from datetime import timedelta
from functools import cache

import pytest
from django.utils import timezone

from events.models import Event
from webhooks import difference, replaying, selectors, services
from webhooks.errors import WebhookInactive, WebhookInvalid
from webhooks.models import Attempt, Delivery, Webhook
from webhooks.owners import Owner

pytestmark = pytest.mark.django_db
URL = "http://127.0.0.1:8080/hook"


@pytest.fixture
def hook(repository, actor):
    return services.create_webhook(Owner(repository), actor=actor, url=URL, tag_filter="v*")


def aged(event, days):
    moment = timezone.now() - timedelta(days=days)
    Event.objects.filter(pk=event.pk).update(occurred_at=moment)
    return moment


def test_a_span_is_owed_again_with_the_ids_it_had(hook, repository, actor, happen):
    old, first, other, lost, star = (
        happen(tag="v0"),
        happen(tag="v1"),
        happen(tag="latest"),
        happen(tag="v2"),
        happen("repository.starred"),
    )
    for event, days in ((old, 9), (first, 5), (other, 4), (lost, 3), (star, 3)):
        aged(event, days)
    Delivery.objects.filter(event=first).update(state="done", attempt_count=3)
    Delivery.objects.filter(event=lost).delete()
    Delivery.objects.filter(event=old).update(state="done")
    span = {
        "since": timezone.now() - timedelta(days=6),
        "until": timezone.now() - timedelta(days=2),
    }
    assert replaying.count(hook, **span) == 2
    assert replaying.replay(hook, actor=actor, **span) == 2
    found = {d.event_id: (d.state, d.attempt_count) for d in Delivery.objects.all()}
    assert found == {old.pk: ("done", 0), first.pk: ("due", 0), lost.pk: ("due", 0)}
    kept = Event.objects.get(kind="webhook.replayed").payload
    assert (kept["webhook_id"], kept["count"]) == (hook.pk, 2)


def test_what_is_being_sent_is_left_alone(hook, actor, happen):
    happen(tag="v1")
    until = timezone.now() + timedelta(seconds=60)
    Delivery.objects.update(lease_until=until)
    span = {"since": timezone.now() - timedelta(days=1), "until": timezone.now()}
    assert replaying.replay(hook, actor=actor, **span) == 0
    assert Delivery.objects.get().lease_until == until


def test_replays_are_bounded(hook, actor, happen, monkeypatch):
    for tag in ("v1", "v2", "v3"):
        happen(tag=tag)
    now = timezone.now()
    span = {"since": now - timedelta(days=1), "until": now}
    monkeypatch.setattr(replaying, "MAX_AT_ONCE", 2)
    with pytest.raises(WebhookInvalid, match="shorter span"):
        replaying.replay(hook, actor=actor, **span)
    monkeypatch.setattr(replaying, "MAX_AT_ONCE", 3)
    monkeypatch.setattr(replaying, "MAX_LOOKED_AT", 3)
    with pytest.raises(WebhookInvalid, match="Too much"):
        replaying.replay(hook, actor=actor, **span)
    with pytest.raises(WebhookInvalid):
        replaying.replay(hook, actor=actor, since=now, until=now)
    Webhook.objects.update(paused_at=now)
    with pytest.raises(WebhookInactive):
        replaying.replay(Webhook.objects.get(), actor=actor, **span)


def test_a_namespaces_replay_leaves_out_what_has_left(repository, alice, actor, happen, hub):
    happen(tag="v1")
    wide = services.create_webhook(Owner(namespace=alice.namespace), actor=actor, url=URL)
    server = services.create_webhook(Owner(), actor=actor, url=URL)
    span = {"since": timezone.now() - timedelta(days=1), "until": timezone.now()}
    assert replaying.count(wide, **span) == 1
    assert replaying.count(server, **span) == 0  # it is private
    library = type(alice.namespace).objects.create(name="library", kind="library")
    type(repository).objects.update(namespace=library, path="library/app")
    assert replaying.count(wide, **span) == 0


def test_searching(hook, actor, happen):
    first, second = happen(tag="v1"), happen(tag="v2")
    ping = services.ping(hook, actor=actor)
    one, two = Delivery.objects.get(event=first), Delivery.objects.get(event=second)
    Delivery.objects.filter(pk=one.pk).update(
        state="gave_up", created_at=timezone.now() - timedelta(days=3)
    )
    Attempt.objects.create(
        delivery=one, duration_ms=1, request_body='{"a":"Needle"}', error="refused"
    )

    def found(**search):
        return {row.pk for row in selectors.search_deliveries(hook, **search)}

    day = timezone.now() - timedelta(days=1)
    assert found() == {one.pk, two.pk, ping.pk}
    assert found(state="gave_up") == {one.pk}
    assert found(event="push") == {one.pk, two.pk}
    assert found(event="ping") == {ping.pk}
    assert found(event="coffee") == set()
    assert found(tag="v2") == {two.pk}
    assert found(since=day) == {two.pk, ping.pk}
    assert found(until=day) == {one.pk}
    assert found(text="needle") == found(text="REFUSED") == {one.pk}
    assert found(text="127.0.0.1:8080") == {one.pk, two.pk, ping.pk}
    assert found(text="needle", tag="v2") == set()


def test_payloads_side_by_side():
    left = Attempt(request_body='{"a":1,"b":[1,2]}')
    assert [
        (line.kind, line.left.strip(), line.right.strip())
        for line in difference.between(left, '{"a":2,"b":[1,2]}')
        if line.kind != "same"
    ] == [("left", '"a": 1,', ""), ("right", "", '"a": 2,')]
    assert [line.kind for line in difference.between("no json", "no json")] == ["same"]
    assert difference.between("", "") == []
    long = "\n".join(map(str, range(5000)))
    assert len(difference.between(long, long)) == difference.MAX_LINES + 1


def test_what_takes_too_long_to_look_through_is_refused(hook, happen, monkeypatch):
    """An expression over thousands of events may not hold a worker of the site for minutes."""
    for number in range(3):
        happen(tag=f"v{number}")
    span = {"since": timezone.now() - timedelta(days=1), "until": timezone.now()}
    assert replaying.count(hook, **span) == 3
    monkeypatch.setattr(replaying, "MAX_LOOKING_S", 0)
    with pytest.raises(WebhookInvalid) as caught:
        replaying.count(hook, **span)
    assert caught.value.detail == {"field": "since"}


def both(lines):
    left = [line.left for line in lines if line.kind != "right"]
    return left, [line.right for line in lines if line.kind != "left"]


@pytest.mark.parametrize("seed", range(30))
def test_a_comparison_keeps_every_line_and_finds_most_that_are_common(seed):
    chance = random.Random(seed)
    sides = [chance.choices("abc", k=chance.randrange(12)) for _ in range(2)]
    lines = difference.between(*("\n".join(side) for side in sides))
    assert both(lines) == tuple(sides)

    @cache
    def longest(i, j):
        if not (i and j):
            return 0
        fits = sides[0][i - 1] == sides[1][j - 1]
        return max(longest(i - 1, j), longest(i, j - 1), fits and longest(i - 1, j - 1) + 1)

    assert sum(line.kind == "same" for line in lines) == longest(*map(len, sides))


def test_no_bodies_make_comparing_them_hang():
    """Two lines in turn against one of them: `difflib` takes minutes for these."""
    left, right = ["1", "2"] * 990, ["1"] * 1980
    lines = difference.between("\n".join(left), "\n".join(right))
    assert both(lines) == (left, right)
