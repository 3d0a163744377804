"""How long entries are kept. The only place that deletes any."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from events.models import Event

BATCH = 1000
_MOST = 200  # batches in one run; the next run goes on
Rows = QuerySet[Event]
_still_needed: list[Callable[[Rows], Rows]] = []


def spare(needed: Callable[[Rows], Rows]) -> None:
    """Let an app take those rows out that it still needs; called from `AppConfig.ready`."""
    if needed not in _still_needed:
        _still_needed.append(needed)


def forget_old() -> int:
    """Delete entries older than `HUB_AUDIT_DAYS`, in batches; returns how many.

    Never one that was not dispatched, or that an app still needs.
    """
    days = settings.HUB.audit_days
    if not days:
        return 0
    old = Event.objects.filter(
        occurred_at__lt=timezone.now() - timedelta(days=days), dispatched_at__isnull=False
    )
    for needed in _still_needed:
        old = needed(old)
    gone = 0
    for _ in range(_MOST):
        keys = list(old.order_by("occurred_at").values_list("pk", flat=True)[:BATCH])
        if not keys:
            break
        gone += Event.objects.filter(pk__in=keys).delete()[1].get("events.Event", 0)
    return gone
