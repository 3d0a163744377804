"""Objects as files: temporary file, fsync, rename, fsync of the directory."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from storage.base import ObjectMissing, StoredObject, StoreUnavailable

PIECE_BYTES = 1024 * 1024
_TEMPORARY = ".writing-"


class LocalStore:
    """Files under one root directory on one file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        """See BlobStore. A failing fsync is final: the file is dropped, never synced again."""
        path = self._path(key)
        with self._translated():
            self._make_directory(path.parent)
            return self._write(path, chunks)

    def join(self, sources: Sequence[str], key: str) -> int:
        """See BlobStore. A single source is renamed, not copied."""
        path = self._path(key)
        with self._translated():
            self._make_directory(path.parent)
            if len(sources) == 1:
                self._rename(self._path(sources[0]), path)
                _sync_directory(path.parent)
                return path.stat().st_size
            return self._write(path, (piece for s in sources for piece in self.open(s)))

    def open(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """See BlobStore."""
        try:
            file = self._path(key).open("rb", buffering=0)
        except FileNotFoundError as error:
            raise ObjectMissing(key) from error
        return _pieces(file, start, stop)

    def path(self, key: str) -> Path:
        """The file of an object, for the server to send without copying it through Python."""
        return self._path(key)

    def size(self, key: str) -> int:
        """See BlobStore."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError as error:
            raise ObjectMissing(key) from error

    def delete(self, key: str) -> None:
        """See BlobStore. Directories left empty go too, so that garbage leaves nothing behind."""
        path = self._path(key)
        with self._translated():
            path.unlink(missing_ok=True)
            for parent in path.parents[:2]:
                if parent == self.root:
                    return
                try:
                    parent.rmdir()
                except OSError:
                    return  # not empty, or already gone: both mean there is nothing to tidy

    def location(self, key: str, *, expires_s: int) -> str | None:
        """See BlobStore. Local files have no address of their own."""
        return None

    def walk(self, prefix: str) -> Iterator[StoredObject]:
        """See BlobStore."""
        for directory, _, names in os.walk(self._path(prefix)):
            for name in sorted(names):
                if name.startswith(_TEMPORARY):
                    continue
                path = Path(directory, name)
                stat = path.stat()
                yield StoredObject(
                    key=str(path.relative_to(self.root)),
                    size=stat.st_size,
                    modified_at=datetime.fromtimestamp(stat.st_mtime, UTC),
                )

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise ValueError("a storage key has no empty or relative parts")
        return self.root.joinpath(*parts)

    def _write(self, path: Path, chunks: Iterable[bytes]) -> int:
        temporary = path.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")
        size = 0
        try:
            with temporary.open("xb", buffering=0) as file:
                for chunk in chunks:
                    size += _write_all(file.fileno(), chunk)
                os.fsync(file.fileno())
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)
        return size

    def _rename(self, source: Path, target: Path) -> None:
        try:
            source.rename(target)
        except FileNotFoundError as error:
            raise ObjectMissing(str(source.name)) from error

    def _make_directory(self, directory: Path) -> None:
        """Create the directory and make each new name on the way to it durable."""
        if directory.is_dir():
            return
        self._make_directory(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
        _sync_directory(directory.parent)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnavailable("the store could not take the bytes; try again later") from error


def _write_all(descriptor: int, chunk: bytes) -> int:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]
    return len(chunk)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pieces(file: FileIO, start: int, stop: int | None) -> Iterator[bytes]:
    with file:
        file.seek(start)
        left = None if stop is None else stop - start
        while left is None or left > 0:
            piece = file.read(PIECE_BYTES if left is None else min(PIECE_BYTES, left))
            if not piece:
                return
            if left is not None:
                left -= len(piece)
            yield piece
