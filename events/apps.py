"""App registration of `events`."""

from __future__ import annotations

from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"

    def ready(self) -> None:
        """Sweep the outbox now and then: wake-ups may be lost."""
        from events import dispatch, jobs

        jobs.every(10, "events.drain", dispatch.drain)
