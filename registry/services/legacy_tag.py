"""Tag time of the registry API of 2013: a chain of images becomes one manifest that any client
pulls, and keeps the ids, documents and checksums that its own client knows (registry-v1, 6.2).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from core.errors import Invalid
from events.types import Actor
from oci import layers as layer_types
from oci import media
from oci.digest import Digest
from oci.legacy import MAX_LAYERS, claimed_diffs
from oci.legacy_config import Layer, config_of, history_entry, history_up_to, manifest_of
from registry import legacy
from registry.models import LegacyImage, LegacyPush, LegacyPushImage, Manifest
from registry.services import uploads
from registry.services.describe import MAX_CONFIG_BYTES
from registry.services.legacy import identify, read_document
from registry.services.legacy_push import ImageMissing, get_complete, note_tag
from registry.services.locking import Recheck, lock_repository
from registry.services.manifests import PutResult, put_manifest

_DOCKER_TYPES = {
    "application/vnd.oci.image.layer.v1.tar": layer_types.PLAIN,
    "application/vnd.oci.image.layer.v1.tar+gzip": layer_types.GZIP,
}


@dataclass(frozen=True, slots=True)
class _Known:
    """An image of the chain as old clients know it; the document is empty where it is derived."""

    image_id: str
    chosen: bool
    document: bytes
    checksum: str


@dataclass(frozen=True, slots=True)
class _Chain:
    """An image and all it is built on, root first."""

    images: tuple[_Known, ...] = ()
    layers: tuple[Layer, ...] = ()
    history: tuple[dict[str, Any], ...] = ()


def tag(
    push: LegacyPush, name: str, image_id: str, *, actor: Actor, recheck: Recheck
) -> PutResult | None:
    """Point a tag at an image of the push, or at a part of one that was pushed this way before.

    None if there is neither. Raises ImageUnfinished, ImageMissing, Invalid, and what `put_manifest`
    does. The same chain always makes the same manifest.
    """
    repository = push.repository
    chain = _chain(push, image_id)
    if chain is None:
        return None
    document = json.loads(chain.images[-1].document)
    config = config_of(document, chain.history, [layer.diff_id for layer in chain.layers])
    if len(config) > MAX_CONFIG_BYTES:
        raise Invalid(f"The image's documents make a config of more than {MAX_CONFIG_BYTES} bytes")
    uploads.put_blob(repository, [config], Digest.of(config), recheck=recheck)
    result = put_manifest(
        repository,
        manifest_of(config, chain.layers),
        content_type=media.DOCKER_MANIFEST,
        reference=name,
        actor=actor,
        recheck=recheck,
    )
    _remember(push, name, result.manifest, chain.images)
    return result


def _chain(push: LegacyPush, image_id: str) -> _Chain | None:
    """None for what is not of this push, unless it was chosen in an earlier one."""
    images: list[LegacyPushImage] = []
    current = image_id
    while current and (image := get_complete(push, current)) is not None:
        if len(images) >= MAX_LAYERS or any(image.pk == other.pk for other in images):
            raise Invalid("Image depends on itself or on too many others")
        images.append(image)
        current = image.parent_id
    if not images:
        place = legacy.find_in(push.repository, image_id)
        return _base(place, image_id) if place is not None and place.chosen else None
    base = _Chain()
    if current:
        place = legacy.find_in(push.repository, current)
        if place is None:
            raise ImageMissing
        base = _base(place, current)
    return _on(base, images[::-1])


def _on(base: _Chain, images: Sequence[LegacyPushImage]) -> _Chain:
    documents = [bytes(image.document) for image in images]
    known = (
        _Known(image.image_id, True, document, image.checksum)
        for image, document in zip(images, documents, strict=True)
    )
    layers = (Layer(i.digest, i.size, i.media_type, i.diff_id) for i in images)
    history = (history_entry(json.loads(document)) for document in documents)
    return _Chain((*base.images, *known), (*base.layers, *layers), (*base.history, *history))


def _base(place: legacy.Place, image_id: str) -> _Chain:
    """An image that the repository has, as the lower part of another one."""
    content, count = place.content, place.position + 1
    config = read_document(content)
    parts = content.layers
    diffs = claimed_diffs(config or {}, len(parts))
    ids = identify(place.repository, [content]).get(content.manifest_id, ())
    if config is None or diffs is None or len(ids) < count:
        raise Invalid(f"Nothing can be built on {image_id}: its config does not tell its layers")
    rows = LegacyImage.objects.filter(manifest=content.manifest_id, chosen=True)
    chosen = {row.position: row for row in rows}
    known = []
    for position, own in enumerate(ids[:count]):
        row = chosen.get(position)
        known.append(
            _Known(own, True, bytes(row.document), row.checksum)
            if row
            else _Known(own, False, b"", "")
        )
    layers = [
        Layer(part.digest, part.size, _DOCKER_TYPES.get(part.media_type, part.media_type), diff)
        for part, diff in zip(parts, diffs, strict=True)
    ]
    entries = history_up_to(config.get("history"), count, whole=place.is_top)
    return _Chain(tuple(known), tuple(layers[:count]), tuple(entries))


def _remember(push: LegacyPush, name: str, manifest: Manifest, images: Sequence[_Known]) -> None:
    """Under the repository's lock, so that the manifest stays; the newest ids count."""
    with transaction.atomic():
        row = lock_repository(push.repository)
        note_tag(push, name)
        if not Manifest.objects.filter(pk=manifest.pk, repository=row).exists():
            return
        LegacyImage.objects.filter(manifest=manifest).delete()
        LegacyImage.objects.bulk_create(
            LegacyImage(
                manifest=manifest,
                position=position,
                image_id=image.image_id,
                chosen=image.chosen,
                document=image.document,
                checksum=image.checksum,
            )
            for position, image in enumerate(images)
        )
