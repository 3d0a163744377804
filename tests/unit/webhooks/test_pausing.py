"""A webhook that does nothing but fail: a warning, a pause, 410, and who gets the mail."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Membership, Namespace, Organization, OutgoingMail
from accounts.services.signup import create_user
from events.models import Event
from repos.models import Collaborator
from tests.deliveries import deliver, deliver_due
from webhooks import pausing
from webhooks.claims import host_of, order_key
from webhooks.models import Delivery, Webhook

pytestmark = pytest.mark.django_db


@pytest.fixture
def make(repository, alice, receiver):
    def make(**more):
        values = {"repository": repository, "url": receiver.url, "events": ["push"], **more}
        return Webhook.objects.create(created_by_id=alice.pk, secret="sesame", **values)

    return make


@pytest.fixture
def owe(repository):
    def owe(hook, tag="latest"):
        event = Event.objects.create(
            kind="tag.moved",
            repository_id=repository.pk,
            repository_path=repository.path,
            payload={"tag": tag},
        )
        return Delivery.objects.create(
            webhook=hook,
            event=event,
            host=host_of(hook.url),
            order_key=order_key(event),
            next_attempt_at=timezone.now(),
        )

    return owe


def failing_for(hook, **span):
    Webhook.objects.filter(pk=hook.pk).update(failing_since=timezone.now() - timedelta(**span))


def kinds(*names):
    return list(
        Event.objects.filter(kind__in=names)
        .order_by("id")
        .values_list("kind", "payload", "outcome")
    )


def test_failing_begins_with_the_first_failure_and_ends_with_a_success(make, owe, receiver, hub):
    hub(webhook_breaker_failures=99)
    receiver.statuses = [500, 404, 200]
    hook = make()
    seen = []
    for tag in "abc":
        owe(hook, tag)
        deliver_due()
        hook.refresh_from_db()
        seen.append(hook.failing_since)
    assert seen[0] is not None
    assert seen[1] == seen[0]
    assert seen[2] is None


@pytest.mark.parametrize(
    ("span", "warned", "paused"),
    [
        ({"minutes": 59}, 0, False),
        ({"minutes": 61}, 1, False),
        ({"days": 4, "hours": 23}, 1, False),
        ({"days": 5, "minutes": 1}, 0, True),
    ],
)
def test_after_an_hour_people_are_told_once_and_after_days_it_is_paused(
    make, owe, receiver, span, warned, paused
):
    receiver.statuses = [500]
    hook = make()
    failing_for(hook, **span)
    for tag in "ab":
        owe(hook, tag)
    deliver_due()
    hook.refresh_from_db()
    payload = {"webhook_id": hook.pk, "host": host_of(receiver.url)}
    assert kinds("webhook.failing") == [("webhook.failing", payload, "")] * warned
    assert kinds("webhook.paused") == [("webhook.paused", payload, "")] * paused
    assert (hook.paused_at is not None, OutgoingMail.objects.count()) == (paused, int(paused))


def test_a_success_makes_the_warning_good_for_another_time(make, owe, receiver):
    receiver.statuses = [500, 200, 500]
    hook = make()
    for _ in range(3):
        failing_for(hook, hours=2)
        owe(hook)
        Delivery.objects.update(next_attempt_at=timezone.now())
        deliver_due()
        Delivery.objects.update(state="done")
    assert len(kinds("webhook.failing")) == 2


def test_a_pause_ends_what_waits_and_it_can_be_sent_again(make, owe, receiver, hub, repository):
    receiver.statuses = [500, 200]
    hook, other = make(), make()
    rows = [owe(hook), owe(hook), owe(hook, "b")]
    (kept,) = [owe(other, "c")]
    failing_for(hook, days=6)
    assert deliver(rows[0].pk)
    for row in rows:
        row.refresh_from_db()
        assert row.state == "gave_up"
        assert row.lease_until is None
    assert [row.attempts.get().status for row in rows] == [500, None, None]
    assert {row.attempts.get().error for row in rows[1:]} == {pausing.PAUSED}
    kept.refresh_from_db()
    assert kept.state == "due"
    event = Event.objects.get(kind="webhook.paused")
    assert (event.repository_id, event.namespace_id) == (repository.pk, repository.namespace_id)
    assert event.dispatched_at is None  # it is told, not only audited

    mail = OutgoingMail.objects.get()
    assert mail.to == "alice@example.com"
    assert f"https://hub.example/alice/app/-/webhooks/{hook.pk}" in mail.text
    assert "alice/app" in mail.text
    assert receiver.url not in mail.text  # a path may be a password

    Webhook.objects.filter(pk=hook.pk).update(paused_at=None, failing_since=None)
    Delivery.objects.filter(pk=rows[1].pk).update(state="due", attempt_count=0)
    assert deliver(rows[1].pk)
    rows[1].refresh_from_db()
    assert rows[1].state == "done"


def test_it_is_never_paused_where_the_operator_says_so(make, owe, receiver, hub):
    hub(webhook_pause_after_days=0)
    receiver.statuses = [500]
    hook = make()
    failing_for(hook, days=300)
    owe(hook)
    deliver_due()
    hook.refresh_from_db()
    assert hook.paused_at is None


def test_gone_switches_off_at_once_with_mail_and_audit(make, owe, receiver):
    receiver.statuses = [410]
    hook = make()
    rows = [owe(hook), owe(hook)]
    deliver(rows[0].pk)
    hook.refresh_from_db()
    assert not hook.active
    assert [row.attempts.get().status for row in rows] == [410, None]
    assert "gone" in rows[0].attempts.get().error
    assert rows[1].attempts.get().error == pausing.GONE
    assert {Delivery.objects.get(pk=row.pk).state for row in rows} == {"gave_up"}
    audited = Event.objects.get(kind="webhook.gone")
    assert audited.dispatched_at is not None
    assert audited.payload == {"webhook_id": hook.pk, "host": host_of(receiver.url)}
    assert "410" in OutgoingMail.objects.get().text


def test_what_was_refused_by_the_hub_does_not_count(make, owe, receiver):
    hook = make(active=False)
    owe(hook)
    deliver_due()
    hook.refresh_from_db()
    assert hook.failing_since is None


@pytest.fixture
def people(alice, repository):
    def person(name, **more):
        made = create_user(username=name, email=f"{name}@example.com", password="correct horse 9")
        type(made).objects.filter(pk=made.pk).update(**more)
        return made

    for name, role in (("carol", "admin"), ("dave1", "write")):
        Collaborator.objects.create(repository=repository, user=person(name), role=role)
    unconfirmed = person("erin1", is_verified=False)
    Collaborator.objects.create(repository=repository, user=unconfirmed, role="admin")
    closed = person("frank", is_active=False)
    Collaborator.objects.create(repository=repository, user=closed, role="admin")
    person("root1", is_superuser=True)
    organization = Organization.objects.create(name="acme")
    space = Namespace.objects.create(name="acme", kind="org", organization=organization)
    for name, role in (("grace", "owner"), ("heidi", "member")):
        Membership.objects.create(organization=organization, user=person(name), role=role)
    return {"acme": space, "alice": alice.namespace}


@pytest.mark.parametrize(
    ("owner", "names", "path"),
    [
        ("repository", ["alice", "carol"], "/alice/app/-/webhooks/"),
        ("alice", ["alice"], "/alice/-/webhooks/"),
        ("acme", ["grace"], "/acme/-/webhooks/"),
        ("server", ["root1"], "/admin/webhooks/"),
    ],
)
def test_who_is_written_to_and_with_which_page(make, people, owner, names, path):
    more = {} if owner == "repository" else {"repository": None, "namespace": people.get(owner)}
    hook = make(**more)
    assert [user.username for user in pausing.keepers(hook)] == names
    assert pausing.page_of(hook) == f"{path}{hook.pk}"
    failing_for(hook, days=9)
    assert pausing.failed(hook, timezone.now())
    mails = OutgoingMail.objects.order_by("id")
    assert [mail.to for mail in mails] == [f"{name}@example.com" for name in names]
    assert all(f"https://hub.example{path}{hook.pk}" in mail.text for mail in mails)
