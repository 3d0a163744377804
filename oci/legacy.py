"""Images as the registry of 2013 knew them: one image a layer, each naming its parent.

Ids follow what docker 1.10 pushed to such registries: the top image has the digest of the config,
one below it the chain id of the layers up to there (image-spec, *Layer ChainID*).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from oci import media
from oci.digest import Digest

MAX_LAYERS = 127  # of an image, as engines can stack them
READABLE_LAYERS = frozenset(
    {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    }
)
_ID = re.compile(r"[0-9a-f]{64}")
_DIFF = re.compile(r"sha256:[0-9a-f]{64}")
_NOT_IN_V1 = ("rootfs", "history", "os.version", "os.features", "id", "parent")


def is_image_id(text: str) -> bool:
    """Whether `text` is an image id."""
    return _ID.fullmatch(text) is not None


def is_readable(config_type: str, layer_types: Sequence[str]) -> bool:
    """Whether an old client can use an image: its tools know tar and gzip, and need a layer."""
    return (
        config_type in media.IMAGE_CONFIGS
        and 0 < len(layer_types) <= MAX_LAYERS
        and READABLE_LAYERS.issuperset(layer_types)
    )


def top_id(config_digest: str) -> str:
    """The id of a whole image; empty where its config has a digest that gives none."""
    algorithm, _, encoded = config_digest.partition(":")
    return encoded if algorithm == "sha256" else ""


def image_ids(
    config_digest: str, config: Mapping[str, Any], layers: Sequence[str]
) -> tuple[str, ...]:
    """The ids of an image's layers, root first; `layers` are the digests of its blobs.

    Where the config does not say what each layer unpacks to, the blobs' own digests stand in.
    """
    chain = ""
    found = []
    for diff in _diffs(config, layers)[:-1]:
        chain = str(Digest.of(f"{chain} {diff}".encode())) if chain else diff
        found.append(_hex(chain))
    return (*found, top_id(config_digest))


def top_json(config: Mapping[str, Any], image_id: str, parent: str) -> dict[str, Any]:
    """The document of a whole image: its config, without what came later."""
    kept = {key: value for key, value in config.items() if key not in _NOT_IN_V1}
    return {**kept, **lower_json(image_id, parent)}


def lower_json(image_id: str, parent: str) -> dict[str, Any]:
    """The document of an image that others are built on."""
    return {"id": image_id, **({"parent": parent} if parent else {})}


def parse_image_id(body: bytes) -> str:
    """The id a request to set a tag holds, a JSON text; empty if it is anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return value if isinstance(value, str) else ""


def claimed_diffs(config: Mapping[str, Any], layers: int) -> list[str] | None:
    """What a config says its layers unpack to, root first; None unless it does for each."""
    rootfs = config.get("rootfs")
    claimed = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(claimed, list) or len(claimed) != layers:
        return None
    diffs = [diff for diff in claimed if isinstance(diff, str) and _DIFF.fullmatch(diff)]
    return diffs if len(diffs) == layers else None


def _diffs(config: Mapping[str, Any], layers: Sequence[str]) -> Sequence[str]:
    return claimed_diffs(config, len(layers)) or layers


def _hex(digest: str) -> str:
    algorithm, _, encoded = digest.partition(":")
    return encoded if algorithm == "sha256" else hashlib.sha256(digest.encode()).hexdigest()
