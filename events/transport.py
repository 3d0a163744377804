"""The embedded Celery broker: a kombu virtual transport on Django's own database.

A message is a row of `QueueMessage`. Publishing inserts it through the caller's connection, hence
inside the caller's transaction. A consumer claims a row under a lease, renews the lease while it
works and deletes the row when it is done; the rows of a consumer that died come back by themselves.
kombu has no types and promises no interface for virtual transports: its version is pinned, and
tests/contract/test_transport.py holds what is relied upon.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from datetime import UTC, datetime
from queue import Empty
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Q, QuerySet
from kombu.transport import virtual
from kombu.utils.json import dumps, loads

from events.models import QueueMessage

MAX_READS = 5
LEASE_S = 60.0
POLLING_INTERVAL_S = 0.1
MAX_DRAIN_S = 0.5
ERROR_PAUSE_S = 1.0
DATABASE_ERRORS = (OperationalError, InterfaceError)
READY = "queue = %s AND visible_at <= %s AND NOT dead"
PROBE = f"SELECT 1 FROM events_queuemessage WHERE {READY} LIMIT 1"  # noqa: S608 - constants only
CLAIM = f"""
UPDATE events_queuemessage
SET visible_at = %s, lease = %s, reads = reads + 1, dead = (reads >= %s)
WHERE id = (SELECT id FROM events_queuemessage WHERE {READY}
            ORDER BY priority DESC, visible_at, id LIMIT 1 {{lock}})
RETURNING id, payload, reads, dead
"""  # noqa: S608 - constants only

log = logging.getLogger(__name__)


def _drop_connection() -> None:
    """Let the next query of this thread connect anew."""
    if not connection.in_atomic_block:
        connection.close()


def _held(delivery_tag: str) -> QuerySet[QueueMessage]:
    """The row behind a delivery, if its lease is still ours."""
    pk, _, lease = delivery_tag.partition(":")
    return QueueMessage.objects.filter(pk=int(pk), lease=lease)


def _due(message: dict[str, Any], now: float) -> float:
    """When a message may be delivered at the earliest, in seconds since 1970."""
    eta = (message.get("headers") or {}).get("eta")
    if not eta:
        return now
    moment = datetime.fromisoformat(eta) if isinstance(eta, str) else eta
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(now, float(moment.timestamp()))


class QoS(virtual.QoS):  # type: ignore[misc]
    """Deliveries being worked on. One thread adds them, those of the pool settle them."""

    def held(self) -> list[str]:
        """Delivery tags neither acknowledged nor rejected yet."""
        return [tag for tag in list(self._delivered) if tag not in self._dirty]

    def ack(self, delivery_tag: str) -> None:
        """Delete the message; if the database refuses, the lease runs out and it comes back."""
        self._delete(delivery_tag)
        super().ack(delivery_tag)
        self.channel.wake()

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Delete the message, or make it visible at once with `requeue`."""
        if not requeue:
            self._delete(delivery_tag)
        super().reject(delivery_tag, requeue=requeue)
        self.channel.wake()

    def _delete(self, delivery_tag: str) -> None:
        for last in (False, True):
            try:
                _held(delivery_tag).delete()
            except DATABASE_ERRORS as error:
                _drop_connection()
                if last:
                    log.warning("message %s will run again: %s", delivery_tag, error)
            else:
                return


