"""Giving images the ids of 2013, and remembering them so that an id leads back to its image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.legacy import image_ids
from registry.legacy import Content, known_ids
from registry.models import LegacyImage, Manifest
from registry.services.describe import read_config
from registry.services.locking import lock_repository
from repos.models import Repository

READ_AT_ONCE = 200  # configs; the store may be far away


def read_document(content: Content) -> dict[str, Any] | None:
    """The config of an image, or None if it is none, too large, or not there."""
    config, link = content.config, content.config.link
    assert link is not None  # see registry.legacy
    described = Descriptor(config.media_type, Digest.parse(config.digest), config.size)
    return read_config(described, link.blob.storage_key)


def identify(repository: Repository, contents: Sequence[Content]) -> Mapping[int, tuple[str, ...]]:
    """The ids of images of one repository, root first, by manifest.

    Reads what was not read before from the store, READ_AT_ONCE images at most, and remembers it;
    the others come with the next call. An image whose config cannot be read has none.
    """
    by_manifest = {content.manifest_id: content for content in contents}
    ids = known_ids(by_manifest)
    made: dict[int, tuple[str, ...]] = {}
    for manifest_id in [key for key in by_manifest if key not in ids][:READ_AT_ONCE]:
        content = by_manifest[manifest_id]
        document = read_document(content)
        if document is not None:
            layers = [layer.digest for layer in content.layers]
            made[manifest_id] = image_ids(content.config.digest, document, layers)
    if made:
        _remember(repository, made)
    return {**ids, **made}


def _remember(repository: Repository, made: Mapping[int, tuple[str, ...]]) -> None:
    """Under the repository's lock, so that no manifest goes meanwhile; two may do so at once."""
    with transaction.atomic():
        row = lock_repository(repository)
        there = Manifest.objects.filter(repository=row, pk__in=list(made))
        LegacyImage.objects.bulk_create(
            [
                LegacyImage(manifest_id=key, position=position, image_id=image_id)
                for key in there.values_list("pk", flat=True)
                for position, image_id in enumerate(made[key])
            ],
            ignore_conflicts=True,
        )
