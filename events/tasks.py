"""Celery entry points: the dispatcher and the periodic jobs."""

from __future__ import annotations

from celery import shared_task

from events import dispatch, jobs


@shared_task(name="events.tasks.drain")  # type: ignore[untyped-decorator]  # celery has no types
def drain() -> None:
    """Dispatch what waits in the outbox."""
    dispatch.drain()


@shared_task(name="events.tasks.run_job")  # type: ignore[untyped-decorator]  # celery has no types
def run_job(name: str) -> None:
    """Run one job of the table."""
    jobs.run_job(name)
