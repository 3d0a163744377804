"""Entering a page of a repository: which one, who asks, and what they may do there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from accounts.authentication import principal_from
from accounts.types import Principal
from core.errors import NotFound
from repos.models import Repository, Role
from repos.permissions import Action, find_visible, require


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


def enter(request: HttpRequest, path: str, action: Action = "see") -> Access:
    """The repository, if `action` is allowed on it.

    Raises NotFound, the same for absent and invisible, Unauthenticated or Denied.
    """
    principal = principal_from(request)
    repository = find_visible(principal, path)
    if repository is None:
        raise NotFound("There is no such repository.")
    decision = require(principal, action, repository)
    return Access(principal, repository, decision.role, decision.reasons)


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx asks for a fragment; history and boosted links want the whole page."""
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx and not htmx.boosted and not htmx.history_restore_request)
