"""Files of images as bytes by name: folders and tars, without trusting a name in them.

Names are relative and normal (`blobs/sha256/…`). What would lead out of the archive is not there;
links inside a tar are followed a few steps, links in a folder only to files in that folder.
"""

from __future__ import annotations

import posixpath
import stat
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Protocol

from django.conf import settings

from core.errors import Invalid, NotFound, TooLarge
from oci.layers import unpack

PIECE_BYTES = 1024 * 1024
MAX_ENTRIES = 100_000
MAX_LINKS = 8
MAX_ARCHIVE_BLOBS = 4  # an archive may be as large as so many of the largest blobs
_GZIP = b"\x1f\x8b"


class FileMissing(NotFound):
    """No such file in the archive."""

    code = "FILE_MISSING"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name[:200]} is not in the archive")


class Archive(Protocol):
    """Bytes by name."""

    def __contains__(self, name: object) -> bool:
        """Whether there is a file of this name."""

    def size(self, name: str) -> int:
        """In bytes; raises FileMissing."""

    def open(self, name: str) -> Iterator[bytes]:
        """The bytes in pieces; raises FileMissing before the first."""


class Folder:
    """A directory."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._path(name) is not None

    def size(self, name: str) -> int:
        """See Archive."""
        return self._found(name).stat().st_size

    def open(self, name: str) -> Iterator[bytes]:
        """See Archive."""
        return _pieces_of(self._found(name))

    def _found(self, name: str) -> Path:
        path = self._path(name)
        if path is None:
            raise FileMissing(name)
        return path

    def _path(self, name: str) -> Path | None:
        if not is_inside(name):
            return None
        try:
            path = (self._root / name).resolve(strict=True)
            is_file = stat.S_ISREG(path.stat().st_mode)
        except (OSError, RuntimeError, ValueError):
            return None
        return path if is_file and path.is_relative_to(self._root) else None


class Tar:
    """A tar, or one in gzip, which is unpacked to a temporary file first. Use it in a `with`."""

    def __init__(self, path: Path) -> None:
        self._stack = ExitStack()
        try:
            self._file = self._stack.enter_context(_seekable(path, self._stack))
            self._places = _list(self._file)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Tar:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._place(name) is not None

    def size(self, name: str) -> int:
        """See Archive."""
        return self._found(name)[1]

    def open(self, name: str) -> Iterator[bytes]:
        """See Archive."""
        start, size = self._found(name)
        return self._pieces(start, size)

    def _pieces(self, start: int, left: int) -> Iterator[bytes]:
        while left > 0:
            self._file.seek(start)
            piece = self._file.read(min(left, PIECE_BYTES))
            if not piece:
                raise Invalid("The archive ends early.")
            start, left = start + len(piece), left - len(piece)
            yield piece

    def _found(self, name: str) -> tuple[int, int]:
        place = self._place(name)
        if place is None:
            raise FileMissing(name)
        return place

    def _place(self, name: str) -> tuple[int, int] | None:
        for _ in range(MAX_LINKS):
            place = self._places.get(posixpath.normpath(name))
            if not isinstance(place, str):
                return place
            name = place
        return None


def is_inside(name: str) -> bool:
    """Whether a name stays in the archive whatever its root is."""
    normal = posixpath.normpath(name)
    return not (name == "" or "\0" in name or normal.startswith(("/", "../")) or normal == "..")


def read_whole(archive: Archive, name: str, limit_bytes: int) -> bytes:
    """A small file; raises FileMissing, TooLarge."""
    if archive.size(name) > limit_bytes:
        raise TooLarge(f"{name[:200]} may have at most {limit_bytes} bytes.")
    return b"".join(archive.open(name))


def _seekable(path: Path, stack: ExitStack) -> IO[bytes]:
    try:
        file = stack.enter_context(path.open("rb"))
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error
    if file.read(len(_GZIP)) != _GZIP:
        file.seek(0)
        return file
    file.seek(0)
    limit = MAX_ARCHIVE_BLOBS * settings.HUB.max_blob_bytes
    unpacked: IO[bytes] = stack.enter_context(TemporaryFile(dir=settings.HUB.data_dir))  # noqa: SIM115
    for part in unpack(iter(lambda: file.read(PIECE_BYTES), b""), limit_bytes=limit):
        unpacked.write(part)
    unpacked.seek(0)
    return unpacked


def _list(file: IO[bytes]) -> dict[str, tuple[int, int] | str]:
    """Where each file begins and how long it is; for a link the name it leads to."""
    found: dict[str, tuple[int, int] | str] = {}
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for count, member in enumerate(tar):
                if count >= MAX_ENTRIES:
                    raise TooLarge(f"An archive may have at most {MAX_ENTRIES} entries.")
                tar.members = []  # type: ignore[attr-defined]  # or all of them stay in memory
                if not is_inside(member.name):
                    continue
                name = posixpath.normpath(member.name)
                if member.isreg() and not member.issparse():
                    found[name] = (member.offset_data, member.size)
                elif member.issym():
                    target = posixpath.join(posixpath.dirname(name), member.linkname)
                    found |= {name: posixpath.normpath(target)} if is_inside(target) else {}
                elif member.islnk() and is_inside(member.linkname):
                    found[name] = posixpath.normpath(member.linkname)
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise Invalid(f"The file is no tar: {error}.") from error
    return found


def _pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(PIECE_BYTES), b"")
