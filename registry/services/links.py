"""Links: what makes a blob visible in a repository, and keeps it while a client needs it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from registry.errors import BlobUnknown, InUse
from registry.models import Blob, BlobLink, ManifestBlob
from registry.services import rows
from registry.services.grace import after_push
from registry.services.locking import Recheck, lock_blob, lock_repository, no_recheck
from repos.models import Repository
from storage.base import ObjectMissing
from storage.factory import get_store


def ensure_link(repository: Repository, blob: Blob) -> None:
    """Link a blob whose row the caller holds; fills sparse manifests that waited for it."""
    link = rows.ensure_link(repository, blob, after_push())
    if rows.awaits(blob):
        ManifestBlob.objects.filter(
            manifest__repository=repository, digest=blob.digest, size=blob.size, link=None
        ).update(link=link)


def mount(
    target: Repository,
    source: Repository,
    digest: str,
    *,
    recheck: Recheck = no_recheck,
    may_pull: Callable[[], bool] = lambda: True,
) -> bool:
    """Link a blob of `source` in `target` too; False if `source` does not have it, undamaged.

    The caller has decided that the person may pull from the one and push to the other; both are
    decided once more before the commit: `recheck` raises, `may_pull` says no.
    """
    found = (
        BlobLink.objects.select_related("blob")
        .filter(repository=source, blob__digest=digest)
        .first()
    )
    if found is None or not is_whole(found.blob.storage_key, found.blob.size):
        return False
    with transaction.atomic():
        row = lock_repository(target)
        recheck(row)
        blob = lock_blob(found.blob_id)
        if blob is None or not BlobLink.objects.filter(pk=found.pk).exists() or not may_pull():
            return False
        ensure_link(row, blob)
    return True


def is_whole(key: str, size: int) -> bool:
    """Whether a stored blob has all its bytes; a client told so does not send them again."""
    try:
        return get_store().size(key) == size
    except ObjectMissing:
        return False


def keep(link: BlobLink) -> None:
    """Promise a client that this blob stays long enough to push a manifest that names it.

    Raises BlobUnknown if the link went away in this very moment. Costs no write while the date is
    unset or far off.
    """
    if link.review_after is None:
        return
    soon = timezone.now() + timedelta(seconds=settings.HUB.push_grace_s) * 0.9
    if link.review_after > soon:
        return
    kept = BlobLink.objects.filter(pk=link.pk).update(review_after=after_push())
    if not kept:
        raise BlobUnknown("blob unknown to registry", detail={"digest": link.blob.digest})


def unlink(repository: Repository, digest: str, *, recheck: Recheck = no_recheck) -> None:
    """Take a blob out of a repository; raises BlobUnknown, InUse while a manifest names it."""
    with transaction.atomic():
        row = lock_repository(repository)
        recheck(row)
        link = (
            BlobLink.objects.select_related("blob")
            .filter(Q(repository=row), blob__digest=digest)
            .first()
        )
        if link is None:
            raise BlobUnknown("blob unknown to registry", detail={"digest": digest})
        users = list(
            ManifestBlob.objects.filter(link=link).values_list("manifest__digest", flat=True)[:10]
        )
        if users:
            raise InUse(
                "manifests of this repository still name this blob; delete them first",
                detail={"manifests": users},
            )
        drop_link(link)


def drop_link(link: BlobLink) -> None:
    """Delete a link and have its blob looked at; the caller holds the repository."""
    blob = lock_blob(link.blob_id)
    link.delete()
    if blob is not None:
        Blob.objects.filter(pk=blob.pk).update(review_after=timezone.now())
