"""App registration of `tokens`."""

from __future__ import annotations

from django.apps import AppConfig


class TokensConfig(AppConfig):
    name = "tokens"

    def ready(self) -> None:
        """Forget dead refresh tokens now and then."""
        from events import jobs
        from tokens import refresh

        jobs.every(24 * 3600, "tokens.sweep", refresh.sweep)
