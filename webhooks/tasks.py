"""Celery entry points."""

from __future__ import annotations

from celery import shared_task

from webhooks import services


@shared_task(name="webhooks.tasks.deliver")  # type: ignore[untyped-decorator]
def deliver(delivery_id: int) -> None:
    """Make one try, if it is due and nobody else is at it."""
    services.deliver(delivery_id)
