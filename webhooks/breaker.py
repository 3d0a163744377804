"""Leaving a host alone that does not work: its circuit breaker.

A row of `Receiver` exists only for a host that has failed since it last worked. What is called
failing: no connection, no answer in time, an answer of 5xx. A 4xx is a host that works.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from webhooks.models import Delivery, Receiver

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
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [host])
        beyond: int = cursor.fetchall()[0][0] - settings.HUB.webhook_breaker_failures
    if beyond < 0:
        return 0.0
    closed_s: float = min(settings.HUB.webhook_breaker_s * 2.0 ** min(beyond, 20), LONGEST_S)
    until = timezone.now() + timedelta(seconds=closed_s)
    Receiver.objects.filter(host=host).update(closed_until=until)
    return closed_s


def forget_unused() -> int:
    """Forget hosts to which nothing is owed, or names without end would stay; returns how many."""
    owed = Delivery.objects.filter(host=OuterRef("host"), state=Delivery.State.DUE)
    open_now = Q(closed_until=None) | Q(closed_until__lte=timezone.now())
    return Receiver.objects.filter(open_now, ~Exists(owed)).delete()[0]


# One statement: between two, another worker's success could take the row away.
_COUNT = """
INSERT INTO webhooks_receiver (host, failures) VALUES (%s, 1)
ON CONFLICT (host) DO UPDATE SET failures = webhooks_receiver.failures + 1
RETURNING failures
"""
