"""How long notices are kept."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from notices.models import Notice

BATCH = 1000
_MOST = 200  # batches in one run; the next run goes on


def forget_old() -> int:
    """Delete notices older than `HUB_NOTICE_DAYS`, read or not; returns how many."""
    old = Notice.objects.filter(
        created_at__lt=timezone.now() - timedelta(days=settings.HUB.notice_days)
    )
    gone = 0
    for _ in range(_MOST):
        keys = list(old.order_by("created_at").values_list("pk", flat=True)[:BATCH])
        if not keys:
            break
        gone += Notice.objects.filter(pk__in=keys).delete()[0]
    return gone
