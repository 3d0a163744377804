"""What an answer depends on, noted while it is made, so that it may be given again.

The database questions asked while an answer is made are noted by themselves; code that looks at
anything else (the clock, a file, a counter) says so with the functions here. An answer is good
again as long as every question gets the same rows: nothing that decides is written twice, and what
somebody else committed counts at once. Reasons: docs/decisions/0005-remembered-answers.md.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, TypeVar

from django.db import connection

from core.stamp import Question, ask, read_stamp

LONGEST_S = 60.0  # what is kept in memory elsewhere, as signing keys are, counts within this
T = TypeVar("T")


@dataclass(slots=True)
class Notes:
    """`until` is in seconds since 1970; `questions` are SQL texts with their parameters."""

    questions: list[Question] = field(default_factory=list)
    until: float = math.inf
    holds: list[Callable[[], bool]] = field(default_factory=list)
    effects: list[Callable[[], None]] = field(default_factory=list)
    repeatable: bool = True

    def add(self, other: Notes, *, questions: bool) -> None:
        """Depend on what `other` depends on, too."""
        if questions:
            self.questions += other.questions
        self.until = min(self.until, other.until)
        self.holds += other.holds
        self.effects += other.effects
        self.repeatable = self.repeatable and other.repeatable


_notes: ContextVar[Notes | None] = ContextVar("memo_notes", default=None)


@contextmanager
def notes() -> Iterator[Notes]:
    """Collect what the code inside depends on; anything but a SELECT makes it unrepeatable."""
    outer, taken = _notes.get(), Notes()
    token = _notes.set(taken)

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if many or not sql.startswith("SELECT ") or " FOR UPDATE" in sql:
            taken.repeatable = False
        else:
            taken.questions.append((sql, params))
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(note):
            yield taken
    finally:
        _notes.reset(token)
        if outer is not None:
            outer.add(taken, questions=False)  # it has seen them itself


def never() -> None:
    """This answer is made anew each time."""
    taken = _notes.get()
    if taken is not None:
        taken.repeatable = False


def until(timestamp: float) -> None:
    """The answer is good until this moment, in seconds since 1970."""
    taken = _notes.get()
    if taken is not None:
        taken.until = min(taken.until, timestamp)


def while_holds(condition: Callable[[], bool]) -> None:
    """The answer is good as long as this cheap, quick condition holds; asked each time."""
    taken = _notes.get()
    if taken is not None:
        taken.holds.append(condition)


def each_time(effect: Callable[[], None]) -> None:
    """Do this now and whenever the answer is given again; it must be cheap and quick."""
    effect()
    taken = _notes.get()
    if taken is not None:
        taken.effects.append(effect)


@dataclass(slots=True)
class _Entry(Generic[T]):
    value: T
    notes: Notes
    rows: list[Any]
    until: float


class Recall(Generic[T]):
    """Results of a costly look-up by key, each good while its questions get the same rows.

    Shared by threads; what it gives is shared too and must not be changed. Use it outside
    transactions.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, or gave before if nothing it depends on has changed."""
        entry = self._entries.get(key)
        if entry is not None and self._is_good(entry):
            outer = _notes.get()
            if outer is not None:
                outer.add(entry.notes, questions=True)
            return entry.value
        return self._make(key, make)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def _is_good(self, entry: _Entry[T]) -> bool:
        if time.time() >= entry.until or not all(holds() for holds in entry.notes.holds):
            return False
        with connection.cursor() as cursor, connection.wrap_database_errors:
            return ask(cursor.cursor, entry.notes.questions) == entry.rows

    def _make(self, key: Hashable, make: Callable[[], T]) -> T:
        before = self._stamp()
        with notes() as taken:
            value = make()
        if not taken.repeatable or taken.effects:
            return value
        with connection.cursor() as cursor, connection.wrap_database_errors:
            rows = ask(cursor.cursor, taken.questions)
        if self._stamp() == before:  # else the rows may be younger than the value
            entry = _Entry(value, taken, rows, min(taken.until, time.time() + LONGEST_S))
            with self._lock:
                self._entries[key] = entry
                self._entries.move_to_end(key)
                while len(self._entries) > self._size:
                    self._entries.popitem(last=False)
        return value

    def _stamp(self) -> Any:
        with connection.cursor() as cursor, connection.wrap_database_errors:
            return read_stamp(cursor.cursor, connection.vendor)
