"""Collecting what nobody names, while serving. One item a transaction; a crash leaves work to do.

The life of content is drawn in docs/operations.md. Order of locks as everywhere: repository, blob.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from registry.errors import UploadUnknown
from registry.models import (
    Blob,
    BlobLink,
    DiscardedObject,
    LegacyPush,
    Manifest,
    ManifestBlob,
    ManifestChild,
    Tag,
    TagMove,
    UploadSession,
)
from registry.services import legacy_push, uploads
from registry.services.abandoned import drop_abandoned
from registry.services.check import list_strays, without_row
from registry.services.grace import after_untag, discard_deadline, stray_deadline
from registry.services.links import drop_link
from registry.services.locking import lock_blob
from registry.services.manifests import drop_manifest
from repos.models import Repository
from repos.services.trash import purge_due
from storage.factory import get_store

BATCH = 500
TOMBSTONE_DAYS = 3  # longer than a webhook delivery is tried


def collect() -> dict[str, int]:
    """One round over everything that is due; returns how many of each were dropped."""
    return {
        "uploads": uploads.expire(),
        "legacy pushes": legacy_push.expire(),
        "abandoned": drop_abandoned(),
        "repositories": purge_repositories(),
        "manifests": review_manifests(),
        "links": review_links(),
        "blobs": review_blobs(),
        "objects": empty_discarded(),
    }


def sweep() -> int:
    """Remove what processes that were killed left in the store; returns how many objects.

    An object counts as left behind when no row names it and it is older than any upload may be.
    """
    before = stray_deadline()
    count = get_store().drop_unfinished(before)
    for key in list_strays(before):
        if without_row([key]):  # a batch was asked for; this one is asked for again
            get_store().delete(key)
            count += 1
    return count


def purge_repositories() -> int:
    """Take deleted repositories apart, those in the trash when their time there is over; their
    blobs become due at once.

    The bare row stays for TOMBSTONE_DAYS: deliveries that tell of it may still be under way.
    """
    purge_due()
    old = timezone.now() - timedelta(days=TOMBSTONE_DAYS)
    tombstones = Repository.objects.filter(
        state=Repository.State.DELETED,
        deleted_at__lt=old,
        uploads=None,  # begun by a request that was under way; its bytes go when it expires
    )
    for tombstone in tombstones[:BATCH]:
        tombstone.delete()
    return sum(
        _purge(repository)
        for repository in Repository.objects.filter(state=Repository.State.DELETING)[:20]
    )


def review_manifests() -> int:
    """Drop untagged manifests that nothing keeps and the repository's rule lets go."""
    due = Manifest.objects.filter(review_after__lte=timezone.now()).order_by("review_after")
    return _each(due.values_list("pk", flat=True)[:BATCH], _review_manifest)


def review_links() -> int:
    """Drop links that no manifest uses."""
    due = BlobLink.objects.filter(review_after__lte=timezone.now()).order_by("review_after")
    return _each(due.values_list("pk", flat=True)[:BATCH], _review_link)


def review_blobs() -> int:
    """Drop blobs that no repository links; their bytes go to the discard pile."""
    due = Blob.objects.filter(review_after__lte=timezone.now()).order_by("review_after")
    return _each(due.values_list("pk", flat=True)[:BATCH], _review_blob)


def empty_discarded() -> int:
    """Delete discarded bytes after their grace: first the bytes, then the row."""
    due = DiscardedObject.objects.filter(discarded_at__lte=discard_deadline()).order_by("id")
    count = 0
    for row in due[:BATCH]:
        get_store().delete(row.storage_key)
        row.delete()
        count += 1
    return count


def _each(keys: Iterable[int], review: Callable[[int], bool]) -> int:
    return sum(review(key) for key in list(keys))


def _due(rows: QuerySet[Any]) -> Any:
    """The row, locked, if it is still due and nobody else is at it."""
    rows = rows.filter(review_after__lte=timezone.now())
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True)
    return rows.first()


