"""What each client does that surprises registries, played over a real socket (reference, 7.2)."""

from __future__ import annotations

import pytest

from tests.protocol.quirk import Quirk
from tests.protocol.quirks_access import ACCESS
from tests.protocol.quirks_pull import PULLING
from tests.protocol.quirks_push import PUSHING
from tests.protocol.scene import Scene

QUIRKS = sorted((*ACCESS, *PUSHING, *PULLING), key=lambda quirk: quirk.number)
NOT_OURS = {
    38: "the limit of a delivery network in front; docs/operations.md tells of limits in front",
    39: "docker asks only mirrors of Docker Hub at a root; the hub is no pull-through cache",
    48: "the client drops the tag beside a digest; what arrives is a pull by digest, as in Q15",
}


@pytest.mark.parametrize("quirk", QUIRKS, ids=str)
def test_a_client_finds_what_it_needs(quirk: Quirk, scene: Scene) -> None:
    quirk.play(scene)


def test_every_quirk_is_a_row_or_has_a_reason() -> None:
    numbers = [quirk.number for quirk in QUIRKS]
    assert len(numbers) == len(set(numbers))
    assert not set(numbers) & set(NOT_OURS)
    assert sorted([*numbers, *NOT_OURS]) == list(range(1, 53))
