"""The stress program of scripts/stress, for a short while."""

from __future__ import annotations

import pytest

from tests.concurrency.stress.program import Size, stress
from tests.hub import RunningHub


@pytest.mark.parametrize("kill_every", [0, 1.5], ids=["calm", "killing"])
def test_nothing_is_lost_or_left_when_everybody_pushes_pulls_deletes_and_collects_at_once(
    own_hub: RunningHub, kill_every: float
) -> None:
    report = stress(own_hub, Size(seconds=10, kill_every=kill_every))
    assert not report.violations, report
