"""Putting and deleting manifests: everything a manifest names must be here first.

distribution-spec, *Pushing manifests*, *Deleting manifests*; order of steps in security.md 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import BigIntegerField, CharField
from django.db.models.functions import Length

from core.prepared import Prepared, insert
from events.services import record
from events.types import Actor
from oci import manifest as document
from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.errors import DigestInvalid, ManifestInvalid
from oci.media import INDEXES
from registry.errors import InUse, ManifestBlobUnknown, ManifestUnknown, TagImmutable
from registry.models import BlobLink, Manifest, ManifestBlob, ManifestChild, Tag
from registry.selectors import find_link
from registry.services import rows
from registry.services.describe import read_config, save_info
from registry.services.grace import after_push, after_untag
from registry.services.locking import Recheck, lock_repository, no_recheck
from registry.services.tags import drop_tag, is_immutable, move_tag, review_manifest
from repos.models import Repository

Role = ManifestBlob.BlobRole
_manifest = Prepared(
    lambda repository, digest: Manifest.objects.filter(repository=repository, digest=digest)[:1],
    BigIntegerField(),
    CharField(),
)
MAX_INDEX_DEPTH = 3
MAX_TOTAL_BYTES = 2**63 - 1  # foreign layers may claim any size


@dataclass(frozen=True, slots=True)
class PutResult:
    """The stored manifest, the digest in the caller's algorithm, and what it is about."""

    manifest: Manifest
    digest: str
    subject_digest: str


@dataclass(frozen=True, slots=True)
class _Found:
    """What the descriptors of a document resolve to in the repository."""

    links: dict[str, BlobLink]
    children: dict[str, Manifest]


def put_manifest(
    repository: Repository,
    payload: bytes,
    *,
    content_type: str,
    reference: Digest | str,
    tags: Sequence[str] = (),
    actor: Actor,
    recheck: Recheck = no_recheck,
) -> PutResult:
    """Keep a manifest and move tags to it: `reference` if it is one, and `tags`; all or none.

    Raises ManifestInvalid, ManifestTooLarge, DigestInvalid, ManifestBlobUnknown (with every missing
    digest), TagImmutable. Putting the same again changes nothing. `recheck` is called under the
    repository's lock and raises if the right has gone meanwhile.
    """
    parsed = document.parse(payload, content_type)
    digest = _digest_of(payload, reference)
    names = dict.fromkeys((reference, *tags) if isinstance(reference, str) else tags)
    config = _config_of(repository, parsed)
    with transaction.atomic():
        row = lock_repository(repository)
        recheck(row)
        manifest = _manifest.first(row.pk, str(digest))
        if manifest is None:
            manifest = _insert(row, payload, parsed, digest, actor)
            if not names:
                review_manifest(manifest)  # it may never get a tag or a parent
            save_info(manifest, parsed, config)
        elif manifest.media_type != parsed.media_type:
            raise ManifestInvalid(f"this digest is already kept as {manifest.media_type}")
        elif not names:
            _keep_longer(manifest)
        for name in names:
            move_tag(row, name, manifest, actor=actor)
        rows.note_push(row)
    return PutResult(manifest, str(digest), manifest.subject_digest)


def refuse_unfounded(payload: bytes, content_type: str, reference: Digest | str) -> None:
    """Raise what `put_manifest` would in a repository that does not exist yet, and make none.

    Raises ManifestInvalid, ManifestTooLarge, DigestInvalid, ManifestBlobUnknown.
    """
    parsed = document.parse(payload, content_type)
    _digest_of(payload, reference)
    named = (*parsed.blobs, *parsed.children)
    missing = dict.fromkeys(str(d.digest) for d in named if not d.may_be_absent)
    if missing:
        raise ManifestBlobUnknown(list(missing))


def delete_manifest(
    repository: Repository, digest: Digest, *, actor: Actor, recheck: Recheck = no_recheck
) -> None:
    """Delete a manifest and every tag on it; raises ManifestUnknown, InUse, TagImmutable.

    A child of an image index stays as long as the index does.
    """
    with transaction.atomic():
        row = lock_repository(repository)
        recheck(row)
        manifest = Manifest.objects.filter(repository=row, digest=str(digest)).first()
        if manifest is None:
            raise ManifestUnknown("manifest unknown to registry", detail={"digest": str(digest)})
        _refuse_child(manifest)
        tags = list(Tag.objects.filter(manifest=manifest))
        for tag in tags:
            if is_immutable(row, tag.name):
                raise TagImmutable(
                    f"the immutable tag {tag.name} holds this manifest", detail={"tag": tag.name}
                )
        for tag in tags:
            tag.manifest = manifest
            drop_tag(row, tag, actor=actor)
        drop_manifest(manifest)
        record(
            "manifest.deleted",
            actor=actor,
            repository_id=row.pk,
            repository_path=row.path,
            namespace_id=row.namespace_id,
            payload={"digest": str(digest), "media_type": manifest.media_type},
        )


def drop_manifest(manifest: Manifest) -> None:
    """Delete the row and have what it kept alive looked at; the caller holds the repository."""
    links = BlobLink.objects.filter(uses__manifest=manifest).values_list("pk", flat=True)
    link_ids = list(links)
    children = Manifest.objects.filter(parents__parent=manifest)
    referrers = Manifest.objects.filter(
        repository_id=manifest.repository_id, subject_digest=manifest.digest
    )
    others = {*children.values_list("pk", flat=True), *referrers.values_list("pk", flat=True)}
    manifest.delete()
    BlobLink.objects.filter(pk__in=link_ids).update(review_after=after_push())
    Manifest.objects.filter(pk__in=others).update(review_after=after_untag())


