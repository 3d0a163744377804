"""App registration of `repos`."""

from __future__ import annotations

from django.apps import AppConfig


class ReposConfig(AppConfig):
    name = "repos"

    def ready(self) -> None:
        """Requests for access are taken up after the answer to whoever asks."""
        from events import dispatch
        from repos.services import access_requests

        dispatch.register(access_requests.take_up)
