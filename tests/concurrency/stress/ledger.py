"""What each tag may hold, judged from when every request began and ended.

A tag is a register: an answer is right if some order of the requests that overlap explains it
(security.md, I5). Times are monotonic seconds of the one process that runs all clients.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from dataclasses import dataclass
from threading import Lock

UNSURE_S = 40.0  # a request without an answer has done its work by then, or never will
KEPT_S = 60.0  # no request lasts longer


@dataclass(eq=False)
class Change:
    """A request that sets a tag to a digest, or to nothing.

    `only` limits it to tags that hold this digest. `is_sure` once it was acknowledged.
    """

    start: float
    value: str | None
    only: str | None = None
    end: float = math.inf
    is_sure: bool = False


@dataclass(frozen=True)
class Reading:
    """When a request that read began and ended."""

    start: float
    end: float


class Ledger:
    """Shared by all threads. A place is a repository's path."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tags: dict[tuple[str, str], list[Change]] = defaultdict(_new)
        self._places: dict[str, list[Change]] = defaultdict(list)

    def begin(
        self, place: str, tags: list[str], value: str | None, *, only: str | None = None
    ) -> Change:
        """A change is about to be asked for; of every tag of the place if `tags` is empty."""
        change = Change(time.monotonic(), value, only)
        with self._lock:
            for changes in self._histories(place, tags):
                changes.append(change)
        return change

    def end(self, change: Change, place: str, tags: list[str], happened: bool | None) -> None:
        """Its answer has come; None: the connection broke instead."""
        now = time.monotonic()
        with self._lock:
            if happened:
                change.end, change.is_sure = now, True
            elif happened is None:
                change.end = now + UNSURE_S
            for changes in self._histories(place, tags):
                if happened is False:
                    changes.remove(change)
                else:
                    _forget_history(changes, now)
            if not tags and happened is not False:
                self._pass_on(change, place, now)

    def _pass_on(self, change: Change, place: str, now: float) -> None:
        """What happened to a whole place becomes part of the history of its tags."""
        for (other, _), changes in self._tags.items():
            if other == place and any(change.only in (None, c.value) for c in changes):
                changes.append(change)
        self._places[place] = [c for c in self._places[place] if c.end > now - KEPT_S]

    def names(self) -> list[tuple[str, str]]:
        """Every place and tag that was ever pushed to."""
        with self._lock:
            return sorted(self._tags)

    def explain(self, place: str, tag: str, value: str | None, reading: Reading) -> str:
        """Nothing if a reading may have found this value, else a sentence that says why not."""
        with self._lock:
            changes = self._of(place, tag)
        if any(
            c.value == value and c.start < reading.end and not _is_over(c, changes, value, reading)
            for c in changes
        ):
            return ""
        return f"{place}:{tag} was read as {value} but is {_told(changes, reading)}"

    def explain_presence(self, place: str, tag: str, is_there: bool, reading: Reading) -> str:
        """The same for a reading that tells only whether the tag is there."""
        if not is_there:
            return self.explain(place, tag, None, reading)
        with self._lock:
            values = {c.value for c in self._of(place, tag)} - {None}
        wrong = [self.explain(place, tag, value, reading) for value in sorted(map(str, values))]
        return "" if not all(wrong) and wrong else f"{place}:{tag} is listed but should be gone"

    def is_untouched(self, place: str, tag: str, digest: str, since: float) -> bool:
        """Whether nothing has asked to change what a tag holds from `since` until now."""
        with self._lock:
            return not any(
                c.end >= since and c.value != digest and c.only in (None, digest)
                for c in self._of(place, tag)
            )

    def is_kept(self, place: str, digest: str, since: float) -> bool:
        """Whether nobody has asked to delete a manifest, or the place, from `since` until now."""
        with self._lock:
            return not any(c.end >= since and c.only in (None, digest) for c in self._places[place])

    def _histories(self, place: str, tags: list[str]) -> list[list[Change]]:
        if not tags:
            return [self._places[place]]
        return [self._tags[place, tag] for tag in tags]

    def _of(self, place: str, tag: str) -> list[Change]:
        asked = [c for c in self._places[place] if math.isinf(c.end)]
        return [*self._tags[place, tag], *asked]


def _new() -> list[Change]:
    """Before the first push there is nothing."""
    return [Change(-math.inf, None, end=-math.inf, is_sure=True)]


def _is_over(change: Change, changes: list[Change], value: str | None, reading: Reading) -> bool:
    """Whether an acknowledged later change had replaced this one before the reading began."""
    return any(
        c.is_sure and change.end < c.start and c.end < reading.start and c.only in (None, value)
        for c in changes
    )


def _forget_history(changes: list[Change], now: float) -> None:
    """Drop what was replaced before any request that still runs began."""
    old = [c.start for c in changes if c.is_sure and c.only is None and c.end < now - KEPT_S]
    if old:
        changes[:] = [c for c in changes if c.end >= max(old)]


def _told(changes: list[Change], reading: Reading) -> str:
    """The changes that count, for whoever has to find out what happened."""
    lines = []
    for c in sorted(changes, key=lambda c: c.start):
        limit = f" if it holds {c.only}" if c.only else ""
        sure = "" if c.is_sure else ", not acknowledged"
        begin, end = c.start - reading.start, c.end - reading.start
        lines.append(f"{c.value}{limit} (from {begin:+.3f} to {end:+.3f} s{sure})")
    return "; ".join(lines[-8:])
