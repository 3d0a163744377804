"""Who may do this here: the smaller of what the token reaches and what the person may do now."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

from accounts.selectors import find_namespace
from core.address import client_address
from core.errors import Denied, Unauthenticated
from oci.names import RepositoryName
from registry.errors import NameUnknown
from registry.services.locking import Recheck
from registry.v2.errors import Challenge
from repos.models import Repository
from repos.permissions import Action, decide, find_visible, may_create
from repos.services.repositories import get_or_create_repository
from tokens.verify import Grant, read_authorization

_WANTED = {"pull": "pull", "push": "pull,push", "delete": "delete"}


@dataclass(frozen=True, slots=True)
class Access:
    """A decided request: the repository and who acts in it."""

    repository: Repository
    grant: Grant

    def recheck(self, action: Action) -> Recheck:
        """Decides again inside the transaction that commits: a role may be gone by then."""

        def check(row: Repository) -> None:
            if not decide(self.grant.principal, action, row).allowed:
                raise Denied("your right to do this was taken away meanwhile")

        return check


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
    scope = f"repository:{name}:{_WANTED[action]}"
    grant = read_grant(request, (scope,))
    repository = find_visible(grant.principal, str(path))
    if repository is None:
        repository = _absent(path, name, action, grant, scope, create)
    decision = decide(grant.principal, action, repository)
    if not decision.allowed:
        if decision.outcome == "invisible" or grant.principal.is_anonymous:
            raise _hidden(grant, scope)
        raise Denied(decision.reasons[0], detail={"reason": decision.code})
    if not grant.covers(name, action):
        raise _hidden(grant, scope)
    return Access(repository, grant)


def _absent(
    path: RepositoryName, name: str, action: Action, grant: Grant, scope: str, create: bool
) -> Repository:
    namespace = find_namespace(path.namespace)
    entitled = (
        namespace is not None
        and may_create(grant.principal, namespace)
        and bool(grant.principal.token_actions(str(path)))
    )
    if namespace is None or not entitled:
        raise _hidden(grant, scope)
    if not grant.covers(name, action) or action not in grant.principal.token_actions(str(path)):
        raise _hidden(grant, scope)
    if not create:
        raise NameUnknown("repository name not known to registry", detail={"name": name})
    return get_or_create_repository(namespace, path.name, actor=grant.principal.actor)


def _hidden(grant: Grant, scope: str) -> Challenge:
    return Challenge(
        "authentication required, or this repository does not exist",
        scopes=(scope,),
        error="insufficient_scope" if grant.presented else "",
    )
