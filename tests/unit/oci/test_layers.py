"""What a layer says of itself, and the sums of the old registry (registry-v1, 1.6, 6.4)."""

from __future__ import annotations

import gzip
import hashlib

import pytest

from core.errors import TooLarge
from oci import layers
from oci.layers import GZIP, PLAIN, LayerInvalid, LayerReader, is_tar_header

EMPTY_TAR = bytes(1024)
EMPTY_DIFF = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
ID = "a" * 64
DOCUMENT = b'{"id":"' + ID.encode() + b'"}'
CANONICAL = bytes.fromhex("1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000")


def read(data: bytes, step: int = 1 << 20, **more: object) -> LayerReader:
    pieces = (data[at : at + step] for at in range(0, len(data), step))
    reader = LayerReader(pieces, limit_bytes=10**12, **more)  # type: ignore[arg-type]
    assert b"".join(reader) == data
    return reader


@pytest.mark.parametrize("step", [1, 2, 7, 512, 4096])
@pytest.mark.parametrize("members", [1, 3])
def test_in_any_pieces(step: int, members: int) -> None:
    tar = EMPTY_TAR * 5
    parts = [tar[at::members] for at in range(members)] if members == 1 else [tar[:100], tar[100:]]
    packed = b"".join(gzip.compress(part, mtime=0) for part in parts)
    for data, kind in ((tar, PLAIN), (packed, GZIP)):
        reader = read(data, step)
        assert reader.diff_id == f"sha256:{hashlib.sha256(tar).hexdigest()}"
        assert (reader.media_type, reader.size, reader.unpacked_size) == (kind, len(data), len(tar))


def test_known_sums() -> None:
    """Payload checksums of the reference, and the digest of the empty layer."""
    assert len(CANONICAL) == 32
    assert hashlib.sha256(CANONICAL).hexdigest() == (
        "a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"
    )
    for data, wanted in (
        (EMPTY_TAR, "581472b4307e173ca222c013ad346d4d55c3e84edc334bec605e3edcb8cab6e3"),
        (CANONICAL, "965e145fe5a8f17e0b6eec1a6aa3e4018250fdc1cefd1740f35cb786b4ca9706"),
    ):
        reader = read(data, seed=DOCUMENT + b"\n")
        assert reader.checksum == f"sha256:{wanted}"
        assert reader.diff_id == EMPTY_DIFF
    for document, wanted in (
        (b"", "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"),
        (b"test", "f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26fd2"),
    ):
        none = LayerReader([], limit_bytes=1, seed=document + b"\n")
        assert none.checksum == f"sha256:{wanted}"


def test_a_bomb_stops_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what it unpacks to no more is made than may be."""
    monkeypatch.setattr(layers, "FREE_BYTES", 1024**2)
    bomb = gzip.compress(bytes(64 * 1024**2))
    reader = LayerReader([bomb], limit_bytes=10**12)
    with pytest.raises(TooLarge):
        list(reader)
    assert reader.unpacked_size < 200 * len(bomb) + 2 * layers.PIECE_BYTES


def test_headers_of_a_tar() -> None:
    assert is_tar_header(bytes(512))
    assert not is_tar_header(b"x" * 512)
    assert not is_tar_header(b"\1" + bytes(511))
    with pytest.raises(LayerInvalid):
        read(b"x" * 1024)
