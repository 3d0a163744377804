"""The two locks there are: first the repository, then at most one blob. Nothing after."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction

from registry.errors import NameUnknown
from registry.models import Blob
from repos.models import Repository

Recheck = Callable[[Repository], None]


def no_recheck(repository: Repository) -> None:
    """For callers whose right cannot go away: the hub's own jobs, and tests."""


def lock_repository(repository: Repository) -> Repository:
    """The row, held until the transaction ends; raises NameUnknown if it is on its way out.

    Other transactions may meanwhile insert rows that refer to it.
    """
    row = (
        Repository.objects.select_for_update(no_key=True, of=("self",))
        .select_related("namespace")
        .filter(pk=repository.pk)
        .first()
    )
    if row is None or not row.is_active:
        raise NameUnknown("repository name not known to registry", detail={"name": repository.path})
    return row


def ensure_blob(digest: str, size: int, key: str) -> Blob:
    """The blob's row, held until the transaction ends; made with `key` if it was not there."""
    while True:
        Blob.objects.bulk_create(
            [Blob(digest=digest, size=size, storage_key=key)], ignore_conflicts=True
        )
        blob = Blob.objects.select_for_update(no_key=True).filter(digest=digest).first()
        if blob is not None:
            return blob


def lock_blob(pk: int) -> Blob | None:
    """The row, held until the transaction ends, or None if it is gone."""
    assert transaction.get_connection().in_atomic_block
    return Blob.objects.select_for_update(no_key=True).filter(pk=pk).first()
