"""Digests: algorithm and hash of exact bytes (image-spec, *Digests*)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oci.errors import DigestInvalid

if TYPE_CHECKING:
    from hashlib import _Hash

ALGORITHMS = {"sha256": 64, "sha512": 128}
_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Digest:
    """A well-formed digest of a supported algorithm; `str()` gives the wire form."""

    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `algorithm:hex`; raises DigestInvalid. Upper-case hex is invalid, not an alias."""
        algorithm, _, encoded = text.partition(":")
        length = ALGORITHMS.get(algorithm)
        if length is None:
            raise DigestInvalid(
                "unsupported digest algorithm; use sha256 or sha512", detail={"digest": text[:200]}
            )
        if len(encoded) != length or not _HEX.fullmatch(encoded):
            raise DigestInvalid("malformed digest", detail={"digest": text[:200]})
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, data: bytes, algorithm: str = "sha256") -> Digest:
        """The digest of `data`."""
        return cls(algorithm, hashlib.new(algorithm, data).hexdigest())


def hasher(algorithm: str) -> _Hash:
    """A running hash of a supported algorithm; raises DigestInvalid for another one."""
    if algorithm not in ALGORITHMS:
        raise DigestInvalid(
            "unsupported digest algorithm; use sha256 or sha512", detail={"algorithm": algorithm}
        )
    return hashlib.new(algorithm)
