"""Two images side by side: layers by digest, and what their configurations say."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from registry.models import Manifest, ManifestBlob, ManifestInfo

State = Literal["same", "added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class LayerChange:
    """A layer of either image."""

    state: State
    digest: str
    size: int
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that differs; `before` or `after` is empty where it is not there."""

    state: State
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Section:
    """The changes of one kind; `key` is `env`, `labels`, `run` or `built`."""

    key: str
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one image to another; sizes are in bytes."""

    layers: list[LayerChange]
    sections: list[Section]
    size_before: int
    size_after: int

    @property
    def growth(self) -> int:
        """Bytes more, or less below 0."""
        return self.size_after - self.size_before

    @property
    def counts(self) -> dict[str, int]:
        """Layers by state."""
        found = {"same": 0, "added": 0, "removed": 0}
        for layer in self.layers:
            found[layer.state] += 1
        return found

    @property
    def is_same(self) -> bool:
        """Whether nothing that is compared differs."""
        return not self.sections and all(layer.state == "same" for layer in self.layers)

    @property
    def before(self) -> list[LayerChange]:
        """The layers of the first image, grey where the other has them too."""
        return [layer for layer in self.layers if layer.state != "added"]

    @property
    def after(self) -> list[LayerChange]:
        """The layers of the second image."""
        return [layer for layer in self.layers if layer.state != "removed"]


def compare(before: Manifest, after: Manifest) -> Comparison:
    """Both with `blobs` and `info` at hand (registry.selectors.get_manifest_row)."""
    one, other = layers_of(before), layers_of(after)
    return Comparison(
        layers=compare_layers(
            [(layer.digest, layer.size) for layer in one],
            [(layer.digest, layer.size) for layer in other],
        ),
        sections=compare_configs(config_of(before), config_of(after)),
        size_before=sum(layer.size for layer in one),
        size_after=sum(layer.size for layer in other),
    )


def layers_of(manifest: Manifest) -> list[ManifestBlob]:
    """In their order; needs no query where `blobs` are at hand."""
    role = ManifestBlob.BlobRole.LAYER
    found = [blob for blob in manifest.blobs.all() if blob.role == role]
    return sorted(found, key=lambda blob: blob.position)


def config_of(manifest: Manifest) -> dict[str, Any]:
    """What is known of the configuration; empty for content that has none."""
    info: ManifestInfo | None = getattr(manifest, "info", None)
    return info.config if info else {}


def compare_layers(
    before: Sequence[tuple[str, int]], after: Sequence[tuple[str, int]]
) -> list[LayerChange]:
    """Those of the new image in its order, with those that went where they were.

    A layer is the same wherever it stands, as often as both images have it.
    """
    left = [digest for digest, _ in after]
    kept = []
    for digest, _ in before:
        kept.append(digest in left)
        if kept[-1]:
            left.remove(digest)
    gone = [layer for layer, is_kept in zip(before, kept, strict=True) if not is_kept]
    first = kept.index(False) if gone else 0
    same = [digest for digest, is_kept in zip((d for d, _ in before), kept, strict=True) if is_kept]
    found = []
    for digest, size in after:
        if digest in same:
            same.remove(digest)
            found.append(LayerChange("same", digest, size, shared=True))
        else:
            found.append(LayerChange("added", digest, size))
    removed = [LayerChange("removed", digest, size) for digest, size in gone]
    return found[:first] + removed + found[first:]


def compare_configs(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Section]:
    """Sections with changes in them; values as people read them."""
    pairs = [
        ("run", _run(before), _run(after)),
        ("env", _env(before), _env(after)),
        ("labels", _labels(before), _labels(after)),
    ]
    sections = [Section(key, _changes(one, other)) for key, one, other in pairs]
    return [section for section in sections if section.changes]


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    found = []
    for name in dict.fromkeys((*before, *after)):
        one, other = before.get(name), after.get(name)
        if one == other:
            continue
        state: State = "added" if one is None else "removed" if other is None else "changed"
        found.append(Change(state, name, one or "", other or ""))
    return found


def _run(config: Mapping[str, Any]) -> dict[str, str]:
    """How it runs, without what is not said."""
    facts = {
        "entrypoint": shlex.join(config.get("entrypoint") or []),
        "command": shlex.join(config.get("cmd") or []),
        "user": config.get("user") or "",
        "directory": config.get("working_dir") or "",
        "ports": ", ".join(config.get("ports") or []),
        "volumes": ", ".join(config.get("volumes") or []),
        "healthcheck": shlex.join((config.get("healthcheck") or {}).get("test") or []),
        "stop signal": config.get("stop_signal") or "",
    }
    return {name: value for name, value in facts.items() if value}


def _env(config: Mapping[str, Any]) -> dict[str, str]:
    pairs = (str(entry).partition("=") for entry in config.get("env") or [])
    return {name: value for name, _, value in pairs}


def _labels(config: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in (config.get("labels") or {}).items()}
