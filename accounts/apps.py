"""App registration of `accounts`."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Sweep the mails that are owed now and then: wake-ups may be lost. Warn of tokens that
        end soon. Take away what is left of deleted organizations."""
        from accounts import handlers
        from accounts.services import expiring, mail, organizations
        from events import jobs

        handlers.connect()
        jobs.every(60, "accounts.send_mails", mail.send_due)
        jobs.every(3600, "accounts.warn_expiring", expiring.warn_expiring)
        jobs.every(3600, "accounts.drop_emptied", organizations.drop_emptied)
