"""Which delivery may be sent now: order, places at a host, the circuit breaker, and lanes."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from events.models import Event
from tests.deliveries import deliver_due
from webhooks import breaker, claims, lanes, sending
from webhooks.lanes import Lanes
from webhooks.models import Attempt, Delivery, Receiver, Webhook

pytestmark = pytest.mark.django_db


@pytest.fixture
def hook_at(repository, alice):
    def hook_at(url="http://127.0.0.1:9/hook", **more):
        return Webhook.objects.create(
            repository=repository,
            url=url,
            secret="sesame",
            events=["push"],
            created_by_id=alice.pk,
            **more,
        )

    return hook_at


@pytest.fixture
def owe(repository):
    """Deliveries of pushes, one for each tag that is named; an empty one has no order."""

    def owe(hook, *tags, **more):
        made = []
        for tag in tags:
            event = Event.objects.create(
                kind="tag.moved",
                repository_id=repository.pk,
                repository_path=repository.path,
                payload={"tag": tag},
            )
            values = {"next_attempt_at": timezone.now(), **more}
            made.append(
                Delivery.objects.create(
                    webhook=hook,
                    event=event,
                    host=claims.host_of(hook.url),
                    order_key=claims.order_key(event),
                    **values,
                )
            )
        return made

    return owe


def state_of(delivery):
    delivery.refresh_from_db()
    return delivery.state


def ago(seconds):
    return timezone.now() - timedelta(seconds=seconds)


# Names of hosts and keys


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://CI.Example.com/a?b", "ci.example.com:443"),
        ("http://ci.example.com", "ci.example.com:80"),
        ("HTTP://ci.example.com.:8080/x", "ci.example.com:8080"),
        ("http://[2001:DB8::1]:81/", "[2001:db8::1]:81"),
        ("http://user:word@ci.example.com/", "ci.example.com:80"),
        ("http://ci.example.com:port/", "ci.example.com:80"),
        ("nonsense", ":0"),
    ],
)
def test_host_of_an_address(url, host):
    assert claims.host_of(url) == host


@pytest.mark.parametrize(
    ("repository_id", "payload", "key"),
    [
        (7, {"tag": "1.0"}, "7:1.0"),
        (7, {"tag": ""}, ""),
        (7, {"tag": None}, ""),
        (7, {}, ""),
        (None, {"tag": "1.0"}, ""),
        (7, {"tag": "x" * 300}, "7:" + "x" * 198),
    ],
)
def test_key_of_order(repository_id, payload, key):
    assert claims.order_key(Event(repository_id=repository_id, payload=payload)) == key


# Order


def test_of_one_tag_the_oldest_goes_first_and_the_rest_waits_uncounted(hook_at, owe):
    first, second, third = owe(hook_at(), "a", "a", "a")
    assert claims.claim(second.pk) is None
    assert claims.claim(third.pk) is None
    assert claims.claim(first.pk) is not None
    assert claims.claim(second.pk) is None  # the first is on its way
    Delivery.objects.filter(pk=first.pk).update(
        lease_until=None, next_attempt_at=timezone.now() + timedelta(hours=1)
    )
    assert claims.claim(second.pk) is None  # the first has failed and is tried again later
    for over in ("done", "gave_up"):
        head, behind = owe(hook_at(), "b", "b")
        Delivery.objects.filter(pk=head.pk).update(state=over)
        assert claims.claim(behind.pk) is not None
        Delivery.objects.update(lease_until=None)
    counts = Delivery.objects.filter(pk__in=[second.pk, third.pk])
    assert set(counts.values_list("attempt_count", flat=True)) == {0}


@pytest.mark.parametrize(
    ("tags", "two_hooks"), [(("a", "b"), False), (("", ""), False), (("a", "a"), True)]
)
def test_other_tags_hooks_and_what_has_no_tag_do_not_wait(hook_at, owe, tags, two_hooks):
    hook = hook_at()
    (first,) = owe(hook, tags[0])
    (second,) = owe(hook_at() if two_hooks else hook, tags[1])
    Delivery.objects.filter(pk=first.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    assert claims.claim(second.pk) is not None


def test_what_is_asked_for_again_goes_behind_what_is_due_and_before_what_comes(hook_at, owe):
    hook = hook_at()
    old, waiting = owe(hook, "a", "a", owed_at=ago(60))
    Delivery.objects.filter(pk=old.pk).update(owed_at=Now())  # as redelivering does
    (newest,) = owe(hook, "a", owed_at=timezone.now() + timedelta(seconds=60))
    order = []
    while (found := claims.next_of("127.0.0.1:9")) is not None:
        lease = claims.claim(found)
        order.append(lease.delivery.pk)
        Delivery.objects.filter(pk=found).update(state="done", lease_until=None)
    assert order == [waiting.pk, old.pk, newest.pk]


def test_owed_at_the_same_moment_the_earlier_event_goes_first(hook_at, owe):
    moment = ago(5)
    first, second = owe(hook_at(), "a", "a", owed_at=moment)
    assert claims.claim(second.pk) is None
    assert claims.claim(first.pk) is not None


def test_order_holds_over_failures_until_one_is_given_up(hook_at, owe, receiver, hub):
    hub(webhook_retry_delays_s=[1], webhook_breaker_failures=99)
    receiver.statuses = [500, 500, 200]
    first, second = owe(hook_at(receiver.url), "a", "a")
    assert deliver_due() == 1  # and not the second
    Delivery.objects.update(next_attempt_at=timezone.now())
    assert deliver_due() == 2
    assert (state_of(first), state_of(second)) == ("gave_up", "done")
    sent = [request.headers["X-Hub-Delivery"] for request in receiver.requests]
    assert sent == [str(first.event.uid)] * 2 + [str(second.event.uid)]


# Places at a host


def test_a_host_gets_so_many_at_once_whatever_the_hook(hook_at, owe, hub):
    hub(webhook_slots_per_host=2)
    one, other = hook_at(), hook_at("http://127.0.0.1:9/other")
    a, b = owe(one, "a", "b")
    (c,) = owe(other, "c")
    (elsewhere,) = owe(hook_at("http://127.0.0.1:10/"), "d")
    assert [claims.claim(x.pk) is not None for x in (a, b, c)] == [True, True, False]
    assert claims.claim(elsewhere.pk) is not None
    c.refresh_from_db()
    assert (c.attempt_count, c.lease_until) == (0, None)
    Delivery.objects.filter(pk=a.pk).update(lease_until=ago(1))  # its worker died
    assert claims.claim(c.pk) is not None


def test_a_changed_address_counts_where_it_leads(hook_at, owe, hub):
    hub(webhook_slots_per_host=1)
    hook = hook_at()
    (delivery,) = owe(hook, "a")
    Webhook.objects.filter(pk=hook.pk).update(url="http://127.0.0.1:10/")
    assert claims.claim(delivery.pk).host == "127.0.0.1:10"
    assert Delivery.objects.get().host == "127.0.0.1:10"
    (waiting,) = owe(hook, "b")
    claims.move(Webhook.objects.get())
    waiting.refresh_from_db()
    assert waiting.host == "127.0.0.1:10"


def test_hosts_wait_in_the_order_of_their_oldest(hook_at, owe):
    owe(hook_at("http://127.0.0.1:1111/"), "a", next_attempt_at=ago(5))
    owe(hook_at("http://127.0.0.1:2222/"), "a", "b", next_attempt_at=ago(9))
    owe(hook_at("http://127.0.0.1:3333/"), "a", next_attempt_at=timezone.now() + timedelta(hours=1))
    assert claims.waiting_hosts() == ["127.0.0.1:2222", "127.0.0.1:1111"]


# The circuit breaker


def test_failures_in_a_row_close_a_host_for_ever_longer(hub):
    hub(webhook_breaker_failures=3, webhook_breaker_s=10)
    with transaction.atomic():
        times = [breaker.failed("ci:80") for _ in range(9)]
    assert times == [0, 0, 10, 20, 40, 80, 160, 300, 300]
    assert breaker.state_of("ci:80") == breaker.State(failed=True, closed=True)
    assert breaker.state_of("other:80") == breaker.State(failed=False, closed=False)
    breaker.succeeded("ci:80")
    assert breaker.state_of("ci:80") == breaker.State(failed=False, closed=False)
    assert not Receiver.objects.exists()


def test_closed_then_one_trial_then_open(hook_at, owe, receiver, hub):
    hub(webhook_breaker_failures=2, webhook_breaker_s=60, webhook_slots_per_host=2)
    receiver.statuses = [500, 503, 500, 200]
    owe(hook_at(receiver.url), *"abcdef")
    assert deliver_due() == 2
    assert len(receiver.requests) == 2
    waiting = Delivery.objects.filter(attempt_count=0)
    assert waiting.count() == 4  # held back is no try
    for answered in (3, 4):
        Receiver.objects.update(closed_until=ago(1))
        trial = claims.claim(claims.next_of(claims.host_of(receiver.url)))
        assert trial.troubled
        assert deliver_due() == 0  # one trial, not two
        sending.use(trial)
        assert len(receiver.requests) == answered
    assert not Receiver.objects.exists()
    assert deliver_due() == 2
    assert Delivery.objects.filter(state="done").count() == 3


@pytest.mark.parametrize(
    ("statuses", "counted"),
    [([500], 1), ([599], 1), ([404], 0), ([429], 0), ([302], 0), ([200], 0), ([500, 404], 0)],
)
def test_only_what_speaks_against_the_host_counts(hook_at, owe, receiver, statuses, counted):
    receiver.statuses = list(statuses)
    owe(hook_at(receiver.url), *"abc"[: len(statuses)])
    deliver_due()
    found = Receiver.objects.values_list("failures", flat=True).first()
    assert (found or 0) == counted


def test_no_connection_counts_and_a_refused_address_does_not(hook_at, owe, hub):
    owe(hook_at("http://127.0.0.1:9999/"), "a")
    owe(hook_at("http://10.1.2.3/"), "b")
    assert deliver_due() == 2
    assert list(Receiver.objects.values_list("host", "failures")) == [("127.0.0.1:9999", 1)]


def test_what_must_not_be_sent_tells_nothing_of_the_host(hook_at, owe, hub):
    hub(webhook_breaker_failures=1)
    owe(hook_at("http://127.0.0.1:9999/", active=False), "a", "b")
    assert deliver_due() == 2
    assert not Receiver.objects.exists()


def test_a_host_that_failed_gets_one_place_and_none_where_all_are_taken(hook_at, owe, hub):
    hub(webhook_slots_per_host=2)
    a, b, c = owe(hook_at(), *"abc")
    with transaction.atomic():
        breaker.failed("127.0.0.1:9")
    assert claims.claim(a.pk, troubled=False) is None
    assert claims.claim(a.pk).troubled
    assert claims.claim(b.pk) is None
    breaker.succeeded("127.0.0.1:9")
    assert not claims.claim(c.pk, troubled=False).troubled


@pytest.mark.django_db(transaction=True)
def test_many_workers_count_every_failure_and_keep_to_the_places(hook_at, owe, hub):
    hub(webhook_slots_per_host=2, webhook_breaker_failures=1000)
    owed = owe(hook_at(), *"abcdefgh")
    start = threading.Barrier(8)
    leases = []

    def work(pk):
        start.wait()
        leases.append(claims.claim(pk))
        for _ in range(5):
            with transaction.atomic():
                breaker.failed("ci:80")
        connection.close()

    threads = [threading.Thread(target=work, args=(row.pk,)) for row in owed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([lease for lease in leases if lease]) == 2
    assert Receiver.objects.get(host="ci:80").failures == 40
    assert sum(Delivery.objects.values_list("attempt_count", flat=True)) == 2


# Lanes


class Gate:
    """Stands in for the network: each host's exchange waits until its gate is opened."""

    def __init__(self, monkeypatch):
        self.open = {}
        self.began = []
        self.ended = []
        self.changed = threading.Condition()
        monkeypatch.setattr(sending, "use", self.use)

    def use(self, lease):
        with self.changed:
            self.began.append(lease.delivery.pk)
            self.changed.notify_all()
        self.open.get(lease.host, OPEN).wait(20)
        Delivery.objects.filter(pk=lease.delivery.pk).update(state="done", lease_until=None)
        with self.changed:
            self.ended.append(lease.delivery.pk)
            self.changed.notify_all()

    def until(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, 20), (self.began, self.ended)


