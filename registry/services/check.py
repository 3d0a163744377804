"""The walk over rows and objects that proves what must always hold; changes nothing, runs online.

Findings are sentences, none when all is well. Rows may change while it reads: a blob or part that
looks wrong is looked at a second time before it is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.db.models import Exists, F, Model, OuterRef, Q, QuerySet
from django.utils import timezone

from core.errors import HubError
from oci import manifest as document
from oci.digest import Digest, hasher
from oci.media import is_foreign
from registry.models import (
    Blob,
    BlobLink,
    DiscardedObject,
    Manifest,
    ManifestBlob,
    ManifestChild,
    Tag,
    UploadPart,
    UploadSession,
)
from registry.services.grace import stray_deadline
from storage.base import ObjectMissing
from storage.factory import CONTENT_PREFIXES, get_store

OVERDUE = timedelta(days=1)  # the collector looks every minute
_BATCH = 500
_MANIFESTS = 50  # of up to 4 MiB each


def check(*, rehash: bool = False) -> list[str]:
    """Everything that is wrong; `rehash` reads every stored byte."""
    findings: list[str] = []
    for part in (_tags, _manifests, _manifest_blobs, _children, _uploads, _keys, _unqueued):
        findings += part()
    findings += _blobs(rehash)
    findings += _overdue()
    findings += _strays()
    return findings


def _tags() -> Iterator[str]:
    for tag in Tag.objects.exclude(manifest__repository=F("repository")):
        yield f"tag {tag.pk} ({tag.name}) points to a manifest of another repository"


def _manifests() -> Iterator[str]:
    """The payload is what its digest says, and all it names is kept in rows."""
    manifests = Manifest.objects.iterator(chunk_size=_MANIFESTS)
    while batch := list(islice(manifests, _MANIFESTS)):
        kept: dict[int, set[str]] = defaultdict(set)
        for rows in (
            ManifestBlob.objects.filter(manifest__in=batch).values_list("manifest_id", "digest"),
            ManifestChild.objects.filter(parent__in=batch).values_list("parent_id", "child_digest"),
        ):
            for key, digest in rows:
                kept[key].add(digest)
        for manifest in batch:
            yield from _manifest(manifest, kept[manifest.pk])


def _manifest(manifest: Manifest, kept: set[str]) -> Iterator[str]:
    payload, digest = bytes(manifest.payload), Digest.parse(manifest.digest)
    if Digest.of(payload, digest.algorithm) != digest:
        yield f"manifest {manifest.pk}: its bytes do not have the digest {digest}"
        return
    try:
        parsed = document.parse(payload, manifest.media_type)
    except HubError as error:
        yield f"manifest {manifest.pk} ({digest}) cannot be read: {error.message}"
        return
    missing = {str(d.digest) for d in (*parsed.blobs, *parsed.children)} - kept
    if missing and Manifest.objects.filter(pk=manifest.pk).exists():  # else it just went
        for name in sorted(missing):
            yield f"manifest {manifest.pk} ({digest}) names {name}, which no row keeps"


def _manifest_blobs() -> Iterator[str]:
    """Every config and layer is linked in the manifest's own repository (I1)."""
    rows = ManifestBlob.objects.select_related("manifest", "link__blob").defer("manifest__payload")
    for row in rows.filter(link=None, manifest__sparse=False):
        if not is_foreign(row.media_type):
            yield f"manifest {row.manifest_id}: {row.role} {row.digest} has no link"
    for row in rows.exclude(link=None).exclude(link__repository=F("manifest__repository")):
        yield f"manifest {row.manifest_id}: {row.digest} is linked in another repository"
    wrong = ~Q(link__blob__digest=F("digest")) | ~Q(link__blob__size=F("size"))
    for row in rows.exclude(link=None).filter(wrong):
        yield f"manifest {row.manifest_id}: {row.digest} is linked to a blob of other bytes"


def _children() -> Iterator[str]:
    """Every child is a manifest of the same repository (I1)."""
    rows = ManifestChild.objects.all()
    for row in rows.filter(child=None, parent__sparse=False):
        yield f"manifest {row.parent_id}: child {row.child_digest} is missing"
    present = rows.exclude(child=None)
    for row in present.exclude(child__repository=F("parent__repository")):
        yield f"manifest {row.parent_id}: child {row.child_digest} is of another repository"
    for row in present.exclude(child__digest=F("child_digest")):
        yield f"manifest {row.parent_id}: child {row.child_digest} is another manifest"


def _uploads() -> Iterator[str]:
    """An offset counts exactly the parts, and their bytes are here (I7)."""
    for session in UploadSession.objects.order_by("pk").iterator():
        end = 0
        for part in UploadPart.objects.filter(session=session).order_by("start"):
            if part.start != end:
                yield f"upload {session.uuid}: a part begins at {part.start}, not {end}"
            end = part.start + part.size
            if _size(part.storage_key) != part.size and _again(part):
                yield f"upload {session.uuid}: the bytes from {part.start} are missing or cut"
        if end < session.offset and _again(session):
            yield f"upload {session.uuid}: offset {session.offset}, but {end} bytes are stored"


