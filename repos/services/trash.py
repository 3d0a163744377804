"""The trash: deleted repositories that can still come back, and the ways out of it.

Whoever may administer a repository may restore it or delete it for good. Locks are taken as
everywhere, the namespace and then the repository, so that of two who come at once one wins.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Exists, Q, QuerySet
from django.utils import timezone

from accounts.models import Membership, Namespace, TeamMembership
from accounts.selectors import find_namespace
from accounts.types import Principal
from core.errors import NotFound, Unauthenticated
from events.services import audit, record
from events.types import SYSTEM, Actor
from repos.errors import NotOwner, RepositoryExists
from repos.models import Collaborator, Repository, Role, TeamGrant, Visibility
from repos.permissions import decide
from repos.services.aliases import claim_path
from repos.services.locking import lock_namespace
from repos.services.renaming import owns
from repos.services.repositories import path_in

BATCH = 100
_ABSENT = "There is no such repository in the trash."
_BACK = (
    *("state", "name", "path", "visibility"),
    *("former_name", "purge_after", "deleted_at", "deleted_by_name"),
)


def enter_trash(principal: Principal, name: str) -> Namespace:
    """The namespace whose trash this is, for its owners and for whoever administered something
    that lies in it; raises NotFound, Unauthenticated, NotOwner."""
    namespace = find_namespace(name)
    if namespace is None:
        raise NotFound("There is no such person or organization.")
    if owns(principal, namespace) or list_trash(principal, namespace).exists():
        return namespace
    if principal.is_anonymous:
        raise Unauthenticated("Sign in to do this.")
    raise NotOwner(f"Only owners of {name} see what was deleted in it.")


def list_trash(principal: Principal, namespace: Namespace) -> QuerySet[Repository]:
    """What was deleted in a namespace and `decide(…, "administer", …)` would allow."""
    rows = Repository.objects.filter(namespace=namespace, state=Repository.State.TRASHED)
    rows = rows.defer("readme", "readme_html")
    machine = principal.is_robot or principal.is_limited
    if principal.is_anonymous or machine or not principal.is_verified:
        return rows.none()
    if owns(principal, namespace):
        return rows
    user, organization = principal.account_id, namespace.organization
    mine = Collaborator.objects.filter(user_id=user, role=Role.ADMIN)
    held = Q(pk__in=mine.values("repository"))
    if organization is not None:
        if organization.second_factor_required and not principal.second_factor:
            return rows.none()
        grants = TeamGrant.objects.filter(team__memberships__user_id=user, role=Role.ADMIN)
        teams = TeamMembership.objects.filter(
            user_id=user, team__organization=organization, team__base_role=Role.ADMIN
        )
        held |= Q(pk__in=grants.values("repository")) | Q(Exists(teams))
        if organization.base_role == Role.ADMIN:
            members = Membership.objects.filter(user_id=user, organization=organization)
            held |= Q(Exists(members))
    return rows.filter(held)


def get_trashed(principal: Principal, namespace: Namespace, pk: int) -> Repository:
    """One of `list_trash`, with its namespace; raises NotFound."""
    row = list_trash(principal, namespace).filter(pk=pk).first()
    if row is None:
        raise NotFound(_ABSENT)
    row.namespace = namespace
    return row


def restore_repository(
    repository: Repository, *, principal: Principal, name: str = ""
) -> Repository:
    """Take a repository out of the trash, under its old name or another one of the namespace.

    Tags, stars, comments, webhooks and roles are as they were. One that was public comes back
    private where public ones are allowed no longer. Raises NotFound if somebody else was faster,
    Invalid for a bad name, RepositoryExists, Conflict if the namespace was renamed meanwhile.
    """
    wanted, actor = name or repository.former_name, principal.actor
    path = path_in(repository.namespace, wanted)
    try:
        with transaction.atomic():
            row = _lock(repository, principal)
            if Repository.objects.filter(path=path).exists():
                raise RepositoryExists(f"{path} exists again; restore under another name.")
            claim_path(row.namespace, path, actor=actor, by=row)
            payload = _come_back(row, wanted, path)
            row.save(update_fields=_BACK)
            _tell(row, path, actor, payload)
    except IntegrityError as error:
        raise RepositoryExists(f"{path} exists again; restore under another name.") from error
    return row


def purge_repository(repository: Repository, *, principal: Principal) -> str:
    """Delete one in the trash for good, and say what it was called; raises as restoring."""
    with transaction.atomic():
        row = _lock(repository, principal)
        return _purge(row, principal.actor)


def purge_due() -> int:
    """Have those taken apart whose days in the trash are over; returns how many."""
    due = Repository.objects.filter(
        state=Repository.State.TRASHED, purge_after__lte=timezone.now()
    ).order_by("purge_after")
    count = 0
    for key in list(due.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            held = Repository.objects.select_for_update(no_key=True, of=("self",))
            row = held.filter(pk=key, state=Repository.State.TRASHED).first()
            if row is not None:  # else it was restored or purged just now
                _purge(row, SYSTEM)
                count += 1
    return count


def _lock(repository: Repository, principal: Principal) -> Repository:
    """The row as it is now, in its namespace, still for this person; raises NotFound, Conflict."""
    lock_namespace(repository.namespace)
    rows = Repository.objects.select_for_update(no_key=True, of=("self",))
    rows = rows.select_related("namespace__organization", "namespace__user")
    row = rows.filter(
        pk=repository.pk, namespace=repository.namespace, state=Repository.State.TRASHED
    ).first()
    if row is None:
        raise NotFound(_ABSENT)
    if not decide(principal, "administer", row).allowed:  # the role went meanwhile
        raise NotFound(_ABSENT)
    return row


def _come_back(row: Repository, name: str, path: str) -> dict[str, object]:
    """Set the fields; what history keeps of it."""
    payload: dict[str, object] = {}
    if name != row.former_name:
        payload |= {"before": {"name": row.former_name}, "after": {"name": name}}
    organization = row.namespace.organization
    if row.is_public and organization is not None and not organization.public_allowed:
        row.visibility = Visibility.PRIVATE
    payload["visibility"] = str(row.visibility)
    row.state, row.name, row.path = Repository.State.ACTIVE, name, path
    row.former_name = row.deleted_by_name = ""
    row.purge_after = row.deleted_at = None
    return payload


def _tell(row: Repository, path: str, actor: Actor, payload: dict[str, object]) -> None:
    record(
        "repository.restored",
        actor=actor,
        repository_id=row.pk,
        repository_path=path,
        namespace_id=row.namespace_id,
        payload=payload,
    )


def _purge(row: Repository, actor: Actor) -> str:
    """From here on the collector has it; the caller holds the row."""
    path = f"{row.namespace.name}/{row.former_name}"
    row.state, row.former_name, row.purge_after = Repository.State.DELETING, "", None
    row.save(update_fields=["state", "former_name", "purge_after"])
    audit(
        "repository.purged",
        actor=actor,
        repository_id=row.pk,
        repository_path=path,
        namespace_id=row.namespace_id,
        payload={"deleted_at": row.deleted_at.isoformat() if row.deleted_at else ""},
    )
    return path
