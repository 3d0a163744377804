"""App registration of `webhooks`."""

from __future__ import annotations

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"

    def ready(self) -> None:
        """Hear of events, and look for due deliveries: wake-ups may be lost."""
        from events import dispatch, jobs
        from webhooks import handlers, services

        dispatch.register(handlers.on_event)
        jobs.every(15, "webhooks.deliver_due", services.deliver_due)
