"""A store that breaks, or lets something else happen, exactly where a test wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from django.db import connection
from django.utils import timezone

from storage.base import BlobStore, StoredObject, StoreUnavailable
from tests.images import digest_of

T = TypeVar("T")


@dataclass
class Plan:
    """Do `act` at the `left`-th call from now, before or after the store has done its part."""

    left: int
    act: Callable[[], None]
    after: bool


class EventfulStore:
    """Passes every call on to a real store; holds that no transaction is open meanwhile.

    Objects are as old as the test's clock says, not the disk's.
    """

    def __init__(self, inner: BlobStore) -> None:
        self.inner = inner
        self.plan: Plan | None = None
        self._depth = len(connection.savepoint_ids)
        self._written: dict[str, datetime] = {}
        self._content: dict[str, str] = {}

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        return self._call(lambda: self._write(key, lambda: self.inner.put(key, chunks)))

    def join(self, sources: Sequence[str], key: str) -> int:
        return self._call(lambda: self._write(key, lambda: self.inner.join(sources, key)))

    def open(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        return self._call(lambda: iter([*self.inner.open(key, start, stop)]))

    def size(self, key: str) -> int:
        return self._call(lambda: self.inner.size(key))

    def delete(self, key: str) -> None:
        self._call(lambda: self.inner.delete(key))

    def location(self, key: str, *, expires_s: int) -> str | None:
        return self.inner.location(key, expires_s=expires_s)

    def drop_unfinished(self, before: datetime) -> int:
        return self._call(lambda: self.inner.drop_unfinished(before))

    def walk(self, prefix: str) -> Iterator[StoredObject]:
        for found in self.inner.walk(prefix):
            yield replace(found, modified_at=self._written[found.key])

    def _write(self, key: str, write: Callable[[], int]) -> int:
        size = write()
        content = digest_of(b"".join(self.inner.open(key)))
        assert self._content.setdefault(key, content) == content, "a key got other bytes"
        self._written[key] = timezone.now()
        return size

    def _call(self, act: Callable[[], T]) -> T:
        assert len(connection.savepoint_ids) == self._depth, "the store is used in a transaction"
        plan = self._due()
        if plan and not plan.after:
            plan.act()
        result = act()
        if plan and plan.after:
            plan.act()
        return result

    def _due(self) -> Plan | None:
        if self.plan is None:
            return None
        self.plan.left -= 1
        if self.plan.left > 0:
            return None
        plan, self.plan = self.plan, None
        return plan


def breaks() -> None:
    """What a full disk does."""
    raise StoreUnavailable("the store could not do this now; try again later")
