"""An image for three platforms with every program that copies layouts, byte for byte."""

from __future__ import annotations

import re

import pytest

from tests.clients.copiers import BLOB_CHUNK, COPIERS
from tests.clients.relay import Relay
from tests.clients.shop import ARCHITECTURES, PLATFORMS, ClientFailed, Shop, assert_same_blobs
from tests.images import Image, image, index

pytestmark = pytest.mark.e2e
# Programs that send blobs in pieces, each piece with its place.
IN_PIECES = {"regctl", "python-oras"}


def several_pieces(seed: str) -> Image:
    """Three platforms; every layer is longer than two pieces."""
    children = [image(seed, architecture=a, size=2 * BLOB_CHUNK + 99) for a in ARCHITECTURES]
    return index(children, ARCHITECTURES)


@pytest.mark.parametrize("program", COPIERS)
def test_push_list_pull_delete(shop: Shop, relay: Relay, program: str) -> None:
    client = COPIERS[program](shop, several_pieces(shop.name))
    client.login()
    client.push("1")
    assert shop.tags() == {"1": PLATFORMS}
    assert client.tags() == ["1"]
    assert client.architecture("1") == "arm64"
    assert_same_blobs(shop.home / "layout", client.pull("1"))

    client.push("2")
    assert sorted(client.tags()) == ["1", "2"]
    client.delete("1")
    assert shop.tags() == ({} if client.takes_all_tags else {"2": PLATFORMS})

    client.logout()
    with pytest.raises(ClientFailed):
        client.tags()

    ranges = [r for r in relay.requests("PATCH") if re.search(r"(?i)^Content-Range: \d", r, re.M)]
    assert bool(ranges) == (program in IN_PIECES)


@pytest.mark.parametrize("program", ["crane", "regctl"])
def test_a_copy_within_the_hub_moves_no_bytes(shop: Shop, relay: Relay, program: str) -> None:
    client = COPIERS[program](shop, several_pieces(shop.name))
    client.login()
    client.push("1")
    sent = len(relay.requests("PATCH"))
    source, target = f"{shop.host}/{shop.name}:1", f"{shop.host}/{shop.person.name}/copy:1"
    verb = ["copy"] if program == "crane" else ["image", "copy"]
    shop.run(program, *verb, source, target)
    assert shop.tags(f"{shop.person.name}/copy") == {"1": PLATFORMS}
    mounts = [r for r in relay.requests("POST") if "mount=" in r]
    assert len(mounts) >= 9  # three configs and six layers
    assert len(relay.requests("PATCH")) == sent
