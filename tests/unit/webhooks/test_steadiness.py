"""What the engine makes of old rows, changed addresses, stuck locks, and broken neighbours."""

from __future__ import annotations

import threading
from datetime import timedelta
from importlib import import_module

import pytest
from django.db import OperationalError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from core.db import alone
from events import dispatch
from events.models import Event
from events.services import record
from events.types import SYSTEM
from tests.deliveries import deliver
from webhooks import breaker, claims, history, lanes, pausing, sending, services
from webhooks.models import Attempt, Delivery, Receiver, Webhook

pytestmark = pytest.mark.django_db


@pytest.fixture
def hook_at(repository, alice):
    def hook_at(url="http://127.0.0.1:9/hook", **more):
        values = {"repository": repository, "events": ["push"], "secret": "sesame", **more}
        return Webhook.objects.create(url=url, created_by_id=alice.pk, **values)

    return hook_at


@pytest.fixture
def owe(repository):
    """Deliveries of pushes, one for each tag."""

    def owe(hook, *tags, **more):
        made = []
        for tag in tags:
            event = Event.objects.create(
                kind="tag.moved",
                repository_id=repository.pk,
                repository_path=repository.path,
                payload={"tag": tag},
            )
            values = {
                "host": claims.host_of(hook.url),
                "order_key": claims.order_key(event),
                "next_attempt_at": timezone.now(),
                **more,
            }
            made.append(Delivery.objects.create(webhook=hook, event=event, **values))
        return made

    return owe


def ago(**span):
    return timezone.now() - timedelta(**span)


# Rows of before


@pytest.fixture
def schema():
    """Takes the tables of webhooks to one migration, and back when the test ends."""

    def to(name):
        executor = MigrationExecutor(connection)
        executor.migrate([("webhooks", name)])
        return MigrationExecutor(connection).loader.project_state([("webhooks", name)]).apps

    newest = MigrationExecutor(connection).loader.graph.leaf_nodes("webhooks")[0][1]
    yield to
    to(newest)


@pytest.mark.django_db(transaction=True)
def test_deliveries_of_before_get_host_order_and_time(schema, repository, alice, hub):
    before = schema("0001_initial")
    old = before.get_model("webhooks", "Delivery").objects
    hook = before.get_model("webhooks", "Webhook").objects.create(
        repository_id=repository.pk,
        url="https://CI.example.com/x",
        events=["push"],
        created_by_id=alice.pk,
    )
    states = ("done", "gave_up", "due", "due")
    for state in states:
        event = Event.objects.create(
            kind="tag.moved",
            repository_id=repository.pk,
            repository_path=repository.path,
            payload={"tag": "latest"},
        )
        old.create(webhook=hook, event_id=event.pk, state=state, next_attempt_at=ago(days=1))
    # The dispatcher of before did not keep to the order of events.
    old.filter(state="due").update(created_at=ago(days=2))
    old.exclude(state="due").update(created_at=ago(days=50))
    schema(import_module("webhooks.migrations.0003_where_and_in_which_order").__name__[20:])

    rows = list(Delivery.objects.order_by("pk"))
    assert [row.state for row in rows] == list(states)
    assert {row.host for row in rows} == {"ci.example.com:443"}
    assert {row.order_key for row in rows} == {f"{repository.pk}:latest"}
    assert [row.owed_at == row.created_at for row in rows] == [True, True, False, False]
    assert rows[2].owed_at == rows[3].owed_at
    assert claims.waiting_hosts() == ["ci.example.com:443"]
    assert claims.claim(rows[3].pk) is None
    assert claims.next_of("ci.example.com:443") == rows[2].pk
    assert claims.claim(rows[2].pk) is not None


# An address that was wrong


@pytest.mark.django_db(transaction=True)
def test_what_was_given_up_goes_where_the_webhook_leads_now(hook_at, owe, actor, rung, monkeypatch):
    hook = hook_at("http://wrong.example.com/hook")
    owed = owe(hook, *"abcd", state="gave_up")
    services.update_webhook(hook, actor=actor, url="http://right.example.com/hook")
    rung.clear()
    assert services.redeliver_all(hook) == 4
    assert ("webhooks.tasks.visit", (["right.example.com:80"],)) in rung
    assert set(Delivery.objects.values_list("host", flat=True)) == {"right.example.com:80"}
    assert claims.next_of("right.example.com:80") == owed[0].pk


