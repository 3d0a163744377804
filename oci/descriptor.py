"""Descriptors: media type, size and digest of some content (image-spec, *Descriptor*)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oci.digest import Digest
from oci.errors import DigestInvalid, ManifestInvalid
from oci.media import is_foreign


@dataclass(frozen=True, slots=True)
class Platform:
    """What a child of an image index runs on."""

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One entry of a manifest. `size` is in bytes."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str = ""
    urls: tuple[str, ...] = ()
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def may_be_absent(self) -> bool:
        """Foreign layers are fetched from elsewhere and need not be pushed."""
        return is_foreign(self.media_type)


def parse_descriptor(value: Any, where: str) -> Descriptor:
    """Read one descriptor of untrusted JSON; raises ManifestInvalid naming the place `where`."""
    if not isinstance(value, dict):
        raise ManifestInvalid(f"{where} must be a descriptor object")
    media_type, size = value.get("mediaType"), value.get("size")
    if not isinstance(media_type, str) or not media_type or len(media_type) > 255:
        raise ManifestInvalid(f"{where} needs a mediaType")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**63:
        raise ManifestInvalid(f"{where} needs a size of zero or more bytes")
    digest = _digest(value.get("digest"), where)
    _check_data(value.get("data"), digest, size, where)
    return Descriptor(
        media_type=media_type,
        digest=digest,
        size=size,
        artifact_type=_text(value.get("artifactType")),
        urls=_texts(value.get("urls"), f"urls of {where}"),
        platform=_platform(value.get("platform")),
        annotations=parse_annotations(value.get("annotations"), where),
    )


def parse_annotations(value: Any, where: str) -> dict[str, str]:
    """A map of strings; raises ManifestInvalid."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ManifestInvalid(f"annotations of {where} must be a map of strings")
    return value


def _digest(value: Any, where: str) -> Digest:
    if not isinstance(value, str):
        raise ManifestInvalid(f"{where} needs a digest")
    try:
        return Digest.parse(value)
    except DigestInvalid as error:
        raise ManifestInvalid(f"{where} has a {error.message}", detail=error.detail) from error


def _check_data(value: Any, digest: Digest, size: int, where: str) -> None:
    if value is None:
        return
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ManifestInvalid(f"data of {where} is not base64") from error
    if len(data) != size or Digest.of(data, digest.algorithm) != digest:
        raise ManifestInvalid(f"data of {where} does not match its digest and size")


def _platform(value: Any) -> Platform | None:
    if not isinstance(value, dict):
        return None
    return Platform(
        os=_text(value.get("os")),
        architecture=_text(value.get("architecture")),
        variant=_text(value.get("variant")),
        os_version=_text(value.get("os.version")),
    )


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ManifestInvalid(f"{where} must be a list of strings")
    return tuple(value)


def _text(value: Any) -> str:
    return value[:255] if isinstance(value, str) else ""
