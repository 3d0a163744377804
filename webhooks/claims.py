"""Which delivery may be sent now: in order, not too many to one host, none to one that is down.

A claim is a lease on the delivery's row. What is held back is not counted as a try; whoever sends
to a host looks for the host's next one afterwards, so nobody needs to be told that a place is free.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection, models
from django.db.models import Exists, Min, OuterRef, Q, QuerySet
from django.utils import timezone

from core.db import relaxed, wait_for
from core.prepared import Prepared
from events.models import Event
from webhooks.models import Delivery, Receiver, Webhook

LEASE_MARGIN_S = 10.0  # beyond the receiver's time: to look again, and to note how it went
STUCK_S = 10.0  # for another claim of the same host, which takes milliseconds
_PORTS = {"http": 80, "https": 443}
_MAX_HOST_CHARS = 300
_MAX_KEY_CHARS = 200


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to make one try at a delivery to `host`; `until` tells it from any other.

    The delivery comes with event, webhook, repository and namespace. `troubled` says that the host
    has failed since it last worked.
    """

    delivery: Delivery
    host: str
    until: datetime
    troubled: bool


def order_key(event: Event) -> str:
    """What must arrive in the order it happened: one tag of one repository; empty for the rest."""
    tag = event.payload.get("tag")
    if event.repository_id is None or not isinstance(tag, str) or not tag:
        return ""
    return f"{event.repository_id}:{tag}"[:_MAX_KEY_CHARS]


def host_of(url: str) -> str:
    """Lower-case `host:port` of an address, with the scheme's own port where none is given."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:  # no number; such an address is refused before it is ever called
        port = None
    name = (parts.hostname or "").rstrip(".")
    shown = f"[{name}]" if ":" in name else name
    number = _PORTS.get(parts.scheme.lower(), 0) if port is None else port
    return f"{shown}:{number}"[:_MAX_HOST_CHARS]


def claim(delivery_id: int, *, troubled: bool = True) -> Lease | None:
    """Take the lease of a delivery and count the try; None if it may not be sent just now.

    That is: it is not due, somebody is at it, an older one of its webhook and tag is due, its host
    has as many as it may have, or is left alone for a while. With `troubled` false nothing is given
    to a host that failed last. Two claims for one host wait for each other.
    """
    delivery = _READY.first(delivery_id, timezone.now())
    if delivery is None:
        return None
    hub = settings.HUB
    # The address may have been changed since the delivery came to be.
    host = host_of(delivery.webhook.url)
    values: dict[str, Any] = {
        "id": delivery_id,
        "tries": delivery.attempt_count,
        "host": host,
        "places": hub.webhook_slots_per_host,
        "places_if_failed": 1 if troubled else 0,
    }
    # A claim that a power cut undoes is a try made twice, as with any other claim cut short.
    with relaxed(), connection.cursor() as cursor:
        wait_for(f"webhooks.host {host}", at_most_s=STUCK_S)
        now = timezone.now()  # a lease begins after the wait for the lock, however long that was
        until = now + timedelta(seconds=hub.webhook_timeout_s + LEASE_MARGIN_S)
        values["now"] = connection.ops.adapt_datetimefield_value(now)
        values["until"] = connection.ops.adapt_datetimefield_value(until)
        cursor.execute(_CLAIM, values)
        taken = cursor.fetchall()
    if not taken:
        return None
    delivery.lease_until, delivery.host = until, host
    delivery.attempt_count += 1
    return Lease(delivery, host, until, bool(taken[0][0]))


def next_of(host: str) -> int | None:
    """The delivery to this host that has been waiting for longest and may be sent as to order.

    Of a host that failed, first one of a webhook that is not failing itself: else the many of one
    receiver that is broken would take every try that the host is given, for hours.
    """
    now = timezone.now()
    found = _NEXT.first(host, now)
    if found is not None and found.webhook.failing_since is not None:
        found = _NEXT_SOUND.first(host, now) or found
    return None if found is None else int(found.pk)


def waiting_hosts() -> list[str]:
    """Hosts to which something is due, nobody's, and may be sent; the longest waiting first."""
    now = timezone.now()
    closed = Receiver.objects.filter(host=OuterRef("host"), closed_until__gt=now)
    rows = _due(now).filter(~Exists(closed)).values("host").annotate(first=Min("next_attempt_at"))
    return list(rows.order_by("first").values_list("host", flat=True))


