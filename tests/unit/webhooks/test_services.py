"""Making, changing and testing webhooks; what is refused."""

from __future__ import annotations

import base64
import socket
from datetime import timedelta

import pytest
from django.core import serializers
from django.db import connection
from django.utils import timezone

from core.errors import Denied, NotFound, status_of
from core.http import AddressInvalid, AddressRefused
from events.models import Event, QueueMessage
from events.types import Actor
from repos.models import Repository
from repos.services.repositories import create_repository
from tests.deliveries import deliver
from webhooks import resending, selectors, services
from webhooks.errors import DeliveryBusy, TooManyWebhooks, WebhookInactive, WebhookInvalid
from webhooks.models import Delivery, Webhook
from webhooks.owners import Owner, owner_of
from webhooks.signing import headers_of
from webhooks.types import EVENTS

pytestmark = pytest.mark.django_db

URL = "http://127.0.0.1:8080/hook"


@pytest.fixture
def hook(repository, actor):
    return services.create_webhook(Owner(repository), actor=actor, url=URL)


def test_defaults_and_a_secret_of_its_own(hook, repository, actor):
    other = services.create_webhook(Owner(repository), actor=actor, url=URL)
    stored = Webhook.objects.get(pk=hook.pk)
    assert stored.events == ["push"]
    assert (stored.tag_filter, stored.format, stored.active) == ("", "dockerhub", True)
    assert stored.created_by_id == actor.id
    assert stored.secret.startswith("whsec_")
    assert len(base64.b64decode(stored.secret.removeprefix("whsec_"), validate=True)) == 24
    assert other.secret != stored.secret


def test_secret_is_encrypted_at_rest(repository, actor):
    hook = services.create_webhook(Owner(repository), actor=actor, url=URL, secret="open sesame")
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
        ({"tag_filter": "/(/"}, WebhookInvalid, "tag_filter"),
        ({"actor_filter": "/a+/"}, WebhookInvalid, "actor_filter"),
        ({"platform_filter": "x\0"}, WebhookInvalid, "platform_filter"),
        ({"secret": "x" * 201}, WebhookInvalid, "secret"),
        ({"name": "two\nlines"}, WebhookInvalid, "name"),
        ({"headers": {"Host": "x"}}, WebhookInvalid, "headers"),
        ({"headers": {"X-New": None}}, WebhookInvalid, "headers"),
        ({"client_certificate": "no pem"}, WebhookInvalid, "client_certificate"),
        ({"format": "custom"}, WebhookInvalid, "template"),
        ({"format": "custom", "template": "[]"}, WebhookInvalid, "template"),
    ],
)
def test_refused_values(hook, repository, actor, values, error, field):
    with pytest.raises(error) as caught:
        services.create_webhook(Owner(repository), actor=actor, **{"url": URL, **values})
    assert (status_of(caught.value), caught.value.detail) == (400, {"field": field})
    with pytest.raises(error):
        services.update_webhook(hook, actor=actor, **values)
    assert Webhook.objects.count() == 1
    assert Webhook.objects.get().url == URL


