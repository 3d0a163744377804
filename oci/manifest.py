"""Bytes to manifest values: image manifests, image indexes, artifacts (image-spec).

The bytes themselves are kept and served unchanged; this reads what they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oci import media
from oci.descriptor import Descriptor, parse_annotations, parse_descriptor
from oci.errors import ManifestInvalid, ManifestTooLarge
from oci.strict import JsonInvalid, read_json

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_DESCRIPTORS = 1000
MAX_DEPTH = 32
MAX_VALUES = 250_000  # a small value takes twenty times its text in memory


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest lists. An image index has children; anything else has layers, and a config
    unless it is an artifact manifest, whose `blobs` are its layers here.
    """

    media_type: str
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    children: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_index(self) -> bool:
        """Whether this lists other manifests."""
        return self.media_type in media.INDEXES

    @property
    def total_size(self) -> int:
        """Bytes of config and layers together, each digest once."""
        parts = {d.digest: d.size for d in self.blobs}
        return sum(parts.values())

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config first, then layers."""
        return ((self.config,) if self.config else ()) + self.layers


def parse(payload: bytes, content_type: str = "") -> Manifest:
    """Read a manifest; raises ManifestInvalid or ManifestTooLarge.

    `content_type` is the request's header; the body's own `mediaType`, if any, must agree.
    """
    if len(payload) > MAX_MANIFEST_BYTES:
        raise ManifestTooLarge(f"a manifest may be at most {MAX_MANIFEST_BYTES} bytes")
    document = _read(payload)
    media_type = _media_type(document, media.base_type(content_type))
    version = document.get("schemaVersion", _default_version(media_type))
    if type(version) is not int or version != 2:
        raise ManifestInvalid("schemaVersion must be 2")
    _refuse_mixture(document, media_type)
    subject = document.get("subject")
    artifact_type = document.get("artifactType", "")
    if not isinstance(artifact_type, str):
        raise ManifestInvalid("artifactType must be text")
    return Manifest(
        media_type=media_type,
        config=_config(document, media_type),
        layers=_descriptors(document, "blobs" if media_type == media.OCI_ARTIFACT else "layers"),
        children=_descriptors(document, "manifests"),
        subject=None if subject is None else parse_descriptor(subject, "subject"),
        artifact_type=artifact_type[:255],
        annotations=parse_annotations(document.get("annotations"), "the manifest"),
    )


def _read(payload: bytes) -> dict[str, Any]:
    try:
        document = read_json(payload, most_values=MAX_VALUES, most_depth=MAX_DEPTH)
    except JsonInvalid as error:
        raise ManifestInvalid(f"the manifest {error}") from error
    if not isinstance(document, dict):
        raise ManifestInvalid("a manifest is a JSON object")
    return document


def _media_type(document: dict[str, Any], header: str) -> str:
    own = document.get("mediaType")
    if own is not None and not isinstance(own, str):
        raise ManifestInvalid("mediaType must be text")
    if {own, header} & media.DOCKER_SCHEMA_1 or document.get("schemaVersion") == 1:
        raise ManifestInvalid("Docker schema 1 manifests are not supported; push schema 2 or OCI")
    if own and header and own != header:
        raise ManifestInvalid(f"mediaType {own[:100]} differs from Content-Type {header[:100]}")
    found = own or header or _guess(document)
    if found not in media.MANIFESTS:
        raise ManifestInvalid(
            f"unsupported manifest type {found[:200]}; use an OCI or Docker schema 2 type"
        )
    return found


def _guess(document: dict[str, Any]) -> str:
    return media.OCI_INDEX if "manifests" in document else media.OCI_MANIFEST


def _default_version(media_type: str) -> int:
    """Artifact manifests never had a schemaVersion."""
    return 2 if media_type == media.OCI_ARTIFACT else 0


def _refuse_mixture(document: dict[str, Any], media_type: str) -> None:
    other: tuple[str, ...] = ("manifests",)
    if media_type in media.INDEXES:
        other = ("config", "layers")
    elif media_type == media.OCI_ARTIFACT:
        other = ("config", "layers", "manifests")
    for key in (*other, "fsLayers", "history", "signatures"):
        if key in document:
            raise ManifestInvalid(f"{key} does not belong into {media_type}")


def _config(document: dict[str, Any], media_type: str) -> Descriptor | None:
    if media_type == media.OCI_ARTIFACT:
        return None
    if media_type in media.INDEXES:
        if not isinstance(document.get("manifests"), list):
            raise ManifestInvalid("an image index needs a list of manifests")
        return None
    if "config" not in document:
        raise ManifestInvalid("an image manifest needs a config")
    if not isinstance(document.get("layers", []), list):
        raise ManifestInvalid("layers must be a list")
    return parse_descriptor(document["config"], "config")


def _descriptors(document: dict[str, Any], key: str) -> tuple[Descriptor, ...]:
    values = document.get(key) or []
    if not isinstance(values, list):
        raise ManifestInvalid(f"{key} must be a list")
    if len(values) > MAX_DESCRIPTORS:
        raise ManifestInvalid(f"{key} may list at most {MAX_DESCRIPTORS} descriptors")
    return tuple(parse_descriptor(v, f"{key}[{i}]") for i, v in enumerate(values))
