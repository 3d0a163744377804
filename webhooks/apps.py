"""App registration of `webhooks`."""

from __future__ import annotations

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"

    def ready(self) -> None:
        """Hear of events, and look for due deliveries: wake-ups may be lost."""
        from events import dispatch, jobs, retention
        from webhooks import handlers, history, lanes, promotions

        dispatch.register(handlers.on_event)
        dispatch.register(promotions.on_event)
        jobs.every(15, "webhooks.sweep", lanes.sweep)
        jobs.every(3600, "webhooks.forget_old", history.forget_old)
        retention.spare(history.without_deliveries)
