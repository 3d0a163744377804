"""Asking for deliveries: a test, once more what failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from core.errors import NotFound
from events.models import Event
from events.services import record
from events.types import Actor
from events.wake import wake
from repos.models import Repository, Visibility
from webhooks import lanes
from webhooks.claims import host_of, order_key
from webhooks.errors import DeliveryBusy, WebhookInactive
from webhooks.filters import Filters, facts_of
from webhooks.models import Delivery, Webhook
from webhooks.owners import Owner, owner_of
from webhooks.types import NAMES, OWN_NAMESPACE_ONLY, PING_KIND, PUSH

LOOKED_AT = 50  # pushes among which a test looks for one that fits
MAX_AT_ONCE = 1000
PUSH_KIND = "tag.moved"


def ping(webhook: Webhook, *, actor: Actor, event: Event | None = None) -> Delivery:
    """Owe this webhook, and no other, a test that shows a real earlier push.

    Without `event` it is the newest of its owner's last ones that its filters let pass, else the
    newest; before the first push the test shows none. The event names no repository: others who
    follow the repository need not know of webhooks. Raises WebhookInactive, NotFound.
    """
    if not webhook.active:
        raise WebhookInactive("This webhook is switched off; switch it on to test it.")
    if webhook.paused_at is not None:
        raise WebhookInactive("This webhook is paused; resume it to test it.")
    shown = _fitting(webhook) if event is None else _own(webhook, event)
    payload = {"webhook_id": webhook.pk, "of": shown.pk if shown else None}
    with transaction.atomic():
        told = record(PING_KIND, actor=actor, payload=payload)
        (delivery,) = owe([(webhook, told)])
    return delivery


def redeliver(delivery: Delivery) -> Delivery:
    """Send once more, with the same event id and all tries anew; raises DeliveryBusy."""
    with transaction.atomic():
        if not _owe_again(Delivery.objects.filter(pk=delivery.pk), delivery.webhook):
            raise DeliveryBusy("This delivery is being sent just now; look again in a moment.")
        wake("webhooks.tasks.deliver", delivery.pk)
    delivery.refresh_from_db()
    return delivery


def redeliver_all(webhook: Webhook) -> int:
    """Send what was given up once more, oldest first, at most `MAX_AT_ONCE`; returns how many."""
    lost = Delivery.objects.filter(webhook=webhook, state=Delivery.State.GAVE_UP)
    return owe_again(lost, webhook)


def owe(owed: Iterable[tuple[Webhook, Event]]) -> list[Delivery]:
    """Owe events to webhooks that are not owed them yet, and wake whoever sends."""
    made = Delivery.objects.bulk_create(
        Delivery(
            webhook=webhook,
            event=event,
            host=host_of(webhook.url),
            order_key=order_key(event),
            next_attempt_at=timezone.now(),
        )
        for webhook, event in owed
    )
    _wake({delivery.host for delivery in made})
    return made


def owe_again(rows: QuerySet[Delivery], webhook: Webhook) -> int:
    """Send these of one webhook once more, oldest first, at most `MAX_AT_ONCE`; returns how many
    were free."""
    with transaction.atomic():
        some = rows.order_by("pk").values_list("pk", flat=True)[:MAX_AT_ONCE]
        done = _owe_again(Delivery.objects.filter(pk__in=list(some)), webhook)
        _wake({host_of(webhook.url)})
    return done


def events_of(owner: Owner) -> QuerySet[Event]:
    """What webhooks of this owner can be told of, newest first.

    Of the server only what is public now: to administer it opens no private repository.
    """
    rows = Event.objects.filter(kind__in=NAMES).order_by("-id")
    if owner.repository is not None:
        return rows.filter(repository_id=owner.repository.pk)
    there = Repository.objects.filter(pk=OuterRef("repository_id"))
    if owner.namespace is not None:
        here = Q(repository_id=None) | Exists(there.filter(namespace=owner.namespace))
        return rows.filter(here, namespace_id=owner.namespace.pk)
    here = Q(repository_id=None) | Exists(there.filter(visibility=Visibility.PUBLIC))
    return rows.filter(here).exclude(kind__in=OWN_NAMESPACE_ONLY)


def pushes_of(owner: Owner) -> QuerySet[Event]:
    """The pushes among these, as far as the repository is still there."""
    there = Repository.objects.filter(pk=OuterRef("repository_id"), state=Repository.State.ACTIVE)
    return events_of(owner).filter(Exists(there), kind=PUSH_KIND)


def get_push(owner: Owner, uid: UUID) -> Event:
    """One of those by its stable id; raises NotFound."""
    found = pushes_of(owner).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such push here.")
    return found


def _wake(hosts: set[str]) -> None:
    lanes.ring(hosts)


def _own(webhook: Webhook, event: Event) -> Event:
    return get_push(owner_of(webhook), event.uid)


def _fitting(webhook: Webhook) -> Event | None:
    filters = replace(Filters.of(webhook), events=(PUSH,))
    last = list(pushes_of(owner_of(webhook))[:LOOKED_AT])
    fits = (e for e, fact in zip(last, facts_of(last), strict=True) if not filters.refusal(fact))
    return next(fits, last[0] if last else None)


def _owe_again(rows: QuerySet[Delivery], webhook: Webhook) -> int:
    """How many of them were free, and are due now; `owed_at` puts them behind what came since.

    They go where the webhook leads today: often its address was the reason that they failed.
    """
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    return rows.filter(free).update(
        state=Delivery.State.DUE,
        attempt_count=0,
        next_attempt_at=now,
        lease_until=None,
        owed_at=Now(),
        host=host_of(webhook.url),
    )
