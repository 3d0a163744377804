"""Readers that look at bytes while they pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from core.errors import TooLarge


class HashingReader:
    """Passes pieces on, hashing and counting them; `algorithm` is one hashlib knows.

    Raises TooLarge once more than `limit_bytes` have come.
    """

    def __init__(self, pieces: Iterable[bytes], algorithm: str, limit_bytes: int) -> None:
        self._pieces = pieces
        self._hash = hashlib.new(algorithm)
        self._limit_bytes = limit_bytes
        self.algorithm = algorithm
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.size += len(piece)
            if self.size > self._limit_bytes:
                raise TooLarge(f"a blob may be at most {self._limit_bytes} bytes")
            self._hash.update(piece)
            yield piece

    def digest(self) -> str:
        """`algorithm:hex` of what has passed so far."""
        return f"{self.algorithm}:{self._hash.hexdigest()}"
