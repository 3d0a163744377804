"""Celery entry points; they only say where to look."""

from __future__ import annotations

from celery import shared_task, signals

from webhooks.lanes import lanes, serve


@shared_task(name="webhooks.tasks.deliver")  # type: ignore[untyped-decorator]
def deliver(delivery_id: int) -> None:
    """Make one try, if it is due, its turn, and nobody else is at it."""
    lanes().deliver(delivery_id)


@shared_task(name="webhooks.tasks.visit")  # type: ignore[untyped-decorator]
def visit(hosts: list[str]) -> None:
    """Send what is due to these hosts."""
    for host in hosts:
        lanes().visit(host)


@signals.worker_ready.connect  # type: ignore[untyped-decorator]
def start(**_: object) -> None:
    """What tasks of this process owe is sent from here, without another message."""
    serve()


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]
def stop(**_: object) -> None:
    """Begin no more deliveries; the process ends when those under way have."""
    lanes().close()
