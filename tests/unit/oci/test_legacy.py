"""Ids and documents of images as the registry of 2013 knew them."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oci.legacy import (
    image_ids,
    is_image_id,
    is_readable,
    lower_json,
    parse_image_id,
    top_id,
    top_json,
)
from oci.media import DOCKER_CONFIG, OCI_CONFIG, OCI_EMPTY

EMPTY_TAR = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
TWO_EMPTY = "170b376f64fb30995c140276be3d71dfb256b308d86183ca3b22aa93a79ad548"
CONFIG = f"sha256:{'c' * 64}"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def config(*diffs: Any) -> dict[str, Any]:
    return {"rootfs": {"type": "layers", "diff_ids": list(diffs)}}


def test_ids_are_chain_ids_under_the_digest_of_the_config() -> None:
    ids = image_ids(CONFIG, config(EMPTY_TAR, EMPTY_TAR, EMPTY_TAR), ["sha256:x"] * 3)
    assert ids == (EMPTY_TAR.removeprefix("sha256:"), TWO_EMPTY, "c" * 64)
    assert image_ids(CONFIG, config(EMPTY_TAR), ["sha256:x"]) == ("c" * 64,)


def test_a_config_that_does_not_know_its_layers_still_gives_ids() -> None:
    layers = [f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"]
    wanted = ("a" * 64, "c" * 64)
    odd: list[Any] = [
        {},
        {"rootfs": None},
        config(),
        config(EMPTY_TAR),
        config(EMPTY_TAR, None),
        config(EMPTY_TAR, "sha256:short"),
        {"rootfs": {"diff_ids": "sha256"}},
    ]
    for document in odd:
        assert image_ids(CONFIG, document, layers) == wanted
    long = image_ids(CONFIG, {}, [f"sha512:{'a' * 128}", "sha256:x"])
    assert is_image_id(long[0])


@given(st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=20))
def test_every_id_is_an_id_and_builds_on_the_one_before(seeds: list[bytes]) -> None:
    diffs = [f"sha256:{hashlib.sha256(seed).hexdigest()}" for seed in seeds]
    ids = image_ids(CONFIG, config(*diffs), diffs)
    assert len(ids) == len(diffs)
    assert all(map(is_image_id, ids))
    for upper, lower in zip(ids[1:-1], ids, strict=False):
        position = ids.index(lower) + 1
        text = f"sha256:{lower} {diffs[position]}"
        assert upper == hashlib.sha256(text.encode()).hexdigest()


def test_documents() -> None:
    document = {
        "architecture": "amd64",
        "config": {"Cmd": ["sh"]},
        "os.version": "1",
        "os.features": [],
        "history": [],
        "id": "forged",
        "parent": "forged",
        **config(EMPTY_TAR),
    }
    assert top_json(document, "b", "a") == {
        "architecture": "amd64",
        "config": {"Cmd": ["sh"]},
        "id": "b",
        "parent": "a",
    }
    assert lower_json("a", "") == {"id": "a"}
    assert top_json({}, "a", "") == {"id": "a"}


def test_what_old_clients_can_read() -> None:
    assert is_readable(OCI_CONFIG, [GZIP])
    assert is_readable(DOCKER_CONFIG, ["application/vnd.docker.image.rootfs.diff.tar.gzip"] * 127)
    for layers in (
        [],
        [GZIP] * 128,
        [GZIP, "application/vnd.oci.image.layer.v1.tar+zstd"],
        ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"],
        ["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"],
    ):
        assert not is_readable(OCI_CONFIG, layers)
    assert not is_readable(OCI_EMPTY, [GZIP])
    assert top_id(f"sha512:{'a' * 128}") == ""


def test_ids_as_clients_send_them() -> None:
    assert parse_image_id(b'"abc"') == "abc"
    for body in (b"", b"abc", b"{}", b"[]", b"null", b"1", b'["abc"]', b"\xff", b"[" * 5000):
        assert parse_image_id(body) == ""
    for text in (
        "a" * 63,
        "a" * 65,
        "A" * 64,
        "g" * 64,
        f"{'a' * 64}\n",
        "../" + "a" * 61,
        "é" * 64,
    ):
        assert not is_image_id(text)
