"""Who asks /v1, and what they may do: the same decisions as for /v2."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

from accounts.selectors import find_renamed
from accounts.types import Principal
from core.address import client_address
from core.errors import Denied
from oci.names import RepositoryName
from registry.models import LegacyPush
from registry.services import legacy_push
from registry.services.locking import Recheck
from registry.v1.errors import AuthorizationRequired, RepositoryAbsent
from registry.v1.tokens import IndexToken, read
from repos.models import Repository
from repos.permissions import Action, decide, find_moved, find_visible, may_create
from repos.services.aliases import note_use
from repos.services.refusals import note_refusal
from repos.services.repositories import get_or_create_repository
from tokens.gate import find_namespace, read_authorization
from tokens.verify import NOBODY, Grant

# What an index token must be for, by method, and the actions that it then reaches.
_READS = ("read", "write")
_ACCESS = {"GET": _READS, "HEAD": _READS, "PUT": ("write",), "DELETE": ("delete",)}
_REACHES: dict[str, tuple[Action, ...]] = {
    "read": ("see", "pull"),
    "write": ("see", "pull", "push"),
    "delete": ("see", "pull", "delete", "administer"),
}
_READING = ("see", "pull")
_LIMITED_BY = {"see": "pull", "pull": "pull", "push": "push", "delete": "delete"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: by Basic or Bearer as anywhere, or with a token of the index."""

    grant: Grant = NOBODY
    token: IndexToken | None = None
    push: LegacyPush | None = None

    @property
    def principal(self) -> Principal:
        """Who acts."""
        return self.token.principal if self.token else self.grant.principal

    @property
    def reach(self) -> frozenset[str] | None:
        """The repositories a registry token (JWT) may pull; None without such a limit."""
        if self.grant.access is None:
            return None
        return frozenset(
            name for (kind, name), actions in self.grant.access.items() if "pull" in actions
        )

    def covers(self, repository: Repository, action: Action, path: str) -> bool:
        """Whether the credential itself reaches this, which was asked for by `path`; the role is
        asked separately."""
        if self.token is not None:
            same = (self.token.path, self.token.repository_id) == (repository.path, repository.pk)
            return same and action in _REACHES[self.token.access]
        if self.grant.access is None:
            return True
        wanted = _LIMITED_BY.get(action)
        names = (path, path.removeprefix("library/"))
        reaches = wanted is not None and any(self.grant.covers(name, wanted) for name in names)
        return reaches and self.grant.means(path, repository.pk)


@dataclass(frozen=True, slots=True)
class Access:
    """A decided request: the repository and who acts in it."""

    repository: Repository
    caller: Caller

    def recheck(self, action: Action) -> Recheck:
        """Decides again inside the transaction that commits: a role may be gone by then."""

        def check(row: Repository) -> None:
            if not decide(self.caller.principal, action, row).allowed:
                raise Denied("your right to do this was taken away meanwhile")

        return check


def read_caller(request: HttpRequest, *, any_token: bool = False) -> Caller:
    """The verified credential; raises for one that is not good, also where none is needed.

    A token of the index is good for its own kind of request, unless any will do.
    """
    header = request.META.get("HTTP_AUTHORIZATION", "")
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "token":
        token = read(value)
        if not any_token and token.access not in _ACCESS.get(request.method or "", ()):
            raise AuthorizationRequired
        return Caller(token=token, push=_push_of(token))
    address = client_address(request.META, settings.HUB.trusted_proxies)
    return Caller(read_authorization(header, address=address))


def enter(
    request: HttpRequest,
    name: str,
    action: Action,
    *,
    index: bool = False,
    any_token: bool = False,
) -> Access:
    """Decide on a request to a repository.

    Raises NameInvalid, AuthorizationRequired, RepositoryAbsent or Denied. A repository that may not
    be seen and one that does not exist answer alike, after the same queries: 404, or 401 for nobody
    in particular who asks the index, or to change something.
    """
    path = RepositoryName.parse(name)
    caller = read_caller(request, any_token=any_token)
    nobody = caller.principal.is_anonymous
    repository = find_visible(caller.principal, str(path))
    if repository is None:
        repository = _find_moved(caller.principal, str(path), action)
    if repository is None:
        if nobody and (index or action not in _READING):
            raise AuthorizationRequired
        raise RepositoryAbsent
    decision = decide(caller.principal, action, repository)
    if decision.outcome == "invisible":
        raise RepositoryAbsent
    if not decision.allowed:
        if nobody:
            raise AuthorizationRequired
        note_refusal(caller.principal, action, repository, decision.code)
        raise Denied(decision.reasons[0], detail={"reason": decision.code})
    if not caller.covers(repository, action, str(path)):
        raise AuthorizationRequired
    return Access(repository, caller)


def enter_new(request: HttpRequest, name: str) -> Access:
    """`enter` to push, where a first push makes the repository: by whom, and how it is seen then,
    is decided as for /v2."""
    try:
        return enter(request, name, "push", index=True)
    except RepositoryAbsent:
        path, caller = RepositoryName.parse(name), read_caller(request)
    principal = caller.principal
    namespace = find_namespace(path.namespace, make=True)
    renamed = find_renamed(path.namespace) if namespace is None else None
    if renamed is not None and may_create(principal, renamed):
        raise Denied(f"{path.namespace} is now {renamed.name}; push there")
    if namespace is None or not may_create(principal, namespace):
        raise RepositoryAbsent
    if caller.token is not None or "push" not in principal.token_actions(str(path)):
        raise RepositoryAbsent
    if caller.grant.access is not None and not caller.grant.covers(str(path), "push"):
        raise RepositoryAbsent
    repository = get_or_create_repository(namespace, path.name, actor=principal.actor)
    if not decide(principal, "push", repository).allowed:  # it was there all along, hidden
        raise RepositoryAbsent
    return Access(repository, caller)


def enter_push(caller: Caller) -> tuple[LegacyPush, Access]:
    """The push that a request without a repository's name belongs to, by its token, and the right
    to go on with it; raises AuthorizationRequired, RepositoryAbsent, Denied."""
    token, push = caller.token, caller.push
    if token is None or push is None:
        raise AuthorizationRequired
    repository = find_visible(token.principal, token.path)
    if repository is None or repository.pk != token.repository_id:
        raise RepositoryAbsent
    if not decide(token.principal, "push", repository).allowed:
        raise Denied("your right to do this was taken away meanwhile")
    push.repository = repository
    return push, Access(repository, caller)


def _push_of(token: IndexToken) -> LegacyPush | None:
    """The push of a token for one; raises AuthorizationRequired if it has ended."""
    if not token.push:
        return None
    push = legacy_push.find(token.push, token.repository_id, token.principal.user_id)
    if push is None:
        raise AuthorizationRequired
    return push


def _find_moved(principal: Principal, path: str, action: Action) -> Repository | None:
    """What had this path, for who reads; who changes something must know what it is called."""
    repository = find_moved(principal, path)
    if repository is None:
        return None
    if action not in _READING:
        if principal.is_anonymous:
            return None
        raise Denied(f"{path} is now {repository.path}; {action} there", detail={"reason": "moved"})
    note_use(path)
    return repository
