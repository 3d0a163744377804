"""Tries, retries, and what ends them; against a receiver on loopback."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.services.signup import create_user
from events import dispatch
from events.models import Event, QueueMessage
from events.types import Actor
from hubsite.config import Config
from registry.services.manifests import put_manifest
from repos.models import Collaborator
from repos.services.repositories import delete_repository
from tests.deliveries import deliver, deliver_due
from webhooks import claims, selectors, sending, services
from webhooks.models import Attempt, Delivery, Receiver, Webhook
from webhooks.owners import Owner

pytestmark = pytest.mark.django_db


@pytest.fixture
def hook(repository, actor, receiver):
    return services.create_webhook(
        Owner(repository), actor=actor, url=receiver.url, secret="sesame"
    )


def due_now():
    Delivery.objects.update(next_attempt_at=timezone.now())


def free_port():
    """A port that nobody listens on, most probably."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_s(delivery):
    delivery.refresh_from_db()
    return (delivery.next_attempt_at - timezone.now()).total_seconds()


def test_delivered_signed_and_noted(hook, receiver, happen, actor):
    event = happen()
    assert deliver_due() == 1
    assert deliver_due() == 0
    (request,) = receiver.requests
    assert request.path == "/hook"
    assert request.headers["X-Hub-Event"] == "push"
    assert request.headers["X-Hub-Delivery"] == str(event.uid)
    mac = hmac.new(b"sesame", request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-Hub-Signature-256"] == f"sha256={mac}"
    assert json.loads(request.body)["push_data"]["pusher"] == "alice"

    (delivery,) = selectors.deliveries_of(hook)
    assert (delivery.state, delivery.attempt_count, delivery.lease_until) == ("done", 1, None)
    attempt = selectors.last_attempt(delivery)
    assert (attempt.status, attempt.error, attempt.response_size) == (200, "", 6)
    assert attempt.request_body == request.body.decode()
    assert attempt.request_headers["X-Hub-Event"] == "push"
    assert mac not in str(attempt.request_headers)
    assert "private network" in attempt.response_excerpt


def test_two_failures_then_success_with_growing_delays(hook, receiver, happen):
    receiver.statuses = [500, 500, 200]
    event = happen()
    delivery = Delivery.objects.get()
    for low_s, high_s in ((4, 6), (24, 36)):
        before = QueueMessage.objects.count()
        assert deliver(delivery.pk)
        assert low_s - 1 < wait_s(delivery) <= high_s
        assert delivery.state == "due"
        assert QueueMessage.objects.count() == before + 1
        assert deliver(delivery.pk) is False  # not due yet
        due_now()
    assert deliver_due() == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt_count) == ("done", 3)
    assert list(Attempt.objects.order_by("id").values_list("status", flat=True)) == [500, 500, 200]
    assert {r.headers["X-Hub-Delivery"] for r in receiver.requests} == {str(event.uid)}
    assert {r.headers["webhook-id"] for r in receiver.requests} == {str(event.uid)}


def test_long_waits_are_left_to_the_sweep(hook, receiver, happen, hub):
    hub(webhook_retry_delays_s=[3600])
    receiver.statuses = [500]
    happen()
    before = QueueMessage.objects.count()
    deliver_due()
    assert QueueMessage.objects.count() == before
    assert wait_s(Delivery.objects.get()) > 2800


def test_gives_up_after_the_last_delay(hook, receiver, happen, hub):
    hub(webhook_retry_delays_s=[1, 1])
    receiver.statuses = [503]
    happen()
    for _ in range(5):
        due_now()
        deliver_due()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempt_count) == ("gave_up", 3)
    assert len(receiver.requests) == 3


def test_retry_after_is_honoured(hook, receiver, happen):
    receiver.statuses = [429]
    receiver.headers = {"Retry-After": "7000"}
    happen()
    deliver_due()
    assert 6900 < wait_s(Delivery.objects.get()) <= 7000


def test_redirect_is_a_failure_that_is_explained(hook, receiver, happen):
    receiver.statuses = [302]
    receiver.headers = {"Location": "/elsewhere"}
    happen()
    deliver_due()
    attempt = Attempt.objects.get()
    assert attempt.status == 302
    assert "redirect" in attempt.error
    assert [r.path for r in receiver.requests] == ["/hook"]
    assert Delivery.objects.get().state == "due"


