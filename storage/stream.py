"""Readers that look at bytes while they pass, and the quick way from a socket to a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from threading import Condition, Thread
from typing import Protocol, runtime_checkable

from core.errors import TooLarge
from storage.hashing import RunningHash, start
from storage.kernel import begin_write_back

PIECE_BYTES = 1024 * 1024
WRITE_BACK_BYTES = 8 * 1024 * 1024


@runtime_checkable
class Spout(Protocol):
    """Bytes that can go into a file without passing through this process's memory."""

    def move(self, descriptor: int, size: int) -> int:
        """Move up to `size` bytes to the file's end; returns how many, 0 at the end of all."""


@runtime_checkable
class Pourable(Protocol):
    """Pieces that may know a quicker way into a file than one by one."""

    def pour(self, descriptor: int) -> int | None:
        """Fill an empty file and return its size, or None if the pieces must be written."""


class HashingReader:
    """Passes pieces on, hashing and counting them.

    `hasher` may have seen bytes before these. Raises TooLarge once more than `limit_bytes` come.
    """

    def __init__(
        self, pieces: Iterable[bytes], hasher: RunningHash | str, limit_bytes: int
    ) -> None:
        self._pieces = pieces
        self._limit_bytes = limit_bytes
        self.hash = start(hasher) if isinstance(hasher, str) else hasher
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._count(len(piece))
            self.hash.update(piece)
            yield piece

    def pour(self, descriptor: int) -> int | None:
        """Put everything into an empty file and return its size, or None if pieces must be read.

        What is hashed is read back from the file, by a second thread.
        """
        if not isinstance(self._pieces, Spout):
            return None
        with _Follower(descriptor, self.hash) as follower:
            while moved := self._pieces.move(descriptor, PIECE_BYTES):
                self._count(moved)
                follower.tell(self.size)
        return self.size

    def hexdigest(self) -> str:
        """Of what has passed so far, after what the hash had seen before."""
        return self.hash.hexdigest()

    def _count(self, size: int) -> None:
        self.size += size
        if self.size > self._limit_bytes:
            raise TooLarge(f"a blob may be at most {self._limit_bytes} bytes")


class _Follower:
    """Hashes a growing file behind its writer, and has the kernel write it out early."""

    def __init__(self, descriptor: int, hasher: RunningHash) -> None:
        self._descriptor = descriptor
        self._hash = hasher
        self._changed = Condition()
        self._size = 0
        self._ended = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="upload-hash", daemon=True)

    def __enter__(self) -> _Follower:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error

    def tell(self, size: int) -> None:
        """The file has this many bytes now."""
        with self._changed:
            self._size = size
            self._changed.notify()

    def _run(self) -> None:
        try:
            self._follow()
        except BaseException as error:  # noqa: BLE001 - told to the thread that waits
            self._error = error

    def _grown_over(self, done: int) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._size > done or self._ended)
            return self._size

    def _follow(self) -> None:
        buffer = bytearray(PIECE_BYTES)
        view = memoryview(buffer)
        done = flushed = 0
        while True:
            size = self._grown_over(done)
            if size == done:
                return
            while done < size:
                got = os.preadv(self._descriptor, [view[: size - done]], done)
                if not got:
                    raise OSError("the file is shorter than what was written to it")
                self._hash.update(view[:got])
                done += got
            if done - flushed >= WRITE_BACK_BYTES:
                begin_write_back(self._descriptor, flushed, done - flushed)
                flushed = done
