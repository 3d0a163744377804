"""From an event to the facts it may have changed."""

from __future__ import annotations

from events.models import Event
from search.services import refresh

CHANGING = ("tag.moved", "tag.deleted", "manifest.deleted", "repository.restored")


def on_event(event: Event) -> None:
    """Look at the repository again if its content changed."""
    if event.kind in CHANGING and event.repository_id is not None:
        refresh([event.repository_id])
