"""App registration of `hubsite`."""

from __future__ import annotations

from django.apps import AppConfig


class HubsiteConfig(AppConfig):
    name = "hubsite"
