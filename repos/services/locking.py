"""The locks of changes: first the namespace, where its switches or name count, then the repository.

What a change is decided on is read again under them; see also registry.services.locking.
"""

from __future__ import annotations

from collections.abc import Callable

from accounts.models import Namespace
from core.errors import Conflict, NotFound
from repos.models import Repository

Recheck = Callable[[Repository], None]


def no_recheck(repository: Repository) -> None:
    """For callers whose right cannot go away: the hub's own jobs, and tests."""


def lock_namespace(namespace: Namespace) -> Namespace:
    """The row, held until the transaction ends, its name still what it was when it was read:
    nothing is made under a name that is being changed. Raises Conflict.
    """
    rows = Namespace.objects.select_for_update(no_key=True, of=("self",))
    row = rows.select_related("organization").filter(pk=namespace.pk).first()
    if row is None or row.name != namespace.name:
        raise Conflict(f"{namespace.name} was renamed just now; use its new name.")
    return row


def lock_active(repository: Repository, recheck: Recheck = no_recheck) -> Repository:
    """The row, held until the transaction ends, if `recheck` lets it pass; raises NotFound."""
    rows = Repository.objects.select_for_update(no_key=True, of=("self",))
    row = rows.select_related("namespace__organization").filter(pk=repository.pk).first()
    if row is None or not row.is_active:
        raise NotFound("There is no such repository.")
    recheck(row)
    return row


def lock_with_namespace(repository: Repository, recheck: Recheck = no_recheck) -> Repository:
    """Both; raises NotFound, and Conflict if the repository has just gone elsewhere."""
    namespace = lock_namespace(repository.namespace)
    row = lock_active(repository, recheck)
    if row.namespace_id != namespace.pk:
        raise Conflict(f"{repository.path} was transferred just now; use its new name.")
    row.namespace = namespace
    return row
