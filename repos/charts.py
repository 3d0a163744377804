"""Numbers over time and the shapes that show them; nothing here writes HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils import timezone

from repos.models import PullCount, Repository

DAYS = 90


@dataclass(frozen=True, slots=True)
class Day:
    """Pulls on one day, in UTC."""

    day: date
    pulls: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, in units of the drawing; the top left corner is its origin."""

    x: int
    y: int
    width: int
    height: int


def pulls_by_day(repository: Repository, days: int = DAYS) -> list[Day]:
    """The last `days` days up to today, oldest first, without a gap. One query."""
    today = timezone.now().date()
    first = today - timedelta(days=days - 1)
    rows = PullCount.objects.filter(repository=repository, day__range=(first, today))
    found = dict(rows.values_list("day", "pulls"))
    return [Day(day, found.get(day, 0)) for day in (first + timedelta(days=n) for n in range(days))]


def bars(values: Sequence[int], *, height: int, step: int = 10, gap: int = 3) -> list[Bar | None]:
    """One bar for each value, the highest as high as the drawing; None for zero.

    Small values are still seen: a bar is at least 2 units high.
    """
    top = max(values, default=0)
    shapes: list[Bar | None] = []
    for index, value in enumerate(values):
        if value <= 0:
            shapes.append(None)
            continue
        tall = max(round(value * height / top), 2)
        shapes.append(Bar(index * step, height - tall, step - gap, tall))
    return shapes