@pytest.mark.django_db(transaction=True)
def test_all_that_waits_at_a_former_address_is_found_by_one_look(hook_at, owe, monkeypatch):
    """Owed in the moment in which the address was changed."""
    owe(hook_at("http://127.0.0.1:2222/"), *"abcdef", host="127.0.0.1:1111")
    done = threading.Semaphore(0)

    def use(lease):
        Delivery.objects.filter(pk=lease.delivery.pk).update(state="done", lease_until=None)
        done.release()

    monkeypatch.setattr(sending, "use", use)
    made = lanes.Lanes(2)
    made.visit("127.0.0.1:1111")
    for _ in range(6):
        assert done.acquire(timeout=20)
    made.close(wait=True)


@pytest.mark.parametrize("change", [{"url": "http://127.0.0.1:8008/"}, {"active": True}])
def test_a_webhook_put_right_is_not_paused_by_its_next_failure(
    hook_at, owe, actor, hub, rung, change
):
    hook = hook_at(active="active" not in change, failing_since=ago(days=6), warned_at=ago(days=5))
    services.update_webhook(hook, actor=actor, **change)
    assert pausing.failed(hook, timezone.now()) is False
    hook.refresh_from_db()
    assert (hook.paused_at, hook.warned_at) == (None, None)
    assert hook.failing_since > ago(minutes=1)


# Neighbours


def test_of_a_host_that_failed_a_webhook_that_works_is_tried_before_a_broken_one(
    hook_at, owe, receiver, hub
):
    hub(webhook_breaker_failures=2, webhook_slots_per_host=2)
    host = claims.host_of(receiver.url)
    broken = hook_at(receiver.url, failing_since=ago(hours=1))
    owe(broken, *"abcdefgh", next_attempt_at=ago(minutes=5))
    (good,) = owe(hook_at(receiver.url), "x")
    assert claims.next_of(host) != good.pk  # nothing speaks against the host: in turn
    for _ in range(3):
        with transaction.atomic():
            breaker.failed(host)
    Receiver.objects.update(closed_until=ago(seconds=1))
    assert claims.next_of(host) == good.pk
    assert deliver(good.pk)
    assert not Receiver.objects.exists()
    assert claims.next_of(host) is not None


def test_hosts_left_alone_are_not_looked_at(hook_at, owe):
    owe(hook_at("http://127.0.0.1:1111/"), "a")
    owe(hook_at("http://127.0.0.1:2222/"), "b")
    Receiver.objects.create(
        host="127.0.0.1:1111", failures=9, closed_until=timezone.now() + timedelta(minutes=1)
    )
    assert claims.waiting_hosts() == ["127.0.0.1:2222"]
    Receiver.objects.update(closed_until=ago(seconds=1))
    assert len(claims.waiting_hosts()) == 2


@pytest.mark.django_db(transaction=True)
def test_failures_and_successes_at_once_break_nothing(hub):
    hub(webhook_breaker_failures=3)
    start, errors = threading.Barrier(6), []

    def work(number):
        start.wait()
        try:
            for _ in range(40):
                if number % 2:
                    breaker.succeeded("ci:80")
                    continue
                with transaction.atomic():
                    breaker.failed("ci:80")
        except Exception as error:  # noqa: BLE001 - said by the test
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_hosts_to_which_nothing_is_owed_are_forgotten(hook_at, owe):
    owe(hook_at("http://127.0.0.1:1/"), "a")
    owe(hook_at("http://127.0.0.1:2/"), "b", state="done")
    later = timezone.now() + timedelta(minutes=1)
    for port, closed_until in ((1, None), (2, None), (3, ago(days=1)), (4, later)):
        Receiver.objects.create(host=f"127.0.0.1:{port}", failures=1, closed_until=closed_until)
    history.forget_old()
    left = Receiver.objects.order_by("host").values_list("host", flat=True)
    assert list(left) == ["127.0.0.1:1", "127.0.0.1:4"]


