"""Leaving a host alone that does not work: its circuit breaker.

A row of `Receiver` exists only for a host that has failed since it last worked. What is called
failing: no connection, no answer in time, an answer of 5xx. A 4xx is a host that works.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from webhooks.models import Receiver

LONGEST_S = 300.0


@dataclass(frozen=True, slots=True)
class State:
    """Of one host: whether it failed last, and whether nothing is sent there for now."""

    failed: bool
    closed: bool


def state_of(host: str) -> State:
    """How the host has been doing."""
    row = Receiver.objects.filter(host=host).first()
    if row is None:
        return State(failed=False, closed=False)
    closed = row.closed_until is not None and row.closed_until > timezone.now()
    return State(failed=row.failures > 0, closed=closed)


def succeeded(host: str) -> None:
    """It works: all is forgotten."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM webhooks_receiver WHERE host = %s", [host])


def failed(host: str) -> float:
    """Count a failure; returns for how many seconds nothing is sent there now, 0 for not at all.

    After `HUB_WEBHOOK_BREAKER_FAILURES` in a row that is `HUB_WEBHOOK_BREAKER_S`, twice as long
    after each further one, at most five minutes. Call it inside a transaction: the row stays
    locked until its end, so that no failure is lost to another worker's.
    """
    rows = Receiver.objects.filter(host=host)
    if not rows.update(failures=F("failures") + 1):
        Receiver.objects.bulk_create([Receiver(host=host)], ignore_conflicts=True)
        rows.update(failures=F("failures") + 1)
    beyond = rows.values_list("failures", flat=True).get() - settings.HUB.webhook_breaker_failures
    if beyond < 0:
        return 0.0
    closed_s: float = min(settings.HUB.webhook_breaker_s * 2.0 ** min(beyond, 20), LONGEST_S)
    rows.update(closed_until=timezone.now() + timedelta(seconds=closed_s))
    return closed_s
