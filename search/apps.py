"""App registration of `search`."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SearchConfig(AppConfig):
    name = "search"

    def ready(self) -> None:
        """Hear of pushes; look after what was missed; keep the index through migrations."""
        from events import dispatch, jobs
        from search import handlers, index, services

        dispatch.register(handlers.on_event)
        jobs.every(services.CATCH_UP_S, "search.catch_up", services.catch_up)
        jobs.every(24 * 3600, "search.refresh_all", services.refresh_all)
        post_migrate.connect(index.ensure, sender=self)
