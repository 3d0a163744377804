"""The outbox: a fact is kept with the change it tells of, and handed on exactly once."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from events import dispatch, jobs, tasks
from events.models import Event, QueueMessage, Tick
from events.services import record
from events.types import SYSTEM, Actor
from events.wake import _ring, wake

pytestmark = pytest.mark.django_db


@pytest.fixture
def handlers(monkeypatch):
    """Only the handlers of the test."""
    found = []
    monkeypatch.setattr(dispatch, "_handlers", found)
    return found


def test_an_event_keeps_what_it_is_about_as_text(rung):
    made = record(
        "tag.moved",
        actor=Actor(7, "alice"),
        repository_id=3,
        repository_path="alice/app",
        payload={"tag": "latest"},
    )
    stored = Event.objects.get()
    assert (stored.kind, stored.repository_id, stored.repository_path) == (
        "tag.moved",
        3,
        "alice/app",
    )
    assert (stored.actor_id, stored.actor_name, stored.payload) == (7, "alice", {"tag": "latest"})
    assert stored.uid == made.uid
    assert stored.dispatched_at is None
    assert rung == [("events.tasks.drain", ())]


def test_an_event_of_a_change_that_was_rolled_back_never_was():
    with transaction.atomic():
        record("x", actor=SYSTEM)
        transaction.set_rollback(True)
    assert not Event.objects.exists()
    assert not QueueMessage.objects.exists()


def test_each_event_reaches_each_handler_once_in_order(rung, handlers):
    seen = []
    dispatch.register(lambda event: seen.append(("one", event.kind)))
    dispatch.register(lambda event: seen.append(("two", event.kind)))
    for kind in ("a", "b"):
        record(kind, actor=SYSTEM)
    assert dispatch.drain() == 2
    assert dispatch.drain() == 0
    assert seen == [("one", "a"), ("two", "a"), ("one", "b"), ("two", "b")]
    assert not Event.objects.filter(dispatched_at=None).exists()


def test_a_handler_registered_twice_is_called_once(rung, handlers):
    seen = []

    def handler(event):
        seen.append(event)

    dispatch.register(handler)
    dispatch.register(handler)
    record("a", actor=SYSTEM)
    dispatch.drain()
    assert len(seen) == 1


def test_a_handler_that_fails_on_one_event_does_not_hold_up_the_others(rung, handlers, caplog):
    dispatch.register(lambda event: Tick.objects.create(job=event.kind, finished_at=timezone.now()))

    def fail(event):
        if event.kind == "poison":
            raise ValueError("no")

    dispatch.register(fail)
    for kind in ("a", "poison", "b"):
        record(kind, actor=SYSTEM)
    assert dispatch.drain() == 2
    assert "handler failed" in caplog.text
    assert set(Tick.objects.values_list("job", flat=True)) == {"a", "b"}
    assert Event.objects.get(dispatched_at=None).kind == "poison"
    handlers.remove(fail)
    assert dispatch.drain() == 1
    assert Tick.objects.filter(job="poison").exists()


def test_a_drain_stops_at_its_limit(rung, handlers):
    for _ in range(3):
        record("a", actor=SYSTEM)
    assert dispatch.drain(limit=2) == 2
    assert dispatch.drain(limit=2) == 1


def test_a_job_that_ends_leaves_its_time_and_one_that_fails_does_not(monkeypatch):
    ran = []
    monkeypatch.setattr(jobs, "JOBS", {})
    jobs.every(5, "good", lambda: ran.append(1))
    jobs.every(5, "bad", lambda: 1 / 0)
    now = timezone.now()
    with time_machine.travel(now + timedelta(hours=1), tick=False):
        tasks.run_job("good")
        tasks.run_job("good")
    with pytest.raises(ZeroDivisionError):
        tasks.run_job("bad")
    assert ran == [1, 1]
    tick = Tick.objects.get()
    assert (tick.job, tick.finished_at) == ("good", now + timedelta(hours=1))


def test_the_jobs_of_every_app_are_in_the_table():
    assert {"events.drain", "registry.collect"} <= set(jobs.JOBS)
    assert all(job.interval_s > 0 for job in jobs.JOBS.values())


def test_with_the_embedded_broker_the_message_is_a_row_of_the_same_transaction():
    with transaction.atomic():
        wake("events.tasks.drain")
        assert QueueMessage.objects.count() == 1
        transaction.set_rollback(True)
    assert not QueueMessage.objects.exists()


def test_with_another_broker_the_message_is_sent_after_the_commit_by_another_thread(
    settings, monkeypatch, django_capture_on_commit_callbacks
):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    submitted = []
    monkeypatch.setattr("events.wake._ringer.submit", lambda *call: submitted.append(call))
    with django_capture_on_commit_callbacks(execute=True):
        wake("events.tasks.drain", 5, countdown_s=2)
        assert submitted == []
    assert submitted == [(_ring, "events.tasks.drain", (5,), 2)]


def test_a_broker_that_is_away_loses_only_the_ring(monkeypatch, caplog):
    def away(*_, **__):
        raise OperationalError("no broker")

    monkeypatch.setattr(current_app, "send_task", away)
    with caplog.at_level("WARNING", logger="events.wake"):
        _ring("events.tasks.drain", (), 0)
    assert "did not take events.tasks.drain" in caplog.text
