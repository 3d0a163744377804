"""Giving each new event to every handler, once, in one transaction an event."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import OperationalError
from django.utils import timezone

from core.db import alone
from events.models import Event

Handler = Callable[[Event], None]
STUCK_S = 20.0  # for a lock; who waits longer had better free their task slot and come back
_handlers: list[Handler] = []
log = logging.getLogger(__name__)


def register(handler: Handler) -> None:
    """Add a handler; called from `AppConfig.ready`. A handler only inserts rows."""
    if handler not in _handlers:
        _handlers.append(handler)


def drain(limit: int = 500) -> int:
    """Dispatch waiting events in commit order; returns how many.

    An event that a handler fails on is logged and waits for the next run; the others go on.
    """
    done = last = interrupted = 0
    while done < limit:
        try:
            event_id = _dispatch_after(last)
        except _Failed as failed:
            if isinstance(failed.__cause__, OperationalError) and failed.event_id != interrupted:
                interrupted = failed.event_id  # a deadlock, say; what comes after it would overtake
                continue
            log.exception("a handler failed on event %s; it will be tried again", failed.event_id)
            last = failed.event_id
            continue
        if event_id is None:
            break
        last = event_id
        done += 1
    return done


class _Failed(Exception):
    """A handler's error, with the event it failed on."""

    def __init__(self, event_id: int) -> None:
        super().__init__(event_id)
        self.event_id = event_id


def _dispatch_after(last: int) -> int | None:
    # One at a time: what one event owes must not come to be after what a later one does.
    with alone("events.dispatch", at_most_s=STUCK_S):
        waiting = Event.objects.filter(dispatched_at__isnull=True, pk__gt=last).order_by("id")
        event = waiting.first()
        if event is None:
            return None
        for handler in _handlers:
            try:
                handler(event)
            except Exception as error:  # one event must not stop all that come after it
                raise _Failed(event.pk) from error
        event.dispatched_at = timezone.now()
        event.save(update_fields=["dispatched_at"])
        return event.pk
