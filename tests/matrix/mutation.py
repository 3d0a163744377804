"""Which cells decide about mutants, and what kills one."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from registry.v2 import auth
from tests.matrix.decisions import wrong_decisions
from tests.matrix.mutants import Mutant, applied
from tests.matrix.play import ROWS, judge
from tests.matrix.rules import Caller
from tests.matrix.table import Row
from tests.matrix.world import World, undone

_COSTLY = ("password", "wrong password")  # to hash
_BESIDES = ("author", "comment")
# Mutants that behave as the real thing in every case that can come up: which, and why.
EQUIVALENT = {
    "decision.py another value for 'see'": "any scope on a repository is enough to see it",
    "decision.py without principal.is_anonymous in principal.is_anonymous or not": (
        "nobody has no id, so no namespace is theirs and no membership either"
    ),
    "decision.py without principal.is_limited in principal.is_limited and (not token)": (
        "without limits a credential reaches all actions, so that is never empty"
    ),
    "decision.py without needed is not None in needed is not None and": "no token holds None",
    "decision.py without bool(token) in action == 'see' and bool(token)": (
        "a token without a scope here has been answered as if nothing were there"
    ),
    "roles.py without not principal.is_robot in organization is not None": (
        "a robot's roles do not depend on a second factor, so nothing follows from it"
    ),
}


class Cell(NamedTuple):
    """One request and who sends it."""

    row: Row
    place: str
    caller: Caller


def decisive_cells() -> list[Cell]:
    """One row for each thing one may do, asked by everybody everywhere: all that decides."""
    rows = [r for r in ROWS["rest"] if r.everywhere or r.need in _BESIDES]
    rows += [r for r in ROWS["registry"] if r.everywhere and r.need in ("see", "push")]
    cells = [
        Cell(row, place, caller)
        for row in rows
        if row.method not in ("HEAD", "POST") or row.surface == "rest"
        for place in row.places
        for caller in row.callers(place)
        if caller.how not in _COSTLY
    ]
    random.Random(1).shuffle(cells)  # most mutants are noticed by many cells: a few of each first
    return cells


def killer(world: World, mutant: Mutant, cells: Sequence[Cell]) -> Cell | str | None:
    """The first cell that a mutant answers wrongly; None if it survives them all."""
    with applied(mutant):
        auth._decided.clear()
        for cell in cells:
            if _is_wrong(lambda cell=cell: judge(world, *cell)):  # type: ignore[misc]
                return cell
        if _is_wrong(lambda: next(wrong_decisions(world), "")):
            return "asking decide itself"
    return None


def _is_wrong(ask: Callable[[], str]) -> bool:
    with undone():
        try:
            return bool(ask())
        except Exception:  # noqa: BLE001 - whatever a broken decision runs into
            return True


def explained(mutant: Mutant) -> str:
    """Why nothing can tell this mutant from the real thing, if that is so."""
    text = f"{mutant.module.rpartition('.')[2]}.py {mutant.what}"
    return next((why for what, why in EQUIVALENT.items() if text.startswith(what)), "")