def test_no_answer_is_noted_and_tried_again(hook, happen, actor):
    services.update_webhook(hook, actor=actor, url=f"http://127.0.0.1:{free_port()}/")
    happen()
    deliver_due()
    attempt = Attempt.objects.get()
    assert (attempt.status, Delivery.objects.get().state) == (None, "due")
    assert "did not take the connection" in attempt.error


def test_address_is_checked_again_at_each_try(hook, receiver, happen, hub):
    happen()
    hub(webhook_allow_networks=[])
    deliver_due()
    assert not receiver.requests
    attempt = Attempt.objects.get()
    assert "not allowed" in attempt.error
    assert "127.0.0.1" not in attempt.error


def test_ping(hook, receiver, happen, actor):
    happen()
    deliver_due()
    delivery = services.ping(hook, actor=actor)
    assert deliver(delivery.pk)
    push, ping = receiver.requests
    assert ping.headers["X-Hub-Event"] == "ping"
    assert ping.headers["X-Hub-Delivery"] == str(delivery.event.uid)
    tags = [json.loads(request.body)["push_data"]["tag"] for request in (push, ping)]
    assert tags == ["latest", "latest"]


@pytest.mark.parametrize("status", [200, 500])
def test_redelivery_has_the_same_id_and_all_tries_anew(hook, receiver, happen, hub, status):
    hub(webhook_retry_delays_s=[])
    receiver.statuses = [status, 200]
    event = happen()
    deliver_due()
    delivery = services.redeliver(Delivery.objects.get())
    assert (delivery.state, delivery.attempt_count) == ("due", 0)
    assert deliver_due() == 1
    delivery.refresh_from_db()
    assert delivery.state == "done"
    assert delivery.attempts.count() == 2
    assert [r.headers["X-Hub-Delivery"] for r in receiver.requests] == [str(event.uid)] * 2


def assert_given_up(receiver, sentence):
    assert not receiver.requests
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.lease_until) == ("gave_up", None)
    attempt = delivery.attempts.get()
    assert (attempt.status, attempt.request_body, attempt.request_headers) == (None, "", {})
    assert sentence in attempt.error


def test_switched_off_meanwhile(hook, receiver, happen, actor):
    happen()
    services.update_webhook(hook, actor=actor, active=False)
    deliver_due()
    assert_given_up(receiver, "switched off")


def test_repository_deleted_meanwhile(hook, receiver, happen, repository, actor):
    happen()
    delete_repository(repository, actor=actor)
    deliver_due()
    assert_given_up(receiver, "repository was deleted")


def test_deletion_itself_is_told(hook, receiver, repository, actor):
    services.update_webhook(hook, actor=actor, events=["repository.deleted"])
    delete_repository(repository, actor=actor)
    dispatch.drain()
    deliver_due()
    (request,) = receiver.requests
    assert json.loads(request.body)["repository"]["repo_name"] == "alice/app"


@pytest.fixture
def bobs_hook(repository, receiver):
    bob = create_user(username="bobby", email="", password="correct horse 9")
    Collaborator.objects.create(repository=repository, user=bob, role="admin")
    made = services.create_webhook(
        Owner(repository), actor=Actor(bob.pk, "bobby"), url=receiver.url
    )
    return made, bob


def test_access_lost_meanwhile(bobs_hook, receiver, happen):
    happen()
    Collaborator.objects.all().delete()
    deliver_due()
    assert_given_up(receiver, "may no longer read")


def test_account_closed_meanwhile(bobs_hook, receiver, happen):
    happen()
    bobs_hook[1].is_active = False
    bobs_hook[1].save()
    deliver_due()
    assert_given_up(receiver, "no longer active")


def test_hook_deleted_while_it_is_sent(hook, receiver, happen, monkeypatch, actor):
    happen()
    original = sending.send

    def send_and_lose(*args, **kwargs):
        answer = original(*args, **kwargs)
        services.delete_webhook(hook, actor=actor)
        return answer

    monkeypatch.setattr(sending, "send", send_and_lose)
    assert deliver(Delivery.objects.get().pk)
    assert not Attempt.objects.exists()


def test_lost_between_sending_and_commit_is_sent_again(hook, receiver, happen, monkeypatch):
    event = happen()
    delivery = Delivery.objects.get()
    with monkeypatch.context() as patch:

        def fail(*_, **__):
            raise DatabaseError("gone")

        patch.setattr(sending, "_settle", fail)
        with pytest.raises(DatabaseError):
            deliver(delivery.pk)
    assert deliver_due() == 0  # the lease still runs
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert deliver_due() == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt_count) == ("done", 2)
    assert [r.headers["X-Hub-Delivery"] for r in receiver.requests] == [str(event.uid)] * 2


