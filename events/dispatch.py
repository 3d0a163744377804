"""Giving each new event to every handler, once, in one transaction an event."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import connection, transaction
from django.utils import timezone

from events.models import Event

Handler = Callable[[Event], None]
_handlers: list[Handler] = []
log = logging.getLogger(__name__)


def register(handler: Handler) -> None:
    """Add a handler; called from `AppConfig.ready`. A handler only inserts rows."""
    if handler not in _handlers:
        _handlers.append(handler)


def drain(limit: int = 500) -> int:
    """Dispatch waiting events in commit order; returns how many."""
    done = 0
    while done < limit and _dispatch_one():
        done += 1
    return done


def _dispatch_one() -> bool:
    with transaction.atomic():
        waiting = Event.objects.filter(dispatched_at__isnull=True).order_by("id")
        if connection.features.has_select_for_update_skip_locked:
            waiting = waiting.select_for_update(skip_locked=True)
        event = waiting.first()
        if event is None:
            return False
        for handler in _handlers:
            handler(event)
        event.dispatched_at = timezone.now()
        event.save(update_fields=["dispatched_at"])
        return True