OPEN = threading.Event()
OPEN.set()


@pytest.fixture
def gate(monkeypatch):
    return Gate(monkeypatch)


@pytest.fixture
def four():
    made = Lanes(4)
    yield made
    made.close(wait=True)


@pytest.mark.django_db(transaction=True)
def test_a_host_that_hangs_holds_up_nobody_and_its_own_go_on_when_it_moves(
    hook_at, owe, gate, four
):
    hung = owe(hook_at("http://127.0.0.1:1111/"), *"abcde")
    fine = owe(hook_at("http://127.0.0.1:2222/"), *"abcde")
    gate.open["127.0.0.1:1111"] = threading.Event()
    try:
        four.sweep()
        gate.until(lambda: {row.pk for row in fine} <= set(gate.ended))
        assert len(set(gate.began) & {row.pk for row in hung}) == 2
        assert Delivery.objects.filter(state="due", attempt_count=0).count() == 3
    finally:
        gate.open["127.0.0.1:1111"].set()
    gate.until(lambda: len(gate.ended) == 10)  # without another sweep or call


@pytest.mark.django_db(transaction=True)
def test_many_hosts_that_failed_leave_half_of_the_lanes_free(hook_at, owe, gate, four):
    for port in (1111, 2222, 3333, 4444):
        owe(hook_at(f"http://127.0.0.1:{port}/"), "a", "b")
        gate.open[f"127.0.0.1:{port}"] = threading.Event()
        with transaction.atomic():
            breaker.failed(f"127.0.0.1:{port}")
    fine = owe(hook_at("http://127.0.0.1:5555/"), *"abcde")
    try:
        four.sweep()
        gate.until(lambda: {row.pk for row in fine} <= set(gate.ended))
        assert len(gate.began) == 7
    finally:
        for event in gate.open.values():
            event.set()


