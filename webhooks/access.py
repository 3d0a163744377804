"""Entering pages and REST addresses of webhooks: of which owner they are, and whether one may."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from accounts.authentication import principal_from
from accounts.models import Namespace, User
from accounts.selectors import find_namespace
from accounts.types import Principal
from core.errors import NotFound, Unauthenticated
from repos.access import Access, enter
from repos.errors import NotOwner
from repos.permissions import require
from repos.services.renaming import owns
from webhooks.owners import Owner


@dataclass(frozen=True, slots=True)
class Entered:
    """Who came in and to whose webhooks; `access` for those of a repository."""

    principal: Principal
    owner: Owner
    access: Access | None = None

    def recheck(self, owner: Owner) -> None:
        """Decides again inside the transaction that commits: a right may be gone by then."""
        if owner.repository is not None:
            require(self.principal, "administer", owner.repository)
        elif owner.namespace is not None:
            _require_owner(self.principal, owner.namespace)
        elif not _administers(self.principal):
            raise NotFound("There is nothing here that you may see.")


def enter_repository(request: HttpRequest, path: str) -> Entered:
    """The webhooks of a repository, for its administrators; raises as `repos.access.enter`."""
    access = enter(request, path, "administer")
    return Entered(access.principal, Owner(repository=access.repository), access)


def enter_namespace(request: HttpRequest, name: str) -> Entered:
    """Those of a whole namespace, for its owners; raises NotFound, Unauthenticated, NotOwner."""
    principal = principal_from(request)
    namespace = find_namespace(name)
    if namespace is None:
        raise NotFound("There is no such person or organization.")
    _require_owner(principal, namespace)
    return Entered(principal, Owner(namespace=namespace))


def enter_server(request: HttpRequest) -> Entered:
    """Those of the server, for administrators; for everybody else nothing is there."""
    principal = principal_from(request)
    if not principal.is_superuser:
        raise NotFound("There is nothing here that you may see.")
    return Entered(principal, Owner())


def _require_owner(principal: Principal, namespace: Namespace) -> None:
    if owns(principal, namespace):
        return
    if principal.is_anonymous:
        raise Unauthenticated("Sign in to do this.")
    raise NotOwner(f"Only owners of {namespace.name} see and change its webhooks.")


def _administers(principal: Principal) -> bool:
    """Whether the account is still one that administers the server."""
    rows = User.objects.filter(pk=principal.account_id, is_superuser=True, is_active=True)
    return principal.is_superuser and rows.exists()
