"""The table notices when decisions change: some mutants here, all of them with `scripts/mutate`."""

from __future__ import annotations

import pytest

from repos.permissions import decision
from tests.matrix.mutants import MODULES, Mutant, applied, mutants_of
from tests.matrix.mutation import decisive_cells, explained, killer
from tests.matrix.world import World

pytestmark = pytest.mark.django_db
SAMPLE = 6
CELLS = 80  # then the decisions themselves


def sample() -> list[Mutant]:
    """Spread evenly over both modules, the same each time."""
    every = [m for module in MODULES for m in mutants_of(module) if not explained(m)]
    return every[:: max(1, len(every) // SAMPLE)][:SAMPLE]


def test_there_are_mutants_of_every_branch() -> None:
    assert len(list(mutants_of(MODULES[0]))) > 60
    assert len(list(mutants_of(MODULES[1]))) > 25


def test_a_mutant_takes_the_place_of_the_real_thing_and_goes_again() -> None:
    real = decision.decide.__code__, decision._decide.__code__
    for mutant in sample():
        with applied(mutant):
            pass
        assert (decision.decide.__code__, decision._decide.__code__) == real


@pytest.mark.parametrize("mutant", sample(), ids=str)
def test_mutants_are_killed(world: World, mutant: Mutant) -> None:
    assert killer(world, mutant, decisive_cells()[:CELLS]) is not None
