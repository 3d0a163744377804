"""App registration of `notices`."""

from __future__ import annotations

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "notices"

    def ready(self) -> None:
        """Hear of events; look for mails that are due and for news of watched searches."""
        from events import dispatch, jobs
        from notices import handlers, tasks
        from notices.services import mailing, retention

        dispatch.register(handlers.on_event)
        handlers.connect()
        jobs.every(30, "notices.send_mails", mailing.send_due)
        jobs.every(3600, "notices.look_again", tasks.look_again)
        jobs.every(3600, "notices.forget_old", retention.forget_old)
