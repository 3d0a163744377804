"""How long the log of deliveries goes back."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from events.models import Event
from webhooks.models import Delivery

BATCH = 500
_MOST = 200  # batches in one run; the next run goes on


def forget_old() -> int:
    """Delete settled deliveries older than `HUB_DELIVERY_DAYS`; returns how many."""
    days = settings.HUB.delivery_days
    if not days:
        return 0
    old = Delivery.objects.filter(created_at__lt=timezone.now() - timedelta(days=days)).exclude(
        state=Delivery.State.DUE
    )
    gone = 0
    for _ in range(_MOST):
        keys = list(old.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not keys:
            break
        gone += Delivery.objects.filter(pk__in=keys).delete()[1].get("webhooks.Delivery", 0)
    return gone


def without_deliveries(events: QuerySet[Event]) -> QuerySet[Event]:
    """Those that no delivery is about; the body of a delivery is made from its event."""
    return events.filter(~Exists(Delivery.objects.filter(event=OuterRef("pk"))))
