"""The table of periodic jobs; apps add theirs in `AppConfig.ready`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils import timezone

from events.models import Tick


@dataclass(frozen=True, slots=True)
class Job:
    """A function to run every `interval_s` seconds; safe to run twice at once."""

    name: str
    run: Callable[[], object]
    interval_s: float


JOBS: dict[str, Job] = {}


def every(interval_s: float, name: str, run: Callable[[], object]) -> None:
    """Register a periodic job."""
    JOBS[name] = Job(name, run, interval_s)


def run_job(name: str) -> None:
    """Run one job and note that it ended."""
    JOBS[name].run()
    Tick.objects.update_or_create(job=name, defaults={"finished_at": timezone.now()})
