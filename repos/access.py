"""Entering a page of a repository: which one, who asks, and what they may do there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request

from accounts.authentication import principal_from
from accounts.types import Principal
from core.errors import Denied, NotFound
from repos.errors import Moved
from repos.models import Repository, Role
from repos.permissions import Action, Decision, find_moved, find_visible, require
from repos.services.aliases import note_use
from repos.services.locking import Recheck
from repos.services.refusals import note_refusal

_READING = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Access:
    """One decision, kept for a whole page; `sources` says where the role comes from."""

    principal: Principal
    repository: Repository
    role: str
    sources: tuple[str, ...] = ()

    @property
    def can_write(self) -> bool:
        """May push and delete tags."""
        return self.role in (Role.WRITE, Role.ADMIN)

    @property
    def can_administer(self) -> bool:
        """May change the README, settings, people and webhooks."""
        return self.role == Role.ADMIN

    def recheck(self, action: Action) -> Recheck:
        """Decides again inside the transaction that commits: a role may be gone by then."""

        def check(row: Repository) -> None:
            require(self.principal, action, row)

        return check


def enter(request: HttpRequest, path: str, action: Action = "see") -> Access:
    """The repository, if `action` is allowed on it.

    Raises NotFound, the same for absent and invisible, Unauthenticated or Denied; and Moved for a
    former path, which only reading through the API may use as if it were the present one.
    """
    principal = principal_from(request)
    repository = find_visible(principal, path)
    if repository is None:
        return _enter_moved(request, principal, path, action)
    decision = _decided(principal, action, repository)
    return Access(principal, repository, decision.role, decision.reasons)


def _decided(principal: Principal, action: Action, repository: Repository) -> Decision:
    """`require`, with a refusal written down."""
    try:
        return require(principal, action, repository)
    except Denied as error:
        note_refusal(principal, action, repository, error.code)
        raise


def _enter_moved(request: HttpRequest, principal: Principal, path: str, action: Action) -> Access:
    repository = find_moved(principal, path)
    if repository is None:
        raise NotFound("There is no such repository.")
    decision = _decided(principal, action, repository)
    note_use(path)
    if isinstance(request, Request) and request.method in _READING:
        return Access(principal, repository, decision.role, decision.reasons)
    raise Moved(path, repository.path)


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx asks for a fragment; history and boosted links want the whole page."""
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx and not htmx.boosted and not htmx.history_restore_request)
