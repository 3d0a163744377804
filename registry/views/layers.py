"""What made each layer, how large it is among the others, and in how many images it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.models import ManifestBlob
from registry.sharing import NOT_SHARED, Sharing

SHORT = 160
_NOTHING = re.compile(r"\A/bin/sh -c #\(nop\)\s+")
_SHELL = re.compile(r"\A(?:RUN )?(?:\|\d+ .*?)?/bin/sh -c ")
_BUILDKIT = re.compile(r"\s+# buildkit\Z")


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as pages draw it; `share` is its part of the image in thousandths."""

    digest: str
    size: int
    share: int
    sharing: Sharing = NOT_SHARED

    @property
    def shared(self) -> bool:
        """Drawn grey: another repository has it too, as layers of a base image are had."""
        return self.sharing.elsewhere


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a build; `layer` is None where it changed no files."""

    instruction: str
    layer: Layer | None
    comment: str = ""

    @property
    def is_long(self) -> bool:
        """More than fits on two lines."""
        return len(self.instruction) > SHORT

    @property
    def short(self) -> str:
        """The beginning."""
        return f"{self.instruction[:SHORT].rstrip()}…" if self.is_long else self.instruction


def layers_with(blobs: Sequence[ManifestBlob], sharing: Mapping[str, Sharing]) -> list[Layer]:
    """Layers with what is known of each, by digest."""
    whole = sum(blob.size for blob in blobs) or 1
    return [
        Layer(b.digest, b.size, b.size * 1000 // whole, sharing.get(b.digest, NOT_SHARED))
        for b in blobs
    ]


def steps_of(history: Sequence[dict[str, Any]], layers: Sequence[Layer]) -> list[Step]:
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
