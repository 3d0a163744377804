"""What a webhook belongs to: a repository, a namespace, or the whole server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Namespace
from core.db import alone
from core.errors import NotFound
from repos.models import Repository
from repos.services.locking import lock_active, lock_namespace
from webhooks.models import Webhook

Kind = Literal["repository", "namespace", "server"]


@dataclass(frozen=True, slots=True)
class Owner:
    """One repository, or one namespace, or with neither the server."""

    repository: Repository | None = None
    namespace: Namespace | None = None

    @property
    def kind(self) -> Kind:
        """Which of the three."""
        if self.repository is not None:
            return "repository"
        return "server" if self.namespace is None else "namespace"

    @property
    def path(self) -> str:
        """`namespace/name`, `namespace`, or nothing for the server."""
        if self.repository is not None:
            return self.repository.path
        return "" if self.namespace is None else self.namespace.name

    def webhooks(self) -> QuerySet[Webhook]:
        """Its own ones, oldest first; those of a namespace are not those of its repositories."""
        rows = Webhook.objects.filter(repository=self.repository, namespace=self.namespace)
        return rows.select_related("repository__namespace", "namespace").order_by("id")

    def webhook(self, pk: int) -> Webhook:
        """One of them; raises NotFound."""
        found = self.webhooks().filter(pk=pk).first()
        if found is None:
            raise NotFound("There is no such webhook.")
        return found


Recheck = Callable[[Owner], None]


def no_recheck(owner: Owner) -> None:
    """For callers whose right cannot go away: the hub's own jobs, and tests."""


def owner_of(webhook: Webhook) -> Owner:
    """What it belongs to."""
    return Owner(webhook.repository, webhook.namespace)


@contextmanager
def locked(owner: Owner, recheck: Recheck = no_recheck) -> Iterator[Owner]:
    """A transaction that holds the owner's row, if `recheck` lets it as it is now pass.

    Raises NotFound, and Conflict if it was renamed just now.
    """
    if owner.repository is not None:
        with transaction.atomic():
            row = Owner(repository=lock_active(owner.repository))
            recheck(row)
            yield row
    elif owner.namespace is not None:
        with transaction.atomic():
            row = Owner(namespace=lock_namespace(owner.namespace))
            recheck(row)
            yield row
    else:
        with alone("webhooks of the server"):
            recheck(owner)
            yield owner
