"""App registration of `registry`."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class RegistryConfig(AppConfig):
    name = "registry"

    def ready(self) -> None:
        """Collect and write the journal now and then, and warn of quotas."""
        from events import dispatch, jobs
        from registry.services import collect, journal, quotas

        dispatch.register(quotas.on_event)
        jobs.every(settings.HUB.collect_interval_s, "registry.collect", collect.collect)
        jobs.every(24 * 3600, "registry.sweep", collect.sweep)
        jobs.every(journal.EVERY_S, journal.JOB, journal.catch_up)
        jobs.every(24 * 3600, "registry.journal_all", journal.catch_up_all)