def test_name_that_does_not_resolve_yet_is_taken(repository, actor, monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    services.create_webhook(Owner(repository), actor=actor, url="https://ci.example/hook")


def test_at_most_twenty(repository, actor):
    for _ in range(20):
        services.create_webhook(Owner(repository), actor=actor, url=URL)
    with pytest.raises(TooManyWebhooks):
        services.create_webhook(Owner(repository), actor=actor, url=URL)
    assert Owner(repository).webhooks().count() == 20
    services.create_webhook(Owner(namespace=repository.namespace), actor=actor, url=URL)
    services.create_webhook(Owner(), actor=actor, url=URL)


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
    assert deliver(delivery.pk) is False


def test_ping_is_owed_to_this_hook_only(hook, repository, actor):
    services.create_webhook(Owner(repository), actor=actor, url=URL, events=EVENTS)
    before = QueueMessage.objects.count()
    delivery = services.ping(hook, actor=actor)
    assert list(Delivery.objects.values_list("webhook", flat=True)) == [hook.pk]
    assert delivery.event.kind == "webhook.ping"
    assert delivery.event.payload == {"webhook_id": hook.pk, "of": None}
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

    monkeypatch.setattr(resending, "_wake", fail)
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
        Owner(other).webhook(hook.pk)
    with pytest.raises(NotFound):
        Owner(namespace=alice.namespace).webhook(hook.pk)
    with pytest.raises(NotFound):
        Owner().webhook(hook.pk)
    assert Owner(hook.repository).webhook(hook.pk) == hook
    theirs = services.create_webhook(Owner(other), actor=actor, url=URL)
    delivery = services.ping(hook, actor=actor)
    with pytest.raises(NotFound):
        selectors.get_delivery(theirs, delivery.pk)
    assert selectors.get_delivery(hook, delivery.pk) == delivery


def test_hook_without_an_account_behind_it(repository):
    hook = services.create_webhook(Owner(repository), actor=Actor(None, "hub"), url=URL)
    assert hook.created_by_id is None


def test_a_log_costs_two_queries(hook, repository, actor, receiver, django_assert_num_queries):
    services.update_webhook(hook, actor=actor, url=receiver.url)
    for _ in range(2):
        last = services.ping(hook, actor=actor)
        deliver(last.pk)
    with django_assert_num_queries(2):
        found = list(selectors.deliveries_of(hook))
        assert [delivery.pk for delivery in found] == [last.pk, last.pk - 1]
        assert selectors.last_attempt(found[0]).status == 200
        assert found[0].event.kind == "webhook.ping"


def events_of(kind):
    return Event.objects.filter(kind=kind)


def test_what_history_keeps_is_no_secret(repository, actor):
    hook = services.create_webhook(
        Owner(repository),
        actor=actor,
        url="http://127.0.0.1:8080/path-is-secret?token=hush",
        secret="open sesame",
        headers={"Authorization": "Bearer hush"},
    )
    services.update_webhook(
        hook, actor=actor, url="http://127.0.0.1:8080/hush", headers={"Authorization": "hush 2"}
    )
    services.rotate_secret(hook, actor=actor, secret="hush too")
    services.delete_webhook(hook, actor=actor)
    kept = [(e.kind, e.namespace_id, e.payload) for e in Event.objects.order_by("pk")]
    told = [(kind, payload) for kind, _, payload in kept if kind.startswith("webhook.")]
    assert [kind for kind, _ in told] == [
        *("webhook.created", "webhook.changed", "webhook.secret_changed", "webhook.deleted")
    ]
    assert "hush" not in str(told)
    assert "sesame" not in str(told)
    assert told[0][1]["after"]["host"] == "127.0.0.1:8080"
    assert told[0][1]["after"]["headers"] == ["Authorization"]
    assert told[1][1] == {
        **{"webhook_id": hook.pk or told[0][1]["webhook_id"], "before": {}, "after": {}},
        **{"address_changed": True, "headers_changed": True},
    }
    assert {namespace for _, namespace, _ in kept} == {repository.namespace_id}


def test_header_values_stay_with_their_host(repository, actor):
    hook = services.create_webhook(
        Owner(repository), actor=actor, url=URL, headers={"X-Key": "hush", "X-Old": "1"}
    )
    services.update_webhook(hook, actor=actor, url=f"{URL}/deeper", headers={"X-Key": None})
    assert headers_of(Webhook.objects.get()) == {"X-Key": "hush"}
    for values in ({}, {"headers": {"X-Key": None}}):
        with pytest.raises(WebhookInvalid) as caught:
            services.update_webhook(hook, actor=actor, url="http://127.0.0.1:9090/", **values)
        assert caught.value.detail == {"field": "headers"}
    services.update_webhook(hook, actor=actor, url="http://127.0.0.1:9090/", headers={})
    assert headers_of(Webhook.objects.get()) == {}


def test_headers_and_certificates_are_encrypted_at_rest(repository, actor):
    services.create_webhook(Owner(repository), actor=actor, url=URL, headers={"X-Key": "hush"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT headers FROM webhooks_webhook")
        assert "hush" not in cursor.fetchone()[0]


def test_a_rotation_lets_both_secrets_sign_for_a_while(hook, actor):
    old = hook.secret
    fresh = services.rotate_secret(hook, actor=actor, overlap=timedelta(hours=3))
    stored = Webhook.objects.get()
    assert (stored.secret, stored.previous_secret) == (fresh, old)
    assert fresh.startswith("whsec_")
    assert fresh != old
    left = stored.previous_until - timezone.now()
    assert timedelta(hours=2, minutes=59) < left <= timedelta(hours=3)
    services.rotate_secret(hook, actor=actor, secret="mine", overlap=timedelta(0))
    stored = Webhook.objects.get()
    assert (stored.secret, stored.previous_secret, stored.previous_until) == ("mine", "", None)
    services.rotate_secret(hook, actor=actor)
    services.update_webhook(hook, actor=actor, secret="leaked the one before")
    assert Webhook.objects.get().previous_secret == ""
    for overlap in (timedelta(days=31), timedelta(seconds=-1)):
        with pytest.raises(WebhookInvalid):
            services.rotate_secret(hook, actor=actor, overlap=overlap)


def test_resume_ends_a_pause_once(hook, actor):
    now = timezone.now()
    Webhook.objects.update(paused_at=now, failing_since=now, warned_at=now)
    with pytest.raises(WebhookInactive, match="paused"):
        services.ping(Webhook.objects.get(), actor=actor)
    for _ in range(2):
        found = services.resume(hook, actor=actor)
    assert found.is_on
    stored = Webhook.objects.get()
    assert (stored.paused_at, stored.failing_since, stored.warned_at) == (None, None, None)
    assert events_of("webhook.resumed").count() == 1


CHANGES = {
    "create": lambda hook, **more: services.create_webhook(owner_of(hook), url=URL, **more),
    "update": lambda hook, **more: services.update_webhook(hook, tag_filter="v*", **more),
    "delete": lambda hook, **more: services.delete_webhook(hook, **more),
    "rotate": lambda hook, **more: services.rotate_secret(hook, **more),
    "resume": lambda hook, **more: services.resume(hook, **more),
    "switch off": lambda hook, **more: services.switch_off(hook, **more),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["repository", "namespace", "server"])
def test_rights_are_decided_again_inside_the_transaction(repository, actor, kind, change):
    owner = {
        "repository": Owner(repository),
        "namespace": Owner(namespace=repository.namespace),
        "server": Owner(),
    }[kind]
    hook = services.create_webhook(owner, actor=actor, url=URL)
    before = Webhook.objects.values().get()
    seen = []

    def gone(held):
        assert connection.in_atomic_block
        seen.append((held.kind, held.path))
        raise Denied("Not any more.")

    with pytest.raises(Denied):
        CHANGES[change](hook, actor=actor, recheck=gone)
    assert seen == [(kind, owner.path)]
    assert Webhook.objects.values().get() == before


def test_a_test_shows_the_newest_push_that_fits(repository, alice, actor, happen):
    first, fits, last = (happen(tag=tag) for tag in ("v1", "v2", "latest"))
    owner = Owner(repository)
    hook = services.create_webhook(owner, actor=actor, url=URL, tag_filter="v*", events=["star"])
    assert services.ping(hook, actor=actor).event.payload["of"] == fits.pk
    assert services.ping(hook, actor=actor, event=first).event.payload["of"] == first.pk
    services.update_webhook(hook, actor=actor, tag_filter="nothing")
    assert services.ping(hook, actor=actor).event.payload["of"] == last.pk
    other = create_repository(alice.namespace, "other", actor=actor)
    foreign = services.create_webhook(Owner(other), actor=actor, url=URL)
    with pytest.raises(NotFound):
        services.ping(foreign, actor=actor, event=first)
    star = happen("repository.starred")
    with pytest.raises(NotFound):
        services.ping(hook, actor=actor, event=star)


def test_a_test_of_the_server_shows_nothing_private(repository, actor, happen):
    push = happen()
    hook = services.create_webhook(Owner(), actor=actor, url=URL)
    assert services.ping(hook, actor=actor).event.payload["of"] is None
    with pytest.raises(NotFound):
        services.ping(hook, actor=actor, event=push)
    Repository.objects.update(visibility="public")
    assert services.ping(hook, actor=actor).event.payload["of"] == push.pk


def test_dead_letters_are_owed_again_together(hook, actor, happen):
    dead = [services.ping(hook, actor=actor) for _ in range(3)]
    Delivery.objects.filter(pk__in=[d.pk for d in dead[:2]]).update(state="gave_up")
    Delivery.objects.filter(pk=dead[2].pk).update(state="done")
    Delivery.objects.filter(pk=dead[1].pk).update(
        lease_until=timezone.now() + timedelta(seconds=30)
    )
    QueueMessage.objects.all().delete()
    assert services.redeliver_all(hook) == 1
    assert list(Delivery.objects.order_by("pk").values_list("state", flat=True)) == [
        *("due", "gave_up", "done")
    ]
    assert QueueMessage.objects.count() == 1


SECRETS = {
    "secret": "hush-now",
    "previous_secret": "hush-then",
    "headers": '{"X-Key": "hush-header"}',
    "client_certificate": "hush-key",
}


def test_a_dump_has_no_secret_and_brings_them_back(hook):
    Webhook.objects.filter(pk=hook.pk).update(**SECRETS)
    dump = serializers.serialize("json", Webhook.objects.filter(pk=hook.pk))
    assert "hush" not in dump
    Webhook.objects.all().delete()
    (found,) = serializers.deserialize("json", dump)
    found.save()
    assert Webhook.objects.filter(pk=hook.pk).values(*SECRETS).get() == SECRETS


def test_its_name_in_logs_and_histories_is_no_password(hook):
    hook.url = "https://ci.example.com/hooks/hush?token=hush"
    assert str(hook) == f"{hook.repository} → ci.example.com"