def _lock(repository_id: int) -> bool:
    """Also one on its way out, whose content is exactly what must go; False if it has gone."""
    rows = Repository.objects.select_for_update(no_key=True).filter(pk=repository_id)
    return rows.first() is not None


def _review_manifest(key: int) -> bool:
    known = Manifest.objects.filter(pk=key).first()
    if known is None:
        return False
    with transaction.atomic():
        held = _lock(known.repository_id)
        manifest = _due(Manifest.objects.filter(pk=key)) if held else None
        if manifest is None:
            return False
        if _is_kept(manifest):
            Manifest.objects.filter(pk=key).update(review_after=_next_look(manifest))
            return False
        drop_manifest(manifest)
        return True


def _is_kept(manifest: Manifest) -> bool:
    return (
        manifest.repository.untagged_days is None  # people pin digests
        or Tag.objects.filter(manifest=manifest).exists()
        or ManifestChild.objects.filter(child=manifest).exists()
        or _subject_lives(manifest)
        or _age_days(manifest) < manifest.repository.untagged_days
        or TagMove.objects.filter(manifest=manifest, keep_until__gt=timezone.now()).exists()
    )


def _next_look(manifest: Manifest) -> Any:
    """Nothing to wait for, or a time after which age or undo may have run out."""
    if manifest.repository.untagged_days is None:
        return None
    if Tag.objects.filter(manifest=manifest).exists():
        return None
    return after_untag() if not ManifestChild.objects.filter(child=manifest).exists() else None


def _age_days(manifest: Manifest) -> float:
    return (timezone.now() - manifest.created_at).total_seconds() / 86400


def _subject_lives(manifest: Manifest) -> bool:
    return (
        bool(manifest.subject_digest)
        and Manifest.objects.filter(
            repository_id=manifest.repository_id, digest=manifest.subject_digest
        ).exists()
    )


def _review_link(key: int) -> bool:
    known = BlobLink.objects.filter(pk=key).first()
    if known is None:
        return False
    with transaction.atomic():
        held = _lock(known.repository_id)
        link = _due(BlobLink.objects.filter(pk=key)) if held else None
        if link is None:
            return False
        if ManifestBlob.objects.filter(link=link).exists():
            BlobLink.objects.filter(pk=key).update(review_after=None)
            return False
        drop_link(link)
        return True


def _review_blob(key: int) -> bool:
    with transaction.atomic():
        blob = lock_blob(key)
        if blob is None or blob.review_after is None or blob.review_after > timezone.now():
            return False
        if BlobLink.objects.filter(blob=blob).exists():
            Blob.objects.filter(pk=key).update(review_after=None)
            return False
        uploads.discard([blob.storage_key])
        blob.delete()
        return True


def _purge(repository: Repository) -> bool:
    """Content in short transactions, each of which may be repeated."""
    for session in UploadSession.objects.filter(repository=repository):
        with suppress(UploadUnknown):  # another round was faster
            uploads.cancel(session)
    LegacyPush.objects.filter(repository=repository).delete()
    with transaction.atomic():
        _lock(repository.pk)
        Tag.objects.filter(repository=repository).delete()
    while _drop_manifests(repository):
        pass
    while _drop_links(repository):
        pass
    with transaction.atomic():
        if not _lock(repository.pk):
            return False
        if UploadSession.objects.filter(repository=repository).exists():
            return False
        state = Repository.State
        rows = Repository.objects.filter(pk=repository.pk, state=state.DELETING)
        return bool(rows.update(state=state.DELETED))


def _drop_manifests(repository: Repository) -> int:
    """Parents before children: a child is kept by its parent."""
    with transaction.atomic():
        _lock(repository.pk)
        batch = list(
            Manifest.objects.filter(repository=repository, parents=None).order_by("pk")[:100]
        )
        for manifest in batch:
            drop_manifest(manifest)
    return len(batch)


def _drop_links(repository: Repository) -> int:
    link = BlobLink.objects.filter(repository=repository).order_by("pk").first()
    if link is None:
        return 0
    with transaction.atomic():
        _lock(repository.pk)
        drop_link(link)
    return 1