def _digest_of(payload: bytes, reference: Digest | str) -> Digest:
    if isinstance(reference, str):
        return Digest.of(payload)
    digest = Digest.of(payload, reference.algorithm)
    if digest != reference:
        raise DigestInvalid(
            "provided digest did not match the manifest", detail={"digest": str(reference)}
        )
    return digest


def _config_of(repository: Repository, parsed: document.Manifest) -> dict[str, Any] | None:
    """Read the config before the transaction: nothing is read from the store inside one."""
    if parsed.config is None:
        return None
    link = find_link(repository, parsed.config.digest)
    return read_config(parsed.config, link.blob.storage_key) if link else None


def _insert(
    repository: Repository,
    payload: bytes,
    parsed: document.Manifest,
    digest: Digest,
    actor: Actor,
) -> Manifest:
    found = _resolve(repository, parsed)
    children = [
        found.children[d] for d in {str(c.digest) for c in parsed.children} & {*found.children}
    ]
    manifest = Manifest(
        repository=repository,
        digest=str(digest),
        media_type=parsed.media_type,
        artifact_type=_artifact_type(parsed),
        payload=payload,
        subject_digest=str(parsed.subject.digest) if parsed.subject else "",
        annotations=dict(parsed.annotations),
        total_size=min(
            parsed.total_size + sum(child.total_size for child in children), MAX_TOTAL_BYTES
        ),
        pushed_by_id=actor.id,
        pushed_by_name=actor.name,
        review_after=None,
    )
    insert(manifest)
    blobs = ManifestBlob.objects.bulk_create(_blob_rows(manifest, parsed, found))
    ManifestChild.objects.bulk_create(_child_rows(manifest, parsed, found))
    used = {blob.link_id for blob in blobs if blob.link_id is not None}
    BlobLink.objects.filter(pk__in=used, review_after__isnull=False).update(review_after=None)
    return manifest


def _artifact_type(parsed: document.Manifest) -> str:
    """What referrers list: the manifest's own, else that of its config (distribution-spec)."""
    return parsed.artifact_type or (parsed.config.media_type if parsed.config else "")


def _resolve(repository: Repository, parsed: document.Manifest) -> _Found:
    """Look everything up at once; raises ManifestBlobUnknown, ManifestInvalid for a wrong size."""
    descriptors = (*parsed.blobs, *parsed.children)
    wanted = {str(d.digest) for d in descriptors}
    links = {
        link.blob.digest: link
        for link in BlobLink.objects.select_related("blob").filter(
            repository=repository, blob__digest__in=wanted
        )
    }
    named = Manifest.objects.filter(
        repository=repository, digest__in=[str(d.digest) for d in parsed.children]
    )
    children = {child.digest: child for child in named.defer("payload")}
    # One digest may be named twice, as a layer that must be here and as one that need not.
    needed = dict.fromkeys(str(d.digest) for d in descriptors if not d.may_be_absent)
    missing = [digest for digest in needed if digest not in links and digest not in children]
    if missing:
        raise ManifestBlobUnknown(missing)
    sizes = {digest: link.blob.size for digest, link in links.items()}
    if children:
        sizes |= named.annotate(size=Length("payload")).values_list("digest", "size")
    if children and named.filter(children__child__children__child__media_type__in=INDEXES).exists():
        raise ManifestInvalid(f"an image index may be at most {MAX_INDEX_DEPTH} deep")
    for descriptor in descriptors:
        _check_size(descriptor, sizes.get(str(descriptor.digest), descriptor.size))
    return _Found(links, children)


def _check_size(descriptor: Descriptor, stored: int) -> None:
    if stored != descriptor.size:
        raise ManifestInvalid(
            f"the size of {descriptor.digest} is {stored}, not {descriptor.size}",
            detail={"digest": str(descriptor.digest)},
        )


def _blob_rows(manifest: Manifest, parsed: document.Manifest, found: _Found) -> list[ManifestBlob]:
    named: list[tuple[str, Sequence[Descriptor]]] = [
        (Role.CONFIG, (parsed.config,) if parsed.config else ()),
        (Role.LAYER, parsed.layers),
        (Role.CHILD, [c for c in parsed.children if str(c.digest) not in found.children]),
    ]
    return [
        ManifestBlob(
            manifest=manifest,
            role=role,
            position=position,
            digest=str(descriptor.digest),
            size=descriptor.size,
            media_type=descriptor.media_type,
            link=found.links.get(str(descriptor.digest)),
        )
        for role, descriptors in named
        for position, descriptor in enumerate(descriptors)
    ]


def _child_rows(
    manifest: Manifest, parsed: document.Manifest, found: _Found
) -> list[ManifestChild]:
    return [
        ManifestChild(
            parent=manifest,
            position=position,
            child_digest=str(child.digest),
            child=found.children[str(child.digest)],
            platform=str(child.platform or "")[:255],
            annotations=dict(child.annotations),
        )
        for position, child in enumerate(parsed.children)
        if str(child.digest) in found.children
    ]


def _keep_longer(manifest: Manifest) -> None:
    """Pushed again by digest: somebody is about to name it."""
    if manifest.review_after is not None:
        review_manifest(manifest)


def _refuse_child(manifest: Manifest) -> None:
    parents = list(
        ManifestChild.objects.filter(child=manifest).values_list("parent__digest", flat=True)[:10]
    )
    if parents:
        raise InUse(
            "an image index still lists this manifest; delete the index first",
            detail={"manifests": parents},
        )
