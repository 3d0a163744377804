"""Digests that can be put away between two requests and taken up again by another process.

`hashlib` keeps its state to itself, but libcrypto's own SHA-2 contexts (FIPS 180-4) are plain
memory. They are used only if they pass known answers at the start, and a kept state only by the
very build that made it; otherwise a digest is made by reading the bytes again.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

SLACK_BYTES = 400  # a build with larger contexts fails the known answers, not the process
_MARK = f"{ssl.OPENSSL_VERSION}/{ctypes.sizeof(ctypes.c_void_p)}\0".encode()


class RunningHash(Protocol):
    """What takes bytes and tells their digest."""

    def update(self, data: Any, /) -> None:
        """More bytes."""

    def hexdigest(self) -> str:
        """The digest of all bytes up to now, as lower-case hex."""


@dataclass(frozen=True, slots=True)
class _Family:
    """One algorithm's functions; `size` is that of its context in bytes."""

    size: int
    length: int
    init: Callable[..., int]
    update: Callable[..., int]
    final: Callable[..., int]


class KeptHash:
    """A running SHA-2 digest whose state can be saved; not for two threads at once."""

    def __init__(self, family: _Family, state: bytes | None = None) -> None:
        self._family = family
        self._context = ctypes.create_string_buffer(state or b"", family.size + SLACK_BYTES)
        if state is None:
            family.init(self._context)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """More bytes; other threads run meanwhile."""
        if isinstance(data, memoryview) and data.readonly:
            data = bytes(data)
        if isinstance(data, bytes):
            self._family.update(self._context, data, len(data))
        else:
            piece = (ctypes.c_char * len(data)).from_buffer(data)
            self._family.update(self._context, piece, len(data))

    def hexdigest(self) -> str:
        """See RunningHash; more bytes may follow."""
        copy = ctypes.create_string_buffer(self._context.raw, len(self._context))
        digest = ctypes.create_string_buffer(self._family.length)
        self._family.final(digest, copy)
        return digest.raw.hex()

    def save(self) -> bytes:
        """The state, for `resume` on this machine or one with the same build."""
        return _MARK + self._context.raw[: self._family.size]


def start(algorithm: str) -> RunningHash:
    """A new running digest; `algorithm` is one hashlib knows."""
    family = _families().get(algorithm)
    return KeptHash(family) if family else hashlib.new(algorithm)


def resume(algorithm: str, state: bytes) -> KeptHash | None:
    """The running digest that was saved, or None if this build cannot take it up."""
    family = _families().get(algorithm)
    if family is None or not state.startswith(_MARK) or len(state) != len(_MARK) + family.size:
        return None
    return KeptHash(family, state[len(_MARK) :])


def saved(running: RunningHash) -> bytes:
    """The state of a running digest, empty if it cannot be saved."""
    return running.save() if isinstance(running, KeptHash) else b""


@cache
def _families() -> dict[str, _Family]:
    name = ctypes.util.find_library("crypto")
    if name is None:
        return {}
    try:
        library = ctypes.CDLL(name)
        found = {
            "sha256": _family(library, "SHA256", size=112, length=32),
            "sha512": _family(library, "SHA512", size=216, length=64),
        }
    except (OSError, AttributeError):
        return {}
    return {name: family for name, family in found.items() if _is_right(name, family)}


def _family(library: ctypes.CDLL, prefix: str, *, size: int, length: int) -> _Family:
    init, update = getattr(library, f"{prefix}_Init"), getattr(library, f"{prefix}_Update")
    final = getattr(library, f"{prefix}_Final")
    init.argtypes = [ctypes.c_void_p]
    update.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    final.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return _Family(size, length, init, update, final)


def _is_right(algorithm: str, family: _Family) -> bool:
    """The same digests as hashlib's, also when the state is moved on the way."""
    text = bytes(range(256)) * 3
    for cut in (0, 1, 63, 64, 127, 128, 300, len(text)):
        first = KeptHash(family)
        first.update(text[:cut])
        second = KeptHash(family, first.save()[len(_MARK) :])
        second.update(text[cut:])
        if second.hexdigest() != hashlib.new(algorithm, text).hexdigest():
            return False
    return True
