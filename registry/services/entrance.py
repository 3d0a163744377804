"""A repository to put images into from a command line, for an account that is named there."""

from __future__ import annotations

from accounts.models import User
from accounts.selectors import find_namespace
from accounts.services.credentials import principal_of
from accounts.types import Principal
from core.errors import Denied, NotFound
from oci.names import RepositoryName
from registry.services.locking import Recheck
from repos.models import Repository
from repos.permissions import decide, find_visible, may_create
from repos.services.repositories import get_or_create_repository


def act_as(username: str) -> Principal:
    """The person to do it as; raises NotFound."""
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise NotFound(f"There is no active account {username}.")
    return principal_of(user)


def enter(principal: Principal, name: str) -> tuple[Repository, Recheck]:
    """The repository, made if it is not there, and the check for each commit; raises NameInvalid
    and Denied as a push would be refused."""
    path = RepositoryName.parse(name)
    repository = find_visible(principal, str(path))
    if repository is None:
        namespace = find_namespace(path.namespace)
        if namespace is None or not may_create(principal, namespace):
            raise Denied(
                f"{principal.username} may not push to {path}, or the namespace does not exist."
            )
        repository = get_or_create_repository(namespace, path.name, actor=principal.actor)
    decision = decide(principal, "push", repository)
    if not decision.allowed:
        raise Denied(decision.reasons[0] if decision.reasons else f"{path} cannot be pushed to.")

    def recheck(row: Repository) -> None:
        if not decide(principal, "push", row).allowed:
            raise Denied(f"{principal.username} lost the right to push to {row.path} meanwhile.")

    return repository, recheck