class Channel(virtual.Channel):  # type: ignore[misc]
    """Puts, claims and settles messages."""

    QoS = QoS
    supports_fanout = False
    lease_s = LEASE_S
    from_transport_options = (*virtual.Channel.from_transport_options, "lease_s")

    def wake(self) -> None:
        """End the wait of a consumer whose prefetch window was full."""
        if self.connection is not None:
            self.connection.freed.set()

    def renew(self) -> None:
        """Prolong the leases of all deliveries that are still being worked on."""
        held = self.qos.held()
        if not held:
            return
        parts = [tag.partition(":") for tag in held]
        try:
            QueueMessage.objects.filter(
                pk__in=[int(pk) for pk, _, _ in parts], lease__in=[lease for _, _, lease in parts]
            ).update(visible_at=time.time() + self.lease_s)
        except DATABASE_ERRORS as error:
            log.warning("leases not renewed: %s", error)
            _drop_connection()

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        """Insert one row; it commits or rolls back with the caller's transaction."""
        QueueMessage.objects.create(
            queue=queue,
            priority=self._get_message_priority(message),
            visible_at=_due(message, time.time()),
            payload=dumps(message),
        )

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        """Claim the next message; raises `queue.Empty` if there is none or no database.

        A lost database is not passed on: Celery would restart its consumer and hand out again
        what its threads are still working on.
        """
        try:
            while True:
                lease = uuid.uuid4().hex
                pk, payload, reads, dead = self._claim(queue, lease)
                if not dead:
                    return self._delivery(loads(payload), f"{pk}:{lease}", reads)
                log.error("message %s of queue %s given up after %d reads", pk, queue, MAX_READS)
        except DATABASE_ERRORS as error:
            log.warning("queue %s not readable: %s", queue, error)
            _drop_connection()
            time.sleep(ERROR_PAUSE_S)
            raise Empty from error

    def _claim(self, queue: str, lease: str) -> tuple[int, str, int, bool]:
        skip = connection.features.has_select_for_update_skip_locked
        now = time.time()
        with connection.cursor() as cursor:
            # Looking first keeps an idle consumer from ever taking SQLite's write lock.
            cursor.execute(PROBE, [queue, now])
            if cursor.fetchone() is None:
                raise Empty
            cursor.execute(
                CLAIM.format(lock="FOR UPDATE SKIP LOCKED" if skip else ""),
                [now + self.lease_s, lease, MAX_READS, queue, now],
            )
            rows = cursor.fetchall()  # SQLite commits when the last row was fetched
        if not rows:
            raise Empty
        pk, payload, reads, dead = rows[0]
        return pk, payload, reads, bool(dead)

    def _delivery(self, message: dict[str, Any], tag: str, reads: int) -> dict[str, Any]:
        properties = message["properties"]
        properties["delivery_tag"] = tag
        properties["delivery_info"]["redelivered"] = reads > 1
        if (message.get("headers") or {}).get("eta"):
            # It is due; the worker would only put it through its timer again.
            message["headers"]["eta"] = None
        return message

    def _restore(self, message: Any) -> None:
        """Give back what a consumer that is closing did not finish; that is no failed read."""
        _held(message.delivery_tag).filter(reads__gt=0).update(
            visible_at=time.time(), lease="", reads=F("reads") - 1
        )

    def _restore_at_beginning(self, message: Any) -> None:
        """Requeue; the read stays counted, or a task that kills its worker would loop for ever."""
        _held(message.delivery_tag).update(visible_at=time.time(), lease="")

    def _purge(self, queue: str) -> int:
        """Delete what nobody works on; returns how many."""
        free = Q(lease="") | Q(visible_at__lte=time.time())
        return QueueMessage.objects.filter(free, queue=queue, dead=False).delete()[0]


class Transport(virtual.Transport):  # type: ignore[misc]
    """`hubdb://`; options: `lease_s`, `polling_interval`, both in seconds."""

    Channel = Channel
    driver_type = "sql"
    driver_name = "hubdb"
    polling_interval = POLLING_INTERVAL_S
    connection_errors = (*virtual.Transport.connection_errors, *DATABASE_ERRORS)

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.freed = threading.Event()
        self._renew_at = 0.0

    @property
    def default_connection_params(self) -> dict[str, Any]:
        """Empty: there is no host or port that kombu could fill in."""
        return {}

    def driver_version(self) -> str:
        """The version that `celery report` prints."""
        return "1"

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Deliver one message; raises `TimeoutError` if none came in time.

        Returns control at least every half second, so that a worker notices a stop soon.
        """
        deadline = time.monotonic() + min(timeout, MAX_DRAIN_S) if timeout is not None else None
        while True:
            self.freed.clear()
            self._renew_leases()
            try:
                self.cycle.get(self._deliver, timeout=timeout)
            except Empty:
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError from None
                # An acknowledgement rings: with a full window this is not a whole interval lost.
                self.freed.wait(self.polling_interval)
            else:
                return

    def _renew_leases(self) -> None:
        now = time.monotonic()
        if now >= self._renew_at:
            leases = [channel.lease_s for channel in self.channels]
            for channel in list(self.channels):
                channel.renew()
            self._renew_at = now + min(leases, default=LEASE_S) / 3
