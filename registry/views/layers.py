"""What made each layer: a config's history beside the layers of its manifest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from registry.models import ManifestBlob

SHORT = 160
_NOTHING = re.compile(r"\A/bin/sh -c #\(nop\)\s+")
_SHELL = re.compile(r"\A(?:RUN )?(?:\|\d+ .*?)?/bin/sh -c ")
_BUILDKIT = re.compile(r"\s+# buildkit\Z")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a build; `layer` is None where it changed no files."""

    instruction: str
    layer: ManifestBlob | None
    comment: str = ""

    @property
    def is_long(self) -> bool:
        """More than fits on two lines."""
        return len(self.instruction) > SHORT

    @property
    def short(self) -> str:
        """The beginning."""
        return f"{self.instruction[:SHORT].rstrip()}…" if self.is_long else self.instruction


def steps_of(history: Sequence[dict[str, Any]], layers: Sequence[ManifestBlob]) -> list[Step]:
    """The build, oldest step first: entries that made a layer take the layers in their order.

    A history that does not fit gives what it can; no layer is left out.
    """
    steps = []
    rest = list(layers)
    for entry in history:
        layer = rest.pop(0) if rest and not entry.get("empty") else None
        text = instruction_of(str(entry.get("created_by") or ""))
        steps.append(Step(text, layer, str(entry.get("comment") or "")))
    return steps + [Step("", layer) for layer in rest]


def instruction_of(created_by: str) -> str:
    """The Dockerfile line behind what a builder wrote."""
    text = _BUILDKIT.sub("", created_by.strip())
    if _NOTHING.match(text):
        return _NOTHING.sub("", text).strip()
    if _SHELL.match(text):
        return f"RUN {_SHELL.sub('', text).strip()}"
    return text
