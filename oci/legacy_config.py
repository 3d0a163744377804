"""The config and manifest that images of the registry API of 2013 become (registry-v1, 6.2).

What an old document says stays; only what made it one image of a chain is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oci import media
from oci.digest import Digest

NO_TIME = "0001-01-01T00:00:00Z"
_TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?"
    r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)"
)
_OF_THE_CHAIN = ("id", "parent", "parent_id", "layer_id", "throwaway", "Size")
_DEFAULTS = {"architecture": "amd64", "os": "linux"}


@dataclass(frozen=True, slots=True)
class Layer:
    """A stored layer: the digest and size of its bytes, and the digest of what it unpacks to."""

    digest: str
    size: int
    media_type: str
    diff_id: str


def history_entry(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a document says of how its layer was made, as engines that pull old images keep it."""
    entry: dict[str, Any] = {"created": _time(document.get("created"))}
    made_in = document.get("container_config")
    words = made_in.get("Cmd") if isinstance(made_in, dict) else None
    said = {
        "author": document.get("author"),
        "comment": document.get("comment"),
        "created_by": " ".join(w for w in words if isinstance(w, str))
        if isinstance(words, list)
        else words,
    }
    return entry | {key: value for key, value in said.items() if isinstance(value, str) and value}


def history_up_to(history: Any, layers: int, *, whole: bool = False) -> list[dict[str, Any]]:
    """The entries of an image's history that belong to its lowest `layers` layers, all of them if
    that is the `whole` image; made up where they do not fit."""
    found: list[dict[str, Any]] = []
    seen = 0
    for entry in history if isinstance(history, list) else []:
        if not isinstance(entry, dict) or (seen == layers and not whole):
            break
        found.append(entry)
        seen += entry.get("empty_layer") is not True
    return found if seen == layers else [{"created": NO_TIME} for _ in range(layers)]


def config_of(
    document: Mapping[str, Any], history: Sequence[Mapping[str, Any]], diff_ids: Sequence[str]
) -> bytes:
    """The config of an image; `document` is the one on top, the rest is root first."""
    config: dict[str, Any] = {k: v for k, v in document.items() if k not in _OF_THE_CHAIN}
    for key, value in _DEFAULTS.items():
        if not isinstance(config.get(key), str) or not config[key]:
            config[key] = value
    config["created"] = _time(document.get("created"))
    config["rootfs"] = {"type": "layers", "diff_ids": list(diff_ids)}
    config["history"] = [dict(entry) for entry in history]
    return _as_json(config)


def manifest_of(config: bytes, layers: Sequence[Layer]) -> bytes:
    """A Docker schema 2 manifest: the oldest clients that know digests take no other."""
    return _as_json(
        {
            "schemaVersion": 2,
            "mediaType": media.DOCKER_MANIFEST,
            "config": {
                "mediaType": media.DOCKER_CONFIG,
                "size": len(config),
                "digest": str(Digest.of(config)),
            },
            "layers": [
                {"mediaType": layer.media_type, "size": layer.size, "digest": layer.digest}
                for layer in layers
            ],
        }
    )


def _time(value: Any) -> str:
    """A time that every client can read."""
    return value if isinstance(value, str) and _TIME.fullmatch(value) else NO_TIME


def _as_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
