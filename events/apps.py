"""App registration of `events`."""

from __future__ import annotations

from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"

    def ready(self) -> None:
        """Sweep the outbox now and then: wake-ups may be lost; forget what is too old."""
        from events import dispatch, jobs, retention

        jobs.every(10, "events.drain", dispatch.drain)
        jobs.every(3600, "events.forget_old", retention.forget_old)
