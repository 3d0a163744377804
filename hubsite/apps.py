"""App registration of `hubsite`."""

from __future__ import annotations

from django.apps import AppConfig


class HubsiteConfig(AppConfig):
    name = "hubsite"

    def ready(self) -> None:
        """Register the system checks."""
        import hubsite.checks  # noqa: F401
