"""Run by `scripts/mutate`: each mutant against the cells that decide; not part of the suite."""

from __future__ import annotations

import time

import pytest

from tests.matrix.mutants import MODULES, mutants_of
from tests.matrix.mutation import Cell, decisive_cells, explained, killer
from tests.matrix.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(0)]


def test_every_mutant_is_killed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    cells = decisive_cells()
    survivors = []
    started = time.monotonic()
    count = killed = 0
    for module in MODULES:
        for mutant in mutants_of(module):
            count += 1
            found = killer(world, mutant, cells)
            if found is not None:
                killed += 1
                cells = _first(found, cells)
            if isinstance(found, Cell):
                line = f"killed   {mutant} | {found.row} {found.place} by {found.caller}"
            elif found:
                line = f"killed   {mutant} | {found}"
            elif why := explained(mutant):
                line = f"the same {mutant} | {why}"
            else:
                line = f"SURVIVED {mutant}"
                survivors.append(str(mutant))
            with capsys.disabled():
                print(line, flush=True)
    with capsys.disabled():
        took = time.monotonic() - started
        same = count - killed - len(survivors)
        print(f"{count} mutants: {killed} killed, {same} the same, {len(survivors)} survived")
        print(f"{len(cells)} cells and the decisions themselves, {took:.0f} s")
    assert not survivors, "\n".join(survivors)


def _first(found: Cell | str, cells: list[Cell]) -> list[Cell]:
    """What killed one mutant often kills the next."""
    if isinstance(found, str):
        return cells
    return [found, *(cell for cell in cells if cell is not found)]
