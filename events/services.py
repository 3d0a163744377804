"""Recording facts inside the caller's transaction, and waking whoever tells of them."""

from __future__ import annotations

import json
from typing import Any

from django.utils import timezone

from core.logs import request_id
from core.prepared import insert
from events.models import Event
from events.types import Actor, origin
from events.wake import wake

MAX_PAYLOAD_BYTES = 4096
_SHORT = 200  # characters that are kept of a long text


def record(
    kind: str,
    *,
    actor: Actor,
    repository_id: int | None = None,
    repository_path: str = "",
    payload: dict[str, Any] | None = None,
    namespace_id: int | None = None,
) -> Event:
    """Add an event to the outbox; call it inside the transaction that makes it true.

    After the commit the dispatcher is woken; if that wake-up is lost, its periodic run finds the
    row.
    """
    event = _event(kind, actor, repository_id, repository_path, namespace_id, payload)
    insert(event)
    wake("events.tasks.drain")
    return event


def audit(
    kind: str,
    *,
    actor: Actor,
    repository_id: int | None = None,
    repository_path: str = "",
    payload: dict[str, Any] | None = None,
    namespace_id: int | None = None,
    outcome: str = "",
) -> Event:
    """Add an event that nobody is told of: it only stands in the audit log."""
    event = _event(kind, actor, repository_id, repository_path, namespace_id, payload)
    event.outcome = outcome
    event.dispatched_at = timezone.now()
    insert(event)
    return event


def _event(
    kind: str,
    actor: Actor,
    repository_id: int | None,
    repository_path: str,
    namespace_id: int | None,
    payload: dict[str, Any] | None,
) -> Event:
    source = origin.get()
    return Event(
        kind=kind,
        actor_id=actor.id,
        actor_name=actor.name,
        credential=actor.credential[:150],
        repository_id=repository_id,
        repository_path=repository_path,
        namespace_id=namespace_id,
        payload=_bounded(payload or {}),
        address=source.address[:45],
        client=source.client,
        request_id=request_id.get(),
    )


def _bounded(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload if it is small; else with long texts cut, or without what is still too long."""
    if _size(payload) <= MAX_PAYLOAD_BYTES:
        return payload
    cut: dict[str, Any] = _cut(payload)
    while _size(cut) > MAX_PAYLOAD_BYTES - 20:
        del cut[max(cut, key=lambda name: _size(cut[name]))]
    return {**cut, "cut": True}


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str).encode())


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[:_SHORT]: _cut(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(inner) for inner in value]
    if isinstance(value, str) and len(value) > _SHORT:
        return f"{value[:_SHORT]}…"
    return value
