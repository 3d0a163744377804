"""Celery entry points."""

from __future__ import annotations

from celery import shared_task

from accounts.services import mail


@shared_task(name="accounts.tasks.send_mails")  # type: ignore[untyped-decorator]
def send_mails() -> None:
    """Send the mails that are due."""
    mail.send_due()
