"""Finding entries of the audit log, newest first, each place by an index of its own."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from core.paging import Page, encode_cursor, page_by_id
from events.audit import GROUPS
from events.models import Event

MAX_EXPORT = 100_000
_CHUNK = 500
# Refused as opposed to done, as a filter has it.
DONE, REFUSED = "done", "refused"


@dataclass(frozen=True, slots=True)
class Filters:
    """What of a log is wanted; empty fields want everything.

    `kind` is the name of a kind or of a group. `person_id` finds a person's entries under former
    names too. Days are in UTC, and `until` is one of them.
    """

    kind: str = ""
    person: str = ""
    person_id: int | None = None
    outcome: str = ""
    repository: str = ""
    since: date | None = None
    until: date | None = None

    def apply(self, rows: QuerySet[Event]) -> QuerySet[Event]:
        """The entries that are wanted."""
        if self.kind:
            rows = rows.filter(_of_kind(self.kind))
        if self.person_id is not None:
            named = Q(actor_id__isnull=True, actor_name=self.person)
            rows = rows.filter(Q(actor_id=self.person_id) | named)
        elif self.person:
            rows = rows.filter(actor_name=self.person)
        if self.outcome == DONE:
            rows = rows.filter(outcome="")
        elif self.outcome == REFUSED:
            rows = rows.exclude(outcome="")
        if self.repository:
            rows = rows.filter(repository_path=self.repository)
        if self.since:
            rows = rows.filter(occurred_at__gte=_midnight(self.since))
        if self.until and self.until < date.max:
            rows = rows.filter(occurred_at__lt=_midnight(self.until) + timedelta(days=1))
        return rows


@dataclass(frozen=True, slots=True)
class Trail:
    """A log: everything in any of its parts, each of which an index finds newest first."""

    parts: tuple[QuerySet[Event], ...]

    def filtered(self, filters: Filters) -> Trail:
        """What of it is wanted."""
        return replace(self, parts=tuple(filters.apply(part) for part in self.parts))

    def page(self, *, limit: int, cursor: str | None) -> Page[Event]:
        """One query for each part; never a count."""
        pages = [page_by_id(part, limit=limit, cursor=cursor) for part in self.parts]
        rows = list(_merged([iter(page.rows) for page in pages]))
        more = len(rows) > limit or any(page.next_cursor for page in pages)
        rows = rows[:limit]
        return Page(rows, encode_cursor(str(rows[-1].pk)) if more else None)

    def export(self, most: int = MAX_EXPORT) -> Iterator[Event]:
        """Entry by entry without holding more than a piece; at most `most`, the newest."""
        for count, event in enumerate(_merged([_chunks(part) for part in self.parts])):
            if count >= most:
                return
            yield event


def trail_of_repository(repository_id: int) -> Trail:
    """Everything about a repository, under all its names."""
    return Trail((Event.objects.filter(repository_id=repository_id),))


def trail_of_namespace(namespace_id: int) -> Trail:
    """Everything in a namespace: its repositories, people, robots and settings."""
    return Trail((Event.objects.filter(namespace_id=namespace_id),))


def trail_of_person(user_id: int, namespace_id: int | None) -> Trail:
    """What a person did anywhere, and what was done or tried with their account."""
    own = Event.objects.filter(actor_id=user_id)
    if namespace_id is None:
        return Trail((own,))
    account = Event.objects.filter(namespace_id=namespace_id, repository_id__isnull=True)
    return Trail((own, account))


def trail_of_hub() -> Trail:
    """Everything."""
    return Trail((Event.objects.all(),))


def _of_kind(name: str) -> Q:
    group = GROUPS.get(name)
    if group is None:
        return Q(kind=name)
    found = Q()
    for prefix in group.prefixes:
        found |= Q(kind__startswith=prefix)
    return found


def _merged(parts: list[Iterator[Event]]) -> Iterator[Event]:
    """Newest first, each once."""
    last = None
    for event in heapq.merge(*parts, key=lambda row: -row.pk):
        if event.pk != last:
            last = event.pk
            yield event


def _chunks(rows: QuerySet[Event]) -> Iterator[Event]:
    """A row after the other by id: no transaction or cursor stays open while a client reads."""
    rows = rows.order_by("-pk")
    piece = list(rows[:_CHUNK])
    while piece:
        yield from piece
        piece = list(rows.filter(pk__lt=piece[-1].pk)[:_CHUNK]) if len(piece) == _CHUNK else []


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def count_since(kind: str, actor_id: int, since: datetime, **payload: Any) -> int:
    """How often somebody did this since then; `payload` names values it must have had."""
    rows = Event.objects.filter(kind=kind, actor_id=actor_id, occurred_at__gt=since)
    return rows.filter(**{f"payload__{name}": value for name, value in payload.items()}).count()
