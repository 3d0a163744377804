"""Recording facts inside the caller's transaction, and waking whoever tells of them."""

from __future__ import annotations

from typing import Any

from events.models import Event
from events.types import Actor
from events.wake import wake


def record(
    kind: str,
    *,
    actor: Actor,
    repository_id: int | None = None,
    repository_path: str = "",
    payload: dict[str, Any] | None = None,
) -> Event:
    """Add an event to the outbox; call it inside the transaction that makes it true.

    After the commit the dispatcher is woken; if that wake-up is lost, its periodic run finds the
    row.
    """
    event = Event.objects.create(
        kind=kind,
        actor_id=actor.id,
        actor_name=actor.name,
        repository_id=repository_id,
        repository_path=repository_path,
        payload=payload or {},
    )
    wake("events.tasks.drain")
    return event
