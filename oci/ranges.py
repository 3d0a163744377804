"""Byte ranges: `Content-Range` of uploads and `Range` of downloads."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import RangeWrong
from oci.errors import SizeInvalid

_CHUNK = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")
_WANTED = re.compile(r"([0-9]{0,19})-([0-9]{0,19})")
MAX_RANGES = 64


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


def parse_ranges(text: str, size: int) -> tuple[ByteRange, ...]:
    """The parts of `size` bytes a `Range` header asks for, as it lists them; none means the whole.

    Other units, nonsense, more than MAX_RANGES, and ranges that together exceed the content mean
    the whole (RFC 9110, 14.2). Raises RangeWrong if not one of them can be satisfied.
    """
    unit, _, listed = text.strip().partition("=")
    wanted = [part.strip(" \t") for part in listed.split(",")]
    matches = [_WANTED.fullmatch(part) for part in wanted if part]
    if unit.lower() != "bytes" or not 0 < len(matches) <= MAX_RANGES:
        return ()
    found: list[ByteRange] = []
    for match in matches:
        if not match or not (match[1] or match[2]):
            return ()
        part = _within(match[1], match[2], size)
        if part.start < part.stop:
            found.append(part)
    if not found:
        raise RangeWrong(f"the content has {size} bytes", detail={"size": size})
    return tuple(found) if sum(part.length for part in found) <= size else ()


def _within(first: str, last: str, size: int) -> ByteRange:
    if not first:
        return ByteRange(max(size - int(last), 0), size)
    return ByteRange(int(first), min(int(last) + 1, size) if last else size)