@pytest.mark.django_db(transaction=True)
def test_of_one_tag_each_follows_the_other_at_once(hook_at, owe, gate, four):
    owed = owe(hook_at(), *"aaaaaa")
    for row in reversed(owed):
        four.deliver(row.pk)
    gate.until(lambda: len(gate.ended) == 6)
    assert gate.ended == [row.pk for row in owed]


@pytest.mark.django_db(transaction=True)
def test_a_try_that_breaks_is_logged_and_its_lane_goes_on(hook_at, owe, four, monkeypatch, caplog):
    first, second = owe(hook_at(), "a", "b")
    ended = threading.Event()

    def use(lease):
        if lease.delivery.pk == first.pk:
            raise RuntimeError("broken")
        ended.set()

    monkeypatch.setattr(sending, "use", use)
    four.deliver(first.pk)
    four.close(wait=True)
    again = Lanes(4)
    again.deliver(second.pk)
    assert ended.wait(20)
    again.close(wait=True)
    assert "cut short" in caplog.text
    assert not Attempt.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_closed_lanes_take_nothing_and_say_nothing(hook_at, owe, gate):
    (owed,) = owe(hook_at(), "a")
    made = Lanes(2)
    made.close(wait=True)
    made.deliver(owed.pk)
    made.sweep()
    assert state_of(owed) == "due"
    assert not gate.began


def test_a_worker_sends_what_its_own_tasks_owe_after_the_commit_others_ring(
    monkeypatch, rung, django_capture_on_commit_callbacks
):
    visited = []
    monkeypatch.setattr(Lanes, "visit", lambda self, host: visited.append(host))
    with django_capture_on_commit_callbacks(execute=True):
        lanes.ring({"b:1", "a:1"})
        lanes.ring(set())
    assert (visited, rung) == ([], [("webhooks.tasks.visit", (["a:1", "b:1"],))])
    here = threading.Event()
    here.set()
    monkeypatch.setattr(lanes, "_here", here)
    with django_capture_on_commit_callbacks(execute=True):
        lanes.ring({"b:1", "a:1"})
        assert visited == []
    assert visited == ["a:1", "b:1"]
    assert len(rung) == 1
