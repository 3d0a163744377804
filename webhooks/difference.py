"""Two payloads side by side."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from webhooks.models import Attempt

MAX_LINES = 2000
_MORE = "…"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that both have, or one of them; of the other the text is empty."""

    kind: Literal["same", "left", "right"]
    left: str = ""
    right: str = ""


def between(left: Attempt | str, right: Attempt | str) -> list[Line]:
    """What changed from the body on the left to that on the right, in the order of the lines.

    JSON is written one member a line; anything else is compared as it is.
    """
    before, after = _lines(left), _lines(right)
    found: list[Line] = []
    i = j = 0
    for x, y in [*_common(before, after), (len(before), len(after))]:
        found += [Line("left", left=text) for text in before[i:x]]
        found += [Line("right", right=text) for text in after[j:y]]
        found += [Line("same", text, text) for text in before[x : x + 1]]
        i, j = x + 1, y + 1
    return found


def _common(before: list[str], after: list[str]) -> list[tuple[int, int]]:
    """Places of a longest common subsequence, in order.

    One step on whole numbers for each line (Hyyrö, *Bit-parallel LCS-length computation
    revisited*): whoever writes bodies chooses the lines, and `difflib` takes minutes for some.
    """
    places: dict[str, int] = {}
    for place, text in enumerate(after):
        places[text] = places.get(text, 0) | 1 << place
    full = (1 << len(after)) - 1
    row, rows = full, []
    for text in before:
        fits = row & places.get(text, 0)
        row = (row + fits | row - fits) & full
        rows.append(row)
    pairs: list[tuple[int, int]] = []
    i, j = len(before), len(after)
    while i and j:
        if before[i - 1] == after[j - 1]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif rows[i - 1] >> (j - 1) & 1:  # the last line on the right adds nothing
            j -= 1
        else:
            i -= 1
    return pairs[::-1]


def _lines(body: Attempt | str) -> list[str]:
    text = body if isinstance(body, str) else body.request_body
    with suppress(ValueError, RecursionError):  # not JSON
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    lines = text.splitlines()
    return lines if len(lines) <= MAX_LINES else [*lines[:MAX_LINES], _MORE]