def test_what_was_asked_for_again_stays_in_the_log(hook_at, owe, hub):
    hub(delivery_days=90)
    old, again = owe(hook_at(), "a", "b", state="done", owed_at=ago(days=91))
    Delivery.objects.update(created_at=ago(days=91))
    services.redeliver(again)
    Delivery.objects.filter(pk=again.pk).update(state="done")
    assert history.forget_old() == 1
    assert list(Delivery.objects.all()) == [again]
    assert old.pk != again.pk


def test_only_what_is_given_up_is_said_not_to_have_been_sent(hook_at, owe):
    hook = hook_at()
    waiting, sent, done = owe(hook, "a", "b", "c")
    Delivery.objects.filter(pk=sent.pk).update(lease_until=timezone.now() + timedelta(seconds=9))
    Delivery.objects.filter(pk=done.pk).update(state="done")
    pausing.gone(hook)
    assert [attempt.delivery_id for attempt in Attempt.objects.all()] == [waiting.pk]
    states = Delivery.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["gave_up", "due", "done"]


# Locks


@pytest.mark.django_db(transaction=True)
def test_a_lease_begins_when_the_wait_for_the_lock_is_over(hook_at, owe, monkeypatch):
    (delivery,) = owe(hook_at(), "a")
    real, waited = claims.wait_for, []

    def wait(name, **more):
        real(name, **more)
        threading.Event().wait(0.05)
        waited.append(timezone.now())

    monkeypatch.setattr(claims, "wait_for", wait)
    lease = claims.claim(delivery.pk)
    assert lease.until >= waited[0] + timedelta(seconds=15 + claims.LEASE_MARGIN_S)


@pytest.fixture
def stuck():
    """Somebody else's transaction of that name, which does not end."""
    begun, may_end, threads = threading.Event(), threading.Event(), []

    def hold(name):
        with alone(name):
            begun.set()
            may_end.wait(60)
        connection.close()

    def stuck(name):
        threads.append(threading.Thread(target=hold, args=(name,)))
        threads[-1].start()
        assert begun.wait(20)

    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one lock, and nobody who holds it is elsewhere")
    yield stuck
    may_end.set()
    for thread in threads:
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_stuck_dispatcher_for_ever(stuck, monkeypatch, rung):
    monkeypatch.setattr(dispatch, "STUCK_S", 0.2)
    record("a", actor=SYSTEM)
    stuck("events.dispatch")
    with pytest.raises(OperationalError):
        dispatch.drain()


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_stuck_claim_for_ever(stuck, hook_at, owe, monkeypatch):
    monkeypatch.setattr(claims, "STUCK_S", 0.2)
    (delivery,) = owe(hook_at(), "a")
    stuck("webhooks.host 127.0.0.1:9")
    with pytest.raises(OperationalError):
        claims.claim(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.attempt_count, delivery.lease_until) == (0, None)


@pytest.mark.django_db(transaction=True)
def test_a_dispatcher_that_has_vanished_is_ended_by_the_database():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no clients elsewhere")
    with alone("events.dispatch", at_most_s=7), connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('idle_in_transaction_session_timeout'),"
            " current_setting('lock_timeout')"
        )
        assert cursor.fetchone() == ("21s", "7s")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        assert cursor.fetchone() == ("0",)


def test_an_event_that_a_lock_cut_short_is_not_overtaken(rung, monkeypatch):
    seen, troubles = [], [1]

    def handler(event):
        if event.kind == "first" and troubles:
            troubles.pop()
            raise OperationalError("deadlock detected")
        seen.append(event.kind)

    monkeypatch.setattr(dispatch, "_handlers", [handler])
    for kind in ("first", "second"):
        record(kind, actor=SYSTEM)
    assert dispatch.drain() == 2
    assert seen == ["first", "second"]


def test_an_event_that_always_is_holds_up_nobody(rung, monkeypatch):
    seen = []

    def handler(event):
        if event.kind == "first":
            raise OperationalError("lock timeout")
        seen.append(event.kind)

    monkeypatch.setattr(dispatch, "_handlers", [handler])
    for kind in ("first", "second"):
        record(kind, actor=SYSTEM)
    assert dispatch.drain() == 1
    assert seen == ["second"]
