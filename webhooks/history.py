"""How long the log of deliveries goes back."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from events.models import Event
from webhooks import breaker
from webhooks.models import Delivery

BATCH = 500
_MOST = 200  # batches in one run; the next run goes on


def forget_old() -> int:
    """Delete settled deliveries that were last asked for longer than `HUB_DELIVERY_DAYS` ago, and
    what is known of hosts to which nothing is owed; returns how many deliveries."""
    breaker.forget_unused()
    days = settings.HUB.delivery_days
    if not days:
        return 0
    before = timezone.now() - timedelta(days=days)
    old = Delivery.objects.filter(owed_at__lt=before).exclude(state=Delivery.State.DUE)
    held = old.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    gone = 0
    for _ in range(_MOST):
        with transaction.atomic():  # nobody asks for one again between the look and the end
            keys = list(held.order_by("pk").values_list("pk", flat=True)[:BATCH])
            if not keys:
                break
            gone += Delivery.objects.filter(pk__in=keys).delete()[1].get("webhooks.Delivery", 0)
    return gone


def without_deliveries(events: QuerySet[Event]) -> QuerySet[Event]:
    """Those that no delivery is about; the body of a delivery is made from its event."""
    return events.filter(~Exists(Delivery.objects.filter(event=OuterRef("pk"))))