def _keys() -> Iterator[str]:
    """A storage key belongs to one row (architecture, invariant 4)."""
    discarded = DiscardedObject.objects.filter(storage_key=OuterRef("storage_key"))
    for key in Blob.objects.filter(Exists(discarded)).values_list("storage_key", flat=True):
        yield f"{key} is a blob's and discarded"
    for key in UploadPart.objects.filter(Exists(discarded)).values_list("storage_key", flat=True):
        yield f"{key} is a part's and discarded"
    discarded = DiscardedObject.objects.filter(storage_key=OuterRef("final_key"))
    for key in UploadSession.objects.filter(Exists(discarded)).values_list("final_key", flat=True):
        yield f"{key} is an upload's and discarded"
    parts = UploadPart.objects.filter(storage_key=OuterRef("storage_key"))
    for key in Blob.objects.filter(Exists(parts)).values_list("storage_key", flat=True):
        yield f"{key} is a blob's and a part's"


def _unqueued() -> Iterator[str]:
    """What nothing names is in the collector's queue (I11)."""
    for blob in Blob.objects.filter(links=None, review_after=None):
        yield f"blob {blob.digest} has no link and is not queued for review"
    for link in BlobLink.objects.filter(uses=None, review_after=None).select_related("blob"):
        yield f"link {link.pk} to {link.blob.digest} is unused and not queued for review"
    subject = Manifest.objects.filter(
        repository=OuterRef("repository"), digest=OuterRef("subject_digest")
    )
    loose = Manifest.objects.filter(tags=None, parents=None, review_after=None)
    for manifest in loose.exclude(repository__untagged_days=None).exclude(Exists(subject)):
        yield f"manifest {manifest.digest} has no tag and is not queued for review"


def _blobs(rehash: bool) -> Iterator[str]:
    """The bytes of every blob are here, whole and its own (I2, I4)."""
    for blob in Blob.objects.order_by("pk").iterator():
        if _size(blob.storage_key) != blob.size:
            if _again(blob):
                yield f"blob {blob.digest}: its bytes are missing or cut"
        elif rehash and _digest(blob) != blob.digest and _again(blob):
            yield f"blob {blob.digest}: its bytes are damaged"


def _overdue() -> Iterator[str]:
    """Queued long ago and still there: the collector does not run or cannot (I11)."""
    limit = timezone.now() - OVERDUE
    late: dict[str, QuerySet[Manifest] | QuerySet[BlobLink] | QuerySet[Blob]] = {
        "manifests": Manifest.objects.filter(review_after__lt=limit),
        "links": BlobLink.objects.filter(review_after__lt=limit),
        "blobs": Blob.objects.filter(review_after__lt=limit),
    }
    for what, rows in late.items():
        if count := rows.count():
            yield f"{count} {what} wait for review since more than a day"
    if count := UploadSession.objects.filter(expires_at__lt=limit).count():
        yield f"{count} uploads have expired more than a day ago"
    grace = timedelta(seconds=settings.HUB.discard_grace_s)
    if count := DiscardedObject.objects.filter(discarded_at__lt=limit - grace).count():
        yield f"{count} discarded objects wait for deletion since more than a day"


def list_strays(before: datetime) -> Iterator[str]:
    """Keys of stored objects that are older than `before` and that no row names."""
    for prefix in CONTENT_PREFIXES:
        old = (found.key for found in get_store().walk(prefix) if found.modified_at < before)
        while batch := list(islice(old, _BATCH)):
            yield from without_row(batch)


def without_row(keys: Iterable[str]) -> list[str]:
    """Those that no row names, sorted. Rows are asked in the order in which a key moves on."""
    left = set(keys)
    places: tuple[tuple[type[Model], str], ...] = (
        (UploadSession, "final_key"),
        (UploadPart, "storage_key"),
        (Blob, "storage_key"),
        (DiscardedObject, "storage_key"),
    )
    for model, field in places:
        asked = [key for key in left if _is_storable(key)]
        rows = model._default_manager.filter(**{f"{field}__in": asked})
        left -= {*rows.values_list(field, flat=True)}
    return sorted(left)


def _strays() -> Iterator[str]:
    """Bytes that the daily sweep should have taken away; they may go while this reads."""
    for key in list_strays(stray_deadline() - OVERDUE):
        if _size(key) is not None and without_row([key]):
            yield f"{key!r} is stored and no row names it"


def _is_storable(key: str) -> bool:
    """Names of files may be no text at all; such a key was never ours."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _size(key: str) -> int | None:
    try:
        return get_store().size(key)
    except ObjectMissing:
        return None


def _digest(blob: Blob) -> str:
    running = hasher(Digest.parse(blob.digest).algorithm)
    try:
        for piece in get_store().open(blob.storage_key):
            running.update(piece)
    except ObjectMissing:
        return ""
    return f"{running.name}:{running.hexdigest()}"


def _again(row: Blob | UploadPart | UploadSession) -> bool:
    """Whether the row still says the same: else it was collected or moved on meanwhile."""
    values = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields}
    return type(row)._default_manager.filter(**values).exists()