def test_tries_that_never_end_come_to_an_end(hook, receiver, happen, hub):
    hub(webhook_retry_delays_s=[1])
    happen()
    Delivery.objects.update(attempt_count=2)  # both tries died with their worker
    deliver_due()
    assert_given_up(receiver, "interrupted")


def test_slow_worker_does_not_undo_its_successor(hook, receiver, happen, monkeypatch):
    receiver.statuses = [500]
    happen()
    original = sending.send

    def send_late(*args, **kwargs):
        answer = original(*args, **kwargs)
        Delivery.objects.update(state="done", lease_until=None)
        return answer

    monkeypatch.setattr(sending, "send", send_late)
    deliver_due()
    assert Delivery.objects.get().state == "done"
    assert Attempt.objects.get().status == 500


def test_one_claim_at_a_time(hook, happen):
    happen()
    pk = Delivery.objects.get().pk
    assert claims.claim(pk) is not None
    assert claims.claim(pk) is None


def pass_time(seconds):
    """As if so much time had gone by: what is planned comes nearer."""
    span = timedelta(seconds=seconds)
    Delivery.objects.update(next_attempt_at=F("next_attempt_at") - span)
    Receiver.objects.update(closed_until=F("closed_until") - span)
    Webhook.objects.update(failing_since=F("failing_since") - span)


def test_a_receiver_down_for_an_hour_misses_nothing_and_gets_each_tag_in_order(
    hook, receiver, happen, actor, hub
):
    hub(webhook_retry_delays_s=list(Config.model_fields["webhook_retry_delays_s"].default))
    up = receiver.url
    Webhook.objects.filter(pk=hook.pk).update(url=f"http://127.0.0.1:{free_port()}/")
    pushed = [happen(tag=tag) for tag in "abacab"]
    for _ in range(60):
        deliver_due()
        pass_time(60)
    assert not receiver.requests
    tried = sum(Delivery.objects.values_list("attempt_count", flat=True))
    assert 10 < tried < 40  # neither hammered nor forgotten
    Webhook.objects.filter(pk=hook.pk).update(url=up)
    for _ in range(100):
        deliver_due()
        pass_time(60)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"done"}
    arrived = [request.headers["X-Hub-Delivery"] for request in receiver.requests]
    assert sorted(arrived) == sorted(str(event.uid) for event in pushed)
    for tag in "abc":
        of_tag = [str(event.uid) for event in pushed if event.payload["tag"] == tag]
        assert [uid for uid in arrived if uid in of_tag] == of_tag


def test_a_day_of_tries_at_least_and_what_is_asked_for_a_day_ahead(hub):
    delays_s = Config.model_fields["webhook_retry_delays_s"].default
    assert delays_s == [10, 60, 300, 1200, 3600, 10800, 21600, 43200, 28800]
    assert sum(delays_s) * 0.8 > 24 * 3600


def test_a_template_that_does_not_fill_is_given_up_with_its_reason(hook, receiver, happen):
    happen()
    Webhook.objects.filter(pk=hook.pk).update(format="custom", template="{")
    deliver_due()
    assert_given_up(receiver, "Not sent: ")


def test_a_push_asks_nothing_of_webhooks(hook, repository, actor):
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [],
    }
    payload = json.dumps(index).encode()
    with CaptureQueriesContext(connection) as queries:
        put_manifest(
            repository,
            payload,
            content_type=index["mediaType"],
            reference="latest",
            tags=("latest",),
            actor=actor,
        )
    asked = [query["sql"] for query in queries if "webhooks_" in query["sql"]]
    assert Event.objects.filter(kind="tag.moved").exists()
    assert not [sql for sql in asked if "events_queuemessage" not in sql]
    assert not Delivery.objects.exists()
    dispatch.drain()
    assert Delivery.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_while_sending(hook, happen, monkeypatch):
    seen = []
    original = sending.send

    def send_and_look(*args, **kwargs):
        seen.append(connection.in_atomic_block)
        return original(*args, **kwargs)

    monkeypatch.setattr(sending, "send", send_and_look)
    happen()
    deliver_due()
    assert seen == [False]


@pytest.mark.django_db(transaction=True)
def test_many_workers_send_it_once(hook, receiver, happen):
    happen()
    pk = Delivery.objects.get().pk
    made = []

    def work():
        made.append(deliver(pk))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]
    assert len(receiver.requests) == 1
