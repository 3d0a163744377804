"""The two locks of pushes: first the repository, then at most one blob. Nothing after.

Before both, where repositories are made, renamed or transferred, come those of the namespaces
(repos.services.locking, repos.services.renaming).
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import BigIntegerField

from core.prepared import Prepared
from registry.errors import NameUnknown
from registry.models import Blob
from repos.models import Repository
from repos.services.locking import Recheck, no_recheck

__all__ = ["Recheck", "lock_blob", "lock_repository", "no_recheck"]
_repository = Prepared(
    lambda key: (
        Repository.objects.select_for_update(no_key=True, of=("self",))
        .select_related("namespace__organization")
        .defer("readme", "readme_html")
        .filter(pk=key)[:1]
    ),
    BigIntegerField(),
)


def lock_repository(repository: Repository) -> Repository:
    """The row, held until the transaction ends; raises NameUnknown if it is on its way out.

    Other transactions may meanwhile insert rows that refer to it.
    """
    row = _repository.first(repository.pk)
    if row is None or not row.is_active:
        raise NameUnknown("repository name not known to registry", detail={"name": repository.path})
    return row


def lock_blob(pk: int) -> Blob | None:
    """The row, held until the transaction ends, or None if it is gone."""
    assert transaction.get_connection().in_atomic_block
    return Blob.objects.select_for_update(no_key=True).filter(pk=pk).first()
