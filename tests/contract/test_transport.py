"""What the embedded broker relies on in kombu, and what Celery relies on in the broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from kombu import Connection

from events import transport
from events.models import QueueMessage
from events.wake import wake

pytestmark = pytest.mark.django_db(transaction=True)
QUEUE = "contract"


@contextmanager
def consumer(lease_s: float = 60) -> Iterator[Any]:
    """A channel of a connection of its own."""
    with Connection("hubdb://", transport_options={"lease_s": lease_s}) as link:
        yield link.channel()


def put(channel: Any, body: str, priority: int = 0, **headers: Any) -> None:
    message = channel.prepare_message(body, priority=priority, headers=headers)
    channel.basic_publish(message, exchange="", routing_key=QUEUE)


def bodies(channel: Any) -> list[str]:
    """Get and acknowledge all there is."""
    found = []
    while (message := channel.basic_get(QUEUE)) is not None:
        found.append(message.body.decode())
        message.ack()
    return found


def test_a_message_is_delivered_once_and_deleted_by_ack() -> None:
    with consumer() as channel:
        put(channel, "one")
        message = channel.basic_get(QUEUE)
        assert message.body == b"one"
        assert message.delivery_info["redelivered"] is False
        assert channel.basic_get(QUEUE) is None
        message.ack()
    assert not QueueMessage.objects.exists()


def test_rejecting_deletes_and_requeueing_returns_it_at_once() -> None:
    with consumer() as channel:
        put(channel, "one")
        channel.basic_get(QUEUE).requeue()
        message = channel.basic_get(QUEUE)
        assert message.delivery_info["redelivered"] is True
        message.reject()
        assert channel.basic_get(QUEUE) is None
    assert not QueueMessage.objects.exists()


def test_a_consumer_that_closes_gives_back_what_it_held_without_counting_a_read() -> None:
    with consumer() as channel:
        put(channel, "one")
        channel.basic_get(QUEUE)
    assert QueueMessage.objects.get().reads == 0
    with consumer() as channel:
        assert bodies(channel) == ["one"]


def test_a_lease_runs_out_and_a_late_ack_then_does_nothing() -> None:
    with consumer(lease_s=0.1) as dead, consumer() as other:
        put(dead, "one")
        late = dead.basic_get(QUEUE)
        assert other.basic_get(QUEUE) is None
        time.sleep(0.15)
        again = other.basic_get(QUEUE)
        assert again.delivery_info["redelivered"] is True
        late.ack()
        assert QueueMessage.objects.count() == 1
        again.ack()
    assert not QueueMessage.objects.exists()


def test_draining_renews_the_lease_of_a_message_that_is_worked_on() -> None:
    with consumer(lease_s=0.6) as channel, consumer() as other:
        held: list[Any] = []
        channel.basic_consume(QUEUE, no_ack=False, callback=held.append, consumer_tag="t")
        channel.basic_qos(prefetch_count=1)
        put(channel, "one")
        link = channel.connection
        link.drain_events(link, timeout=0.2)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            with pytest.raises(TimeoutError):
                link.drain_events(link, timeout=0.1)
            assert other.basic_get(QUEUE) is None
        held[0].ack()
    assert not QueueMessage.objects.exists()


def test_an_ack_of_another_thread_ends_the_wait_of_a_full_window() -> None:
    with consumer() as channel:
        held: list[Any] = []
        channel.basic_consume(QUEUE, no_ack=False, callback=held.append, consumer_tag="t")
        channel.basic_qos(prefetch_count=1)
        put(channel, "one")
        put(channel, "two")
        link = channel.connection
        link.polling_interval = 30
        link.drain_events(link, timeout=1)

        def settle() -> None:
            held[0].ack()
            connections.close_all()

        timer = threading.Timer(0.1, settle)
        timer.start()
        link.drain_events(link, timeout=5)
        timer.join()
        assert [message.body for message in held] == [b"one", b"two"]
        held[1].ack()


def test_a_message_with_an_eta_is_a_row_until_it_is_due() -> None:
    with consumer() as channel:
        put(channel, "later", eta=(datetime.now(UTC) + timedelta(seconds=0.3)).isoformat())
        put(channel, "overdue", eta=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
        message = channel.basic_get(QUEUE)
        assert (message.body, message.headers["eta"]) == (b"overdue", None)
        message.ack()
        assert channel.basic_get(QUEUE) is None
        time.sleep(0.35)
        assert bodies(channel) == ["later"]


def test_higher_priority_first_then_the_order_of_arrival() -> None:
    with consumer() as channel:
        for body, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 9), ("e", 5)):
            put(channel, body, priority)
        assert bodies(channel) == ["d", "b", "e", "a", "c"]


def test_publishing_belongs_to_the_transaction_of_the_caller() -> None:
    with transaction.atomic():
        wake("events.tasks.drain")
        assert QueueMessage.objects.count() == 1
        transaction.set_rollback(True)
    assert QueueMessage.objects.count() == 0
    with transaction.atomic():
        wake("events.tasks.drain", countdown_s=60)
    message = QueueMessage.objects.get()
    assert 50 < message.visible_at - time.time() < 61


def test_two_consumers_never_share_a_message() -> None:
    wanted = [str(n) for n in range(60)]
    with consumer() as channel:
        for body in wanted:
            put(channel, body)
    found: list[str] = []

    def work() -> None:
        try:
            with consumer() as mine:
                found.extend(bodies(mine))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=int) == wanted


def test_a_message_that_kills_its_readers_is_dead_after_five_reads() -> None:
    with consumer() as channel:
        put(channel, "poison")
        for _ in range(5):
            assert channel.basic_get(QUEUE).body == b"poison"
            QueueMessage.objects.update(visible_at=0)  # its lease ran out
        put(channel, "good")
        assert bodies(channel) == ["good"]
        assert QueueMessage.objects.get().dead


def test_a_requeued_message_is_dead_after_five_reads_too() -> None:
    with consumer() as channel:
        put(channel, "poison")
        for _ in range(5):
            channel.basic_get(QUEUE).requeue()
        assert channel.basic_get(QUEUE) is None
        assert QueueMessage.objects.get().dead


def test_purging_leaves_what_is_worked_on() -> None:
    with consumer() as channel:
        put(channel, "held")
        message = channel.basic_get(QUEUE)
        put(channel, "waiting")
        put(channel, "later", eta=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
        assert channel.queue_purge(QUEUE) == 2
        message.ack()
    assert not QueueMessage.objects.exists()


def test_an_idle_poll_asks_once_and_writes_nothing() -> None:
    with consumer() as channel:
        channel.basic_get(QUEUE)
        seen: list[str] = []

        def watch(execute: Any, sql: str, *rest: Any) -> Any:
            seen.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(watch):
            assert channel.basic_get(QUEUE) is None
    assert seen == [transport.PROBE]


def test_a_lost_database_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "ERROR_PAUSE_S", 0)
    with consumer() as channel:
        put(channel, "one")

        def fail(*_: Any) -> None:
            raise OperationalError("server closed the connection")

        with connection.execute_wrapper(fail):
            assert channel.basic_get(QUEUE) is None
        assert bodies(channel) == ["one"]
