"""Layers that come without a word of what they are: looked at while they pass.

A layer is a tar, plain or in gzip (image-spec, *Layer*); its diff id is the digest of the tar.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator

from core.errors import Invalid, TooLarge

PLAIN = "application/vnd.docker.image.rootfs.diff.tar"
GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
PIECE_BYTES = 1024 * 1024
# Unpacking costs time, not memory: what unpacks to more than this is only taken while it is no
# more than RATIO times what came, which files full of zeros are not either.
FREE_BYTES = 1024**3
RATIO = 200
_BLOCK = 512  # of a tar
_MAGIC = b"\x1f\x8b"
_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


class LayerInvalid(Invalid):
    """Bytes that are no tar, or gzip that is damaged."""

    code = "LAYER_INVALID"


class LayerReader:
    """Passes the pieces of a layer on; afterwards it knows its diff id and media type.

    Raises LayerInvalid, and TooLarge for what unpacks to more than `limit_bytes` or is a bomb.
    `seed` and the pieces together make `checksum`.
    """

    def __init__(self, pieces: Iterable[bytes], *, limit_bytes: int, seed: bytes = b"") -> None:
        self._pieces = pieces
        self._limit_bytes = limit_bytes
        self._whole = hashlib.sha256(seed)
        self._diff = hashlib.sha256()
        self._start = b""  # the first two bytes until there are as many
        self._inflater: _Inflater | None = None
        self._begun = False
        self._head = b""
        self.size = 0
        self.unpacked_size = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if not piece:
                continue
            self.size += len(piece)
            self._whole.update(piece)
            self._look(piece)
            yield piece
        self._end()

    @property
    def checksum(self) -> str:
        """Of the seed and all bytes as they came."""
        return f"sha256:{self._whole.hexdigest()}"

    @property
    def diff_id(self) -> str:
        """Of the tar."""
        return f"sha256:{self._diff.hexdigest()}"

    @property
    def is_gzip(self) -> bool:
        """Whether the tar came compressed."""
        return self._inflater is not None

    @property
    def media_type(self) -> str:
        """As Docker's manifests name it."""
        return GZIP if self.is_gzip else PLAIN

    def _look(self, piece: bytes) -> None:
        if not self._begun:
            self._start += piece
            if len(self._start) < len(_MAGIC):
                return
            self._begun, piece = True, self._start
            if piece.startswith(_MAGIC):
                self._inflater = _Inflater()
        if self._inflater is None:
            self._unpacked(piece)
            return
        for part in self._inflater.feed(piece):
            self._unpacked(part)

    def _unpacked(self, part: bytes) -> None:
        self.unpacked_size += len(part)
        if self.unpacked_size > self._limit_bytes:
            raise TooLarge(f"a layer may unpack to at most {self._limit_bytes} bytes")
        if self.unpacked_size > max(FREE_BYTES, RATIO * self.size):
            raise TooLarge(f"a layer may unpack to at most {RATIO} times its size")
        self._diff.update(part)
        if len(self._head) < _BLOCK:
            self._head += part[: _BLOCK - len(self._head)]
            if len(self._head) == _BLOCK:
                _refuse_no_tar(self._head)

    def _end(self) -> None:
        if self._inflater is not None and not self._inflater.is_complete:
            raise LayerInvalid("the layer's gzip ends early; push it again")
        if len(self._head) < _BLOCK:
            raise LayerInvalid("a layer is a tar, plain or in gzip; this is shorter than any")


def unpack(pieces: Iterable[bytes], *, limit_bytes: int) -> Iterator[bytes]:
    """gzip unpacked in pieces; raises LayerInvalid, and TooLarge as LayerReader does."""
    inflater, size, made = _Inflater(), 0, 0
    for piece in pieces:
        size += len(piece)
        for part in inflater.feed(piece):
            made += len(part)
            if made > limit_bytes or made > max(FREE_BYTES, RATIO * size):
                raise TooLarge(f"it unpacks to more than {min(made, limit_bytes)} bytes")
            yield part
    if not inflater.is_complete:
        raise LayerInvalid("the gzip ends early")


class _Inflater:
    """gzip in one or several members, in pieces of bounded size."""

    def __init__(self) -> None:
        self._one = zlib.decompressobj(wbits=31)
        self._between = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What more bytes unpack to; raises LayerInvalid."""
        try:
            while data:
                if self._one.eof:
                    data = self._between + data
                    self._between = b""
                    if len(data) < len(_MAGIC):
                        self._between = data
                        return
                    if not data.startswith(_MAGIC):
                        raise LayerInvalid("something follows the layer's gzip; push it again")
                    self._one = zlib.decompressobj(wbits=31)
                part = self._one.decompress(data, PIECE_BYTES)
                data = self._one.unconsumed_tail or self._one.unused_data
                if part:
                    yield part
            while not self._one.eof and (part := self._one.decompress(b"", PIECE_BYTES)):
                yield part
        except zlib.error as error:
            raise LayerInvalid("the layer's gzip is damaged; push it again") from error

    @property
    def is_complete(self) -> bool:
        """Whether the bytes up to now are whole members."""
        return self._one.eof and not self._between


def is_tar_header(block: bytes) -> bool:
    """Whether 512 bytes begin a tar: a header whose sum is right, or the zeros of an empty one."""
    if not any(block):
        return True
    field = block[148:156].strip(b"\0 ")
    try:
        claimed = int(field, 8)
    except ValueError:
        return False
    rest = block[:148] + b" " * 8 + block[156:]
    signed = sum(byte - 256 if byte > 127 else byte for byte in rest)
    return claimed in (sum(rest), signed)


def _refuse_no_tar(block: bytes) -> None:
    if is_tar_header(block):
        return
    for magic, name in _OTHERS.items():
        if block.startswith(magic):
            raise LayerInvalid(f"a layer is a tar, plain or in gzip; this is {name}")
    raise LayerInvalid("a layer is a tar, plain or in gzip; this is neither")
