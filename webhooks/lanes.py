"""Threads of a worker that wait for receivers, so that its task slots never do.

A task only says where there is something to do; the rows say what. Of one host no more are under
way than it may have, and hosts that failed last share half of the threads: whoever hangs is waited
for by few. What a process that ends had in hand is found by the sweep, or by the next look at the
host.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from threading import BoundedSemaphore, Event, Lock

from django.conf import settings
from django.db import close_old_connections, connections, transaction

from events.wake import wake
from webhooks import claims, sending
from webhooks.claims import Lease

log = logging.getLogger(__name__)
_here = Event()


class Lanes:
    """At most `size` deliveries at once; threads are made when they are needed."""

    def __init__(self, size: int) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="webhook")
        self._troubled = BoundedSemaphore(max(size // 2, 1))
        self._lock = Lock()
        self._asked: set[str | int] = set()
        self._under_way: Counter[str] = Counter()
        self._closed = False

    def visit(self, host: str) -> None:
        """Send what waits for a host, soon and in turn with the others."""
        with self._lock:
            full = self._under_way[host] >= settings.HUB.webhook_slots_per_host
        if not full:
            self._ask(host)

    def deliver(self, delivery_id: int) -> None:
        """Send this one, soon, if it is its turn."""
        self._ask(delivery_id)

    def sweep(self) -> None:
        """Send whatever is due and nobody was woken for."""
        for host in claims.waiting_hosts():
            self.visit(host)

    def close(self, *, wait: bool = False) -> None:
        """Begin nothing more; what is under way goes on, and is waited for with `wait`."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait=wait, cancel_futures=True)

    def _ask(self, what: str | int) -> None:
        with self._lock:
            if not self._closed and what not in self._asked:
                self._asked.add(what)
                self._pool.submit(self._run, what)

    def _run(self, what: str | int) -> None:
        with self._lock:
            self._asked.discard(what)
        close_old_connections()  # begins a new use of this thread's connection, as a task does
        try:
            found = claims.next_of(what) if isinstance(what, str) else what
            lease = None if found is None else self._work(found)
            if lease is not None and isinstance(what, str) and what != lease.host:
                self.visit(what)  # its address was changed; others may wait where it led before
        except Exception:  # a lost database, say; the lease runs out, and the sweep tries again
            log.exception("a webhook delivery was cut short (%s)", what)
        finally:
            with self._lock:
                idle = self._closed or not self._asked
            if idle:
                connections.close_all()  # a lane that only waits holds none

    def _work(self, delivery_id: int) -> Lease | None:
        with self._room_for_trouble() as room:
            lease = claims.claim(delivery_id, troubled=room.taken)
            if lease is None:
                return None
            if not lease.troubled:
                room.give_back()
            with self._lock:
                self._under_way[lease.host] += 1
            try:
                self.visit(lease.host)  # there may be more, and a place for it
                sending.use(lease)
            finally:
                with self._lock:
                    self._under_way[lease.host] -= 1
                    if not self._under_way[lease.host]:
                        del self._under_way[lease.host]
        self.visit(lease.host)
        return lease

    @contextmanager
    def _room_for_trouble(self) -> Iterator[_Room]:
        room = _Room(self._troubled)
        try:
            yield room
        finally:
            room.give_back()


class _Room:
    """A place among those for hosts that failed last, if one was free."""

    def __init__(self, places: BoundedSemaphore) -> None:
        self._places = places
        self.taken = places.acquire(blocking=False)

    def give_back(self) -> None:
        if self.taken:
            self.taken = False
            self._places.release()


@cache
def lanes() -> Lanes:
    """Those of this process."""
    return Lanes(settings.HUB.webhook_slots)


def serve() -> None:
    """From now on this process, a worker, is where its own tasks' deliveries are sent from."""
    lanes()  # before two tasks at once could each make their own
    _here.set()


def ring(hosts: Iterable[str]) -> None:
    """Have hosts visited after the caller's commit: by this process if it is a worker, where no
    message is needed, else by whichever worker gets the message."""
    found = sorted(hosts)
    if not found:
        return
    if _here.is_set():
        for host in found:
            transaction.on_commit(partial(lanes().visit, host))
    else:
        wake("webhooks.tasks.visit", found)


def sweep() -> None:
    """The periodic look for what nobody was woken for."""
    lanes().sweep()
