"""Byte ranges: `Content-Range` of uploads and `Range` of downloads."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import RangeWrong
from oci.errors import SizeInvalid

_CHUNK = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")
_SINGLE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Bytes inside."""
        return self.stop - self.start


def parse_chunk(text: str) -> ByteRange:
    """`start-end`, inclusive, as uploads send it; raises SizeInvalid."""
    match = _CHUNK.fullmatch(text.strip())
    if not match or int(match[2]) < int(match[1]):
        raise SizeInvalid("Content-Range must be START-END, both inclusive")
    return ByteRange(int(match[1]), int(match[2]) + 1)


def parse_range(text: str, size: int) -> ByteRange | None:
    """The part of `size` bytes a `Range` header asks for, or None for the whole.

    Several ranges, other units and nonsense mean the whole (RFC 9110, 14.2); a range that cannot
    be satisfied raises RangeWrong.
    """
    match = _SINGLE.fullmatch(text.strip())
    if not match or not (match[1] or match[2]):
        return None
    if not match[1]:
        start, stop = max(size - int(match[2]), 0), size
    else:
        start = int(match[1])
        stop = min(int(match[2]) + 1, size) if match[2] else size
    if start >= size or stop <= start:
        raise RangeWrong(f"the content has {size} bytes", detail={"size": size})
    return ByteRange(start, stop)
