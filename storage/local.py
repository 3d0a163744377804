"""Objects as files: temporary file, fsync, rename, fsync of the directory."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import TypeVar

from storage.base import ObjectMissing, StoredObject, StoreUnavailable, check_key
from storage.stream import Pourable

PIECE_BYTES = 1024 * 1024
_TEMPORARY = ".writing-"
_TRIES = 100
COPY_BYTES = 64 * 1024 * 1024
_CANNOT_COPY = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
T = TypeVar("T")


class LocalStore:
    """Files under one root directory on one file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        """See BlobStore. A failing fsync is final: the file is dropped, never synced again."""
        return self._write(self._path(key), chunks)

    def join(self, sources: Sequence[str], key: str) -> int:
        """See BlobStore. A single source is renamed, not copied."""
        path = self._path(key)
        if len(sources) == 1:
            return self._move(self._path(sources[0]), path)
        with contextlib.ExitStack() as opened:
            files = []
            for source in sources:
                with _translated(), _found(source):
                    files.append(opened.enter_context(self._path(source).open("rb", buffering=0)))
            return self._write(path, _Joined(files))

    def open(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """See BlobStore."""
        with _translated(), _found(key):
            file = self._path(key).open("rb", buffering=0)
        return _pieces(file, start, stop)

    def path(self, key: str) -> Path:
        """The file of an object, for the server to send without copying it through Python."""
        return self._path(key)

    def size(self, key: str) -> int:
        """See BlobStore."""
        with _translated(), _found(key):
            return self._path(key).stat().st_size

    def delete(self, key: str) -> None:
        """See BlobStore. Directories left empty go too, so that garbage leaves nothing behind."""
        path = self._path(key)
        with _translated():
            path.unlink(missing_ok=True)
            self._tidy(path)

    def location(self, key: str, *, expires_s: int) -> str | None:
        """See BlobStore. Local files have no address of their own."""
        return None

    def drop_unfinished(self, before: datetime) -> int:
        """See BlobStore."""
        count = 0
        for directory, _, names in os.walk(self.root):
            for path in (Path(directory, name) for name in names if name.startswith(_TEMPORARY)):
                with _translated(), contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime < before.timestamp():
                        path.unlink()
                        self._tidy(path)
                        count += 1
        return count

    def walk(self, prefix: str) -> Iterator[StoredObject]:
        """See BlobStore."""
        for directory, _, names in os.walk(self._path(prefix)):
            for name in sorted(names):
                if name.startswith(_TEMPORARY):
                    continue
                path = Path(directory, name)
                try:
                    stat = path.stat()
                except FileNotFoundError:
                    continue  # deleted since the directory was read
                yield StoredObject(
                    key=str(path.relative_to(self.root)),
                    size=stat.st_size,
                    modified_at=datetime.fromtimestamp(stat.st_mtime, UTC),
                )

    def _path(self, key: str) -> Path:
        return self.root.joinpath(*check_key(key))

    def _write(self, path: Path, chunks: Iterable[bytes]) -> int:
        temporary = path.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")
        try:
            size = self._fill(temporary, chunks)
            with _translated():
                temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            self._tidy(path)
            raise
        try:
            with _translated():
                _sync_directory(path.parent)
        except BaseException:
            path.unlink(missing_ok=True)  # the caller will have no row for it
            self._tidy(path)
            raise
        return size

    def _fill(self, temporary: Path, chunks: Iterable[bytes]) -> int:
        """Write and sync; errors of `chunks` themselves are not the store's and pass unchanged."""
        with _translated():
            file = self._in_directory(temporary.parent, lambda: temporary.open("x+b", buffering=0))
        with file:
            size = None
            if isinstance(chunks, Pourable):
                with _translated():
                    size = chunks.pour(file.fileno())
            if size is None:
                size = 0
                for chunk in chunks:
                    with _translated():
                        size += _write_all(file.fileno(), chunk)
            with _translated():
                os.fsync(file.fileno())
        return size

    def _move(self, source: Path, target: Path) -> int:
        def rename() -> None:
            try:
                source.rename(target)
            except FileNotFoundError:
                if not source.exists():
                    raise ObjectMissing(source.name) from None
                raise  # the target's directory went away

        with _translated():
            self._in_directory(target.parent, rename)
            _sync_directory(target.parent)
            self._tidy(source)
            return target.stat().st_size

    def _in_directory(self, directory: Path, act: Callable[[], T]) -> T:
        """Do what puts a file into a directory. While it is empty a delete may tidy it away at any
        moment; then it is made again. Once the file is in, nobody can."""
        for _ in range(_TRIES):
            # FileExistsError: `mkdir` saw the directory, which was gone when it looked again.
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                self._make_directory(directory)
                return act()
        raise StoreUnavailable("the store could not make room for the bytes; try again later")

    def _make_directory(self, directory: Path) -> None:
        """Create the directory and make each new name on the way to it durable."""
        if directory.is_dir():
            return
        self._make_directory(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
        _sync_directory(directory.parent)

    def _tidy(self, path: Path) -> None:
        """Take away the directories of a file that has gone, unless something else is in them."""
        for parent in path.parents[:2]:
            if parent == self.root:
                return
            try:
                parent.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return  # not empty


class _Joined:
    """Files one after the other, copied by the kernel (copy_file_range) where it can."""

    def __init__(self, files: Sequence[FileIO]) -> None:
        self._files = files

    def __iter__(self) -> Iterator[bytes]:
        for file in self._files:
            yield from _pieces(file, 0, None)

    def pour(self, descriptor: int) -> int | None:
        """See Pourable."""
        size = 0
        for file in self._files:
            while True:
                try:
                    moved = os.copy_file_range(file.fileno(), descriptor, COPY_BYTES)
                except OSError as error:
                    if size == 0 and error.errno in _CANNOT_COPY:
                        return None
                    raise
                if not moved:
                    break
                size += moved
        return size


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable("the store could not do this now; try again later") from error


@contextlib.contextmanager
def _found(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing(key) from error


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
            with _translated():
                piece = file.read(PIECE_BYTES if left is None else min(PIECE_BYTES, left))
            if not piece:
                return
            if left is not None:
                left -= len(piece)
            yield piece
