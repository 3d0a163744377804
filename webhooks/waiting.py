"""Why a delivery that is owed has not been sent yet; says what `claims` decides by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.conf import settings
from django.utils import timezone

from webhooks.models import Delivery, Receiver

Why = Literal["off", "paused", "sending", "order", "breaker", "later", "busy", ""]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The reason that counts first. `until` is when that ends, `behind` what goes before it."""

    why: Why = ""
    until: datetime | None = None
    behind: Delivery | None = None


def waiting(delivery: Delivery) -> Waiting:
    """Of a delivery with its webhook; three queries at most, none if it is settled."""
    if delivery.state != Delivery.State.DUE:
        return Waiting()
    now, webhook = timezone.now(), delivery.webhook
    if delivery.lease_until and delivery.lease_until > now:
        return Waiting("sending")
    if not webhook.active:
        return Waiting("off")
    if webhook.paused_at is not None:
        return Waiting("paused")
    before = _before(delivery)
    if before is not None:
        return Waiting("order", before.next_attempt_at, before)
    closed = Receiver.objects.filter(host=delivery.host, closed_until__gt=now).first()
    if closed is not None:
        return Waiting("breaker", closed.closed_until)
    if delivery.next_attempt_at > now:
        return Waiting("later", delivery.next_attempt_at)
    under_way = Delivery.objects.filter(host=delivery.host, lease_until__gt=now).count()
    if under_way >= settings.HUB.webhook_slots_per_host:
        return Waiting("busy")
    return Waiting()


def _before(delivery: Delivery) -> Delivery | None:
    """The one of the same hook and tag that is owed for longer."""
    if not delivery.order_key:
        return None
    same = Delivery.objects.filter(
        webhook=delivery.webhook_id, order_key=delivery.order_key, state=Delivery.State.DUE
    )
    first = same.order_by("owed_at", "id").select_related("event").first()
    return None if first is None or first.pk == delivery.pk else first
