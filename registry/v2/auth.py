"""Who may do this here: the smaller of what the token reaches and what the person may do now."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts.selectors import find_renamed
from core.address import client_address
from core.errors import Conflict, Denied, HubError, Unauthenticated
from core.memo import Recall
from oci.names import RepositoryName
from registry.errors import NameUnknown
from registry.services.locking import Recheck
from registry.v2.errors import Challenge
from repos.models import Repository
from repos.permissions import Action, decide, find_moved, find_visible, may_create
from repos.services.refusals import note_refusal
from repos.services.repositories import get_or_create_repository
from tokens.gate import find_namespace, read_authorization
from tokens.verify import Grant

DECISIONS = 1024
_WANTED = {"pull": "pull", "push": "pull,push", "delete": "delete"}


@dataclass(frozen=True, slots=True)
class Access:
    """A decided request: the repository and who acts in it; `former` is the old name that was
    used for it, if one was."""

    repository: Repository
    grant: Grant
    former: str = ""

    def recheck(self, action: Action) -> Recheck:
        """Decides again inside the transaction that commits: a role may be gone by then."""

        def check(row: Repository) -> None:
            if not decide(self.grant.principal, action, row).allowed:
                raise Denied("your right to do this was taken away meanwhile")

        return check


_decided: Recall[Access] = Recall(DECISIONS)


def read_grant(request: HttpRequest, scopes: tuple[str, ...] = ()) -> Grant:
    """The verified credential; raises Challenge for one that is not good."""
    try:
        return read_authorization(
            request.META.get("HTTP_AUTHORIZATION", ""),
            address=client_address(request.META, settings.HUB.trusted_proxies),
        )
    except Unauthenticated as error:
        raise Challenge(error.message, scopes=scopes, error="invalid_token") from error


def authorise(request: HttpRequest, name: str, action: Action, *, create: bool = False) -> Access:
    """Decide on a request to a repository.

    Raises NameInvalid, then Challenge, Denied or NameUnknown. A repository that may not be seen and
    one that does not exist answer alike. With `create` a first push makes the repository.
    """
    path = RepositoryName.parse(name)
    try:
        return _decided.get(
            (request.META.get("HTTP_AUTHORIZATION", ""), name, action),
            lambda: _decide(request, path, name, action),
        )
    except NameUnknown:
        if not create:
            raise
    grant = read_grant(request)
    namespace = find_namespace(path.namespace, make=True)
    if namespace is None or not may_create(grant.principal, namespace):
        raise _hidden(grant, f"repository:{name}:{_WANTED[action]}")
    try:
        made = get_or_create_repository(namespace, path.name, actor=grant.principal.actor)
    except Conflict as error:  # of names; clients know no such code
        raise Denied(error.message) from error
    if not decide(grant.principal, action, made).allowed:  # it was there all along, hidden
        raise _hidden(grant, f"repository:{name}:{_WANTED[action]}")
    return Access(made, grant)


def _decide(request: HttpRequest, path: RepositoryName, name: str, action: Action) -> Access:
    scope = f"repository:{name}:{_WANTED[action]}"
    grant = read_grant(request, (scope,))
    repository, former = find_visible(grant.principal, str(path), bare=True), ""
    if repository is None:
        repository, former = find_moved(grant.principal, str(path), bare=True), str(path)
    if repository is None:
        raise _absent(path, name, action, grant, scope)
    if former and action != "pull":
        raise _renamed(former, repository.path, action, grant, scope)
    decision = decide(grant.principal, action, repository)
    if not decision.allowed:
        if decision.outcome == "invisible" or grant.principal.is_anonymous:
            raise _hidden(grant, scope)
        note_refusal(grant.principal, action, repository, decision.code)
        why = f"{settings.HUB.external_url}{reverse('why', args=[repository.path])}"
        raise Denied(f"{decision.reasons[0]} See {why}", detail={"reason": decision.code})
    if not grant.covers(name, action) or not grant.means(str(path), repository.pk):
        raise _hidden(grant, scope)
    return Access(repository, grant, former)


def _absent(path: RepositoryName, name: str, action: Action, grant: Grant, scope: str) -> HubError:
    namespace = find_namespace(path.namespace)
    renamed = find_renamed(path.namespace) if namespace is None else None
    if renamed is not None and may_create(grant.principal, renamed):
        return _renamed(path.namespace, renamed.name, action, grant, scope)
    entitled = (
        namespace is not None
        and may_create(grant.principal, namespace)
        and bool(grant.principal.token_actions(str(path)))
    )
    if not entitled:
        return _hidden(grant, scope)
    if not grant.covers(name, action) or action not in grant.principal.token_actions(str(path)):
        return _hidden(grant, scope)
    return NameUnknown("repository name not known to registry", detail={"name": name})


def _renamed(old: str, new: str, action: Action, grant: Grant, scope: str) -> HubError:
    """Old names serve readers only: who changes something must know what it is called."""
    if grant.principal.is_anonymous:
        return _hidden(grant, scope)
    return Denied(f"{old} is now {new}; {action} there", detail={"reason": "moved", "name": new})


def _hidden(grant: Grant, scope: str) -> Challenge:
    return Challenge(
        "authentication required, or this repository does not exist",
        scopes=(scope,),
        error="insufficient_scope" if grant.presented else "",
    )