def move(webhook: Webhook) -> None:
    """Tell what waits of a webhook that its address has changed; the rest finds out by itself."""
    host = host_of(webhook.url)
    waiting = Delivery.objects.filter(webhook=webhook, state=Delivery.State.DUE, lease_until=None)
    waiting.exclude(host=host).update(host=host)


def _due(now: Any) -> QuerySet[Delivery]:
    """What is due and nobody's."""
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    return Delivery.objects.filter(free, state=Delivery.State.DUE, next_attempt_at__lte=now)


def _ready(now: Any) -> QuerySet[Delivery]:
    """Of that, what no older one of the same webhook and tag is in the way of."""
    same = Delivery.objects.filter(
        webhook=OuterRef("webhook"), order_key=OuterRef("order_key"), state=Delivery.State.DUE
    )
    # Compared inside the database: its clock may be finer or coarser than a datetime. The first
    # comparison adds nothing but a bound for the index.
    older = same.filter(owed_at__lte=OuterRef("owed_at")).filter(
        Q(owed_at__lt=OuterRef("owed_at"))
        | Q(owed_at=OuterRef("owed_at"), event__lt=OuterRef("event"))
    )
    return _due(now).filter(Q(order_key="") | ~Exists(older))


_READY = Prepared(
    lambda pk, now: (
        _ready(now)
        .select_related("event", "webhook__repository__namespace", "webhook__namespace")
        .filter(pk=pk)
    ),
    models.BigAutoField(),
    models.DateTimeField(),
)


def _next(host: Any, now: Any) -> QuerySet[Delivery]:
    rows = _ready(now).filter(host=host).order_by("next_attempt_at", "id")
    return rows.select_related("webhook").only("pk", "webhook__failing_since")


def _next_sound(host: Any, now: Any) -> QuerySet[Delivery]:
    failed = Receiver.objects.filter(host=host)
    return _next(host, now).filter(Exists(failed), webhook__failing_since=None)


_NEXT = Prepared(lambda host, now: _next(host, now)[:1], models.CharField(), models.DateTimeField())
_NEXT_SOUND = Prepared(
    lambda host, now: _next_sound(host, now)[:1], models.CharField(), models.DateTimeField()
)
# All that `_ready` asks for once more, and what else there is to be decided, in one statement.
_CLAIM = """
UPDATE webhooks_delivery
SET lease_until = %(until)s, host = %(host)s, attempt_count = attempt_count + 1
WHERE id = %(id)s AND attempt_count = %(tries)s AND state = 'due' AND next_attempt_at <= %(now)s
AND (lease_until IS NULL OR lease_until <= %(now)s)
AND (order_key = '' OR NOT EXISTS (
    SELECT 1 FROM webhooks_delivery older
    WHERE older.webhook_id = webhooks_delivery.webhook_id
    AND older.order_key = webhooks_delivery.order_key AND older.state = 'due'
    AND older.owed_at <= webhooks_delivery.owed_at
    AND (older.owed_at < webhooks_delivery.owed_at
         OR (older.owed_at = webhooks_delivery.owed_at
             AND older.event_id < webhooks_delivery.event_id))))
AND NOT EXISTS (
    SELECT 1 FROM webhooks_receiver WHERE host = %(host)s AND closed_until > %(now)s)
AND (SELECT COUNT(*) FROM webhooks_delivery busy
     WHERE busy.host = %(host)s AND busy.lease_until > %(now)s)
    < CASE WHEN EXISTS (SELECT 1 FROM webhooks_receiver WHERE host = %(host)s)
      THEN %(places_if_failed)s ELSE %(places)s END
RETURNING EXISTS (SELECT 1 FROM webhooks_receiver WHERE host = %(host)s)
"""
