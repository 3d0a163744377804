"""The seam to where bytes lie. Keys are ours, opaque, written once and never reused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.errors import Unavailable


class ObjectMissing(Exception):
    """No object under this key."""


class StoreUnavailable(Unavailable):
    """The store did not take or give bytes: disk full, input/output error, network down."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as `walk` sees it; `size` in bytes, `modified_at` in UTC."""

    key: str
    size: int
    modified_at: datetime


def check_key(key: str) -> list[str]:
    """The parts of a key; raises ValueError for one that could lead out of the store."""
    parts = key.split("/")
    if "\0" in key or any(part in ("", ".", "..") for part in parts):
        raise ValueError("a storage key has no empty or relative parts")
    return parts


class BlobStore(Protocol):
    """Bytes by opaque key. What `put` or `join` returned for survives a power cut."""

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        """Write a new object and return its size in bytes.

        The object is visible only when complete; an exception from `chunks` leaves nothing.
        """

    def join(self, sources: Sequence[str], key: str) -> int:
        """Make `key` of the sources in order and return its size.

        A single source is moved and gone afterwards; several stay. Raises ObjectMissing when a
        source is not there.
        """

    def open(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to `stop`; raises ObjectMissing before the first piece."""

    def size(self, key: str) -> int:
        """Size in bytes; raises ObjectMissing."""

    def delete(self, key: str) -> None:
        """Remove the object; a missing one is fine."""

    def location(self, key: str, *, expires_s: int) -> str | None:
        """A URL clients may fetch for `expires_s` seconds, or None if they must come to us."""

    def drop_unfinished(self, before: datetime) -> int:
        """Remove what writers that died before this moment left behind; returns how many."""

    def walk(self, prefix: str) -> Iterator[StoredObject]:
        """Every complete object under the prefix."""
