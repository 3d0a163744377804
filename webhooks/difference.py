"""Two payloads side by side."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from difflib import SequenceMatcher
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
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            found += [Line("same", text, text) for text in before[a:b]]
        else:
            found += [Line("left", left=text) for text in before[a:b]]
            found += [Line("right", right=text) for text in after[c:d]]
    return found


def _lines(body: Attempt | str) -> list[str]:
    text = body if isinstance(body, str) else body.request_body
    with suppress(ValueError, RecursionError):  # not JSON
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    lines = text.splitlines()
    return lines if len(lines) <= MAX_LINES else [*lines[:MAX_LINES], _MORE]
