"""Objects in a dictionary, for tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from storage.base import ObjectMissing, StoredObject, check_key


class MemoryStore:
    """Everything is gone when the process ends."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, datetime]] = {}

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        """See BlobStore."""
        check_key(key)
        data = b"".join(chunks)
        self._objects[key] = (data, datetime.now(UTC))
        return len(data)

    def join(self, sources: Sequence[str], key: str) -> int:
        """See BlobStore."""
        size = self.put(key, [self._get(source) for source in sources])
        if len(sources) == 1:
            self.delete(sources[0])
        return size

    def open(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """See BlobStore."""
        return iter([self._get(key)[start:stop]])

    def size(self, key: str) -> int:
        """See BlobStore."""
        return len(self._get(key))

    def delete(self, key: str) -> None:
        """See BlobStore."""
        check_key(key)
        self._objects.pop(key, None)

    def location(self, key: str, *, expires_s: int) -> str | None:
        """See BlobStore."""
        return None

    def drop_unfinished(self, before: datetime) -> int:
        """See BlobStore. Nothing half-written is kept here."""
        return 0

    def walk(self, prefix: str) -> Iterator[StoredObject]:
        """See BlobStore."""
        check_key(prefix)
        for key, (data, at) in sorted(self._objects.items()):
            if key.startswith(f"{prefix}/"):
                yield StoredObject(key, len(data), at)

    def _get(self, key: str) -> bytes:
        check_key(key)
        try:
            return self._objects[key][0]
        except KeyError as error:
            raise ObjectMissing(key) from error
