"""Making, changing and testing webhooks; what is refused."""

from __future__ import annotations

import base64
import socket
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core.errors import NotFound, status_of
from core.http import AddressInvalid, AddressRefused
from events.models import Event, QueueMessage
from events.types import Actor
from repos.services.repositories import create_repository
from webhooks import selectors, services
from webhooks.errors import DeliveryBusy, TooManyWebhooks, WebhookInactive, WebhookInvalid
from webhooks.models import Delivery, Webhook
from webhooks.types import EVENTS

pytestmark = pytest.mark.django_db

URL = "http://127.0.0.1:8080/hook"


@pytest.fixture
def hook(repository, actor):
    return services.create_webhook(repository, actor=actor, url=URL)


def test_defaults_and_a_secret_of_its_own(hook, repository, actor):
    other = services.create_webhook(repository, actor=actor, url=URL)
    stored = Webhook.objects.get(pk=hook.pk)
    assert stored.events == ["push"]
    assert (stored.tag_filter, stored.format, stored.active) == ("", "dockerhub", True)
    assert stored.created_by_id == actor.id
    assert stored.secret.startswith("whsec_")
    assert len(base64.b64decode(stored.secret.removeprefix("whsec_"), validate=True)) == 24
    assert other.secret != stored.secret


def test_secret_is_encrypted_at_rest(repository, actor):
    hook = services.create_webhook(repository, actor=actor, url=URL, secret="open sesame")
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM webhooks_webhook WHERE id = %s", [hook.pk])
        assert "sesame" not in cursor.fetchone()[0]
    assert Webhook.objects.get(pk=hook.pk).secret == "open sesame"


@pytest.mark.parametrize(
    ("values", "error", "field"),
    [
        ({"url": "ftp://127.0.0.1/"}, AddressInvalid, "url"),
        ({"url": "http://user@127.0.0.1/"}, AddressInvalid, "url"),
        ({"url": "http://10.0.0.1/"}, AddressRefused, "url"),
        ({"url": "http://169.254.169.254/"}, AddressRefused, "url"),
        ({"events": []}, WebhookInvalid, "events"),
        ({"events": ["push", "coffee"]}, WebhookInvalid, "events"),
        ({"events": ["ping"]}, WebhookInvalid, "events"),
        ({"events": [["push"]]}, WebhookInvalid, "events"),
        ({"tag_filter": "x" * 201}, WebhookInvalid, "tag_filter"),
        ({"tag_filter": "v*\n"}, WebhookInvalid, "tag_filter"),
        ({"format": "xml"}, WebhookInvalid, "format"),
        ({"secret": "x" * 201}, WebhookInvalid, "secret"),
    ],
)
def test_refused_values(hook, repository, actor, values, error, field):
    with pytest.raises(error) as caught:
        services.create_webhook(repository, actor=actor, **{"url": URL, **values})
    assert (status_of(caught.value), caught.value.detail) == (400, {"field": field})
    with pytest.raises(error):
        services.update_webhook(hook, actor=actor, **values)
    assert Webhook.objects.count() == 1
    assert Webhook.objects.get().url == URL


def test_name_that_does_not_resolve_yet_is_taken(repository, actor, monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    services.create_webhook(repository, actor=actor, url="https://ci.example/hook")


def test_at_most_twenty(repository, actor):
    for _ in range(20):
        services.create_webhook(repository, actor=actor, url=URL)
    with pytest.raises(TooManyWebhooks):
        services.create_webhook(repository, actor=actor, url=URL)
    assert selectors.list_webhooks(repository).count() == 20


def test_update_changes_what_is_given(hook, actor):
    services.update_webhook(
        hook,
        actor=actor,
        events=["star", "push", "star"],
        tag_filter="v*",
        active=False,
        secret="new",
    )
    services.update_webhook(hook, actor=actor, secret="")
    stored = Webhook.objects.get(pk=hook.pk)
    assert stored.events == ["star", "push"]
    assert (stored.tag_filter, stored.active, stored.secret) == ("v*", False, "new")
    assert stored.url == URL


def test_delete_takes_deliveries_along_and_leaves_events(hook, actor):
    delivery = services.ping(hook, actor=actor)
    services.delete_webhook(hook, actor=actor)
    assert not Delivery.objects.exists()
    assert Event.objects.filter(pk=delivery.event_id).exists()
    assert services.deliver(delivery.pk) is False


def test_ping_is_owed_to_this_hook_only(hook, repository, actor):
    services.create_webhook(repository, actor=actor, url=URL, events=EVENTS)
    before = QueueMessage.objects.count()
    delivery = services.ping(hook, actor=actor)
    assert list(Delivery.objects.values_list("webhook", flat=True)) == [hook.pk]
    assert delivery.event.kind == "webhook.ping"
    assert delivery.event.payload == {"webhook_id": hook.pk}
    assert (delivery.event.repository_id, delivery.event.repository_path) == (None, "")
    assert QueueMessage.objects.count() == before + 2  # the dispatcher, and this delivery


def test_no_ping_of_a_hook_that_is_off(hook, actor):
    services.update_webhook(hook, actor=actor, active=False)
    with pytest.raises(WebhookInactive):
        services.ping(hook, actor=actor)
    assert not Event.objects.filter(kind="webhook.ping").exists()


def test_failed_ping_leaves_nothing(hook, actor, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(services, "wake", fail)
    with pytest.raises(RuntimeError):
        services.ping(hook, actor=actor)
    assert not Delivery.objects.exists()
    assert not Event.objects.filter(kind="webhook.ping").exists()


def test_no_redelivery_of_what_is_being_sent(hook, actor):
    delivery = services.ping(hook, actor=actor)
    Delivery.objects.update(lease_until=timezone.now() + timedelta(seconds=30))
    with pytest.raises(DeliveryBusy):
        services.redeliver(delivery)


def test_lookups_stay_inside_the_repository(hook, alice, actor):
    other = create_repository(alice.namespace, "other", actor=actor)
    with pytest.raises(NotFound):
        selectors.get_webhook(other, hook.pk)
    assert selectors.get_webhook(hook.repository, hook.pk) == hook
    theirs = services.create_webhook(other, actor=actor, url=URL)
    delivery = services.ping(hook, actor=actor)
    with pytest.raises(NotFound):
        selectors.get_delivery(theirs, delivery.pk)
    assert selectors.get_delivery(hook, delivery.pk) == delivery


def test_hook_without_an_account_behind_it(repository):
    hook = services.create_webhook(repository, actor=Actor(None, "hub"), url=URL)
    assert hook.created_by_id is None


def test_last_results_cost_two_queries(
    hook, repository, actor, receiver, django_assert_num_queries
):
    services.update_webhook(hook, actor=actor, url=receiver.url)
    quiet = services.create_webhook(repository, actor=actor, url=URL)
    for _ in range(2):
        last = services.ping(hook, actor=actor)
        services.deliver(last.pk)
    with django_assert_num_queries(2):
        found = selectors.last_results([hook, quiet])
        assert found == {hook.pk: last}
        assert selectors.last_attempt(found[hook.pk]).status == 200
        assert found[hook.pk].event.kind == "webhook.ping"
    with django_assert_num_queries(2):
        assert [d.pk for d in selectors.deliveries_of(hook)] == [last.pk, last.pk - 1]
