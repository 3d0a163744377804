"""Other names: of a repository, of its namespace, and both at once when it is transferred.

Content hangs on ids, so a name costs a few rows. What had the name before keeps leading to it.
Locks are taken in one order, namespaces by id and then repositories by id, so that a push lands
before or after, and nothing is made under a name that is being changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import IntegrityError, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Length, Substr

from accounts.errors import NameTaken
from accounts.models import Membership, Namespace, NamespaceAlias, Organization, User
from accounts.names import check_name
from accounts.services.credentials import principal_of
from accounts.services.names import is_name_free, retire_name
from accounts.services.rescoping import follow_namespace, follow_repository
from accounts.types import Principal
from core.errors import Conflict, Denied, Invalid, NotFound
from events.services import audit, record
from events.types import Actor
from oci.names import MAX_NAME_LENGTH
from repos.errors import NotOwner, RepositoryExists
from repos.models import Alias, Collaborator, Repository, TeamGrant
from repos.permissions import decide, may_create
from repos.services.aliases import claim_path
from repos.services.repositories import check_visibility, let_in, path_in

MAX_FORMER_NAMES = 10  # of one account; each keeps a name from everybody else


def owns(principal: Principal, namespace: Namespace) -> bool:
    """Whether this is who renames and transfers what is in the namespace: its person, owners of
    its organization, for the library administrators; never a robot, never with a limited token."""
    if principal.is_anonymous or principal.is_robot or principal.is_limited:
        return False
    if not principal.is_verified:
        return False
    organization = namespace.organization
    if organization is None:
        library = namespace.kind == Namespace.Kind.LIBRARY and principal.is_superuser
        return library or namespace.user_id == principal.user_id
    if organization.second_factor_required and not principal.second_factor:
        return False
    return Membership.objects.filter(
        organization=organization, user_id=principal.account_id, role=Membership.Role.OWNER
    ).exists()


def require_owner(principal: Principal, namespace: Namespace) -> None:
    """Raises NotOwner."""
    if owns(principal, namespace):
        return
    if namespace.organization_id is not None:
        raise NotOwner(f"Only owners of {namespace.name} rename and transfer what belongs to it.")
    raise NotOwner(f"Only the owner of {namespace.name} renames and transfers what is in it.")


def rename_repository(repository: Repository, name: str, *, principal: Principal) -> Repository:
    """Give a repository another name in its namespace; the old path leads to it from then on.

    Raises Invalid, NotOwner, RepositoryExists, NotFound, Conflict.
    """
    actor = principal.actor
    path = path_in(repository.namespace, name)
    try:
        with transaction.atomic():
            row, _namespace = _lock(repository, [repository.namespace])
            require_owner(principal, row.namespace)
            before = row.path
            if path == before:
                return row
            claim_path(row.namespace, path, actor=actor, by=row)
            _take_tokens_along(row, path, actor)
            row.name, row.path, row.made_by_push = name, path, False
            row.save(update_fields=["name", "path", "made_by_push"])
            _leave(row, before, "repository.renamed", actor)
    except IntegrityError as error:
        raise RepositoryExists(f"{path} already exists.") from error
    return row


def transfer_repository(
    repository: Repository, target: Namespace, *, principal: Principal
) -> Repository:
    """Put a repository into another namespace, under the name it has; the old path leads to it.

    Roles of teams and robots, which belong to the old namespace, end; collaborators stay. The one
    who transfers must own the old namespace and be allowed to make repositories in the new one.
    Raises Invalid, NotOwner, Denied, PublicRefused, RepositoryExists, NotFound, Conflict.
    """
    actor = principal.actor
    path = path_in(target, repository.name)
    try:
        with transaction.atomic():
            row, target = _lock(repository, [repository.namespace, target])
            require_owner(principal, row.namespace)
            _check_target(row, target, principal)
            claim_path(target, path, actor=actor, by=row)
            _take_tokens_along(row, path, actor)
            before, left, lost = row.path, row.namespace_id, _drop_roles(row, target)
            row.namespace, row.path, row.made_by_push = target, path, False
            row.save(update_fields=["namespace", "path", "made_by_push"])
            let_in(row, actor)
            _leave(row, before, "repository.transferred", actor, lost)
            _tell_former(row, left, before, actor)
    except IntegrityError as error:
        raise RepositoryExists(f"{path} already exists.") from error
    return row


def roles_lost(repository: Repository) -> tuple[list[TeamGrant], list[Collaborator]]:
    """Roles of teams and of robots that a transfer ends."""
    grants = TeamGrant.objects.filter(repository=repository).select_related("team__organization")
    robots = Collaborator.objects.filter(repository=repository, user__robot_namespace__isnull=False)
    return (
        list(grants.order_by("team__name")),
        list(robots.select_related("user").order_by("user__username")),
    )


def rename_account(namespace: Namespace, name: str, *, principal: Principal) -> Namespace:
    """Give a person or an organization another name, and with it all that is called after it:
    the namespace, its repositories, its robots, and the scopes of access tokens.

    The old name leads to the new one and is kept from everybody else. Raises Invalid, NotOwner,
    NameTaken, Conflict.
    """
    check_name(name)
    actor = principal.actor
    try:
        with transaction.atomic():
            row = _lock_namespaces([namespace])[0]
            require_owner(principal, row)
            before = row.name
            if name == before:
                return row
            _check_account(row, name, principal)
            _rename_owner(row, name)
            _rename_contents(row, before, name)
            follow_namespace(before, name, actor=actor)
            kind = "organization.renamed" if row.organization_id else "account.renamed"
            payload = {"before": {"name": before}, "after": {"name": name}}
            audit(kind, actor=actor, namespace_id=row.pk, payload=payload)
    except IntegrityError as error:
        raise NameTaken("This name is already in use.") from error
    return row


def give_up_name(namespace: Namespace, pk: int, *, principal: Principal) -> str:
    """End a former name of an account, and say which; it stays retired for a while.

    Raises NotOwner, NotFound.
    """
    with transaction.atomic():
        row = _lock_namespaces([namespace])[0]
        require_owner(principal, row)
        alias = NamespaceAlias.objects.filter(namespace=row, pk=pk).first()
        if alias is None:
            raise NotFound("This account has no such former name.")
        alias.delete()
        pulls = Repository.objects.filter(namespace=row).values_list("pull_count", flat=True)
        retire_name(alias.old_name, pulls=sum(pulls))
        payload = {"old_name": alias.old_name, "uses": alias.uses}
        kind = "organization.name_given_up" if row.organization_id else "account.name_given_up"
        audit(kind, actor=principal.actor, namespace_id=row.pk, payload=payload)
    return alias.old_name


def _lock_namespaces(namespaces: Iterable[Namespace]) -> list[Namespace]:
    """The rows as they are now, in the order given; raises Conflict if one was renamed."""
    wanted = list(namespaces)
    rows = Namespace.objects.select_for_update(of=("self",)).select_related("organization", "user")
    held = {row.pk: row for row in rows.filter(pk__in=[n.pk for n in wanted]).order_by("pk")}
    for namespace in wanted:
        row = held.get(namespace.pk)
        if row is None or row.name != namespace.name:
            raise Conflict(f"{namespace.name} was renamed just now; use its new name.")
    return [held[namespace.pk] for namespace in wanted]


def _lock(repository: Repository, namespaces: Sequence[Namespace]) -> tuple[Repository, Namespace]:
    """The repository, which must be in the first namespace, and the last namespace, as they are
    now; raises NotFound, Conflict."""
    held = _lock_namespaces(namespaces)
    rows = Repository.objects.select_for_update(no_key=True).defer("readme", "readme_html")
    row = rows.filter(pk=repository.pk).first()
    if row is None or not row.is_active:
        raise NotFound("There is no such repository.")
    if row.namespace_id != held[0].pk:
        raise Conflict(f"{repository.path} was transferred just now; use its new name.")
    row.namespace = held[0]
    return row, held[-1]


def _take_tokens_along(row: Repository, path: str, actor: Actor) -> None:
    """Scopes follow to the new path; only those of who sees the repository as it still is, so that
    nobody else learns its new name."""

    def sees(user: User) -> bool:
        return decide(principal_of(user), "see", row).allowed

    follow_repository(row.path, path, actor=actor, sees=sees)


def _leave(
    row: Repository,
    before: str,
    kind: str,
    actor: Actor,
    more: dict[str, list[str]] | None = None,
) -> None:
    """Have the old path lead to the repository, and tell."""
    Alias.objects.create(old_path=before, repository=row)
    record(
        kind,
        actor=actor,
        repository_id=row.pk,
        repository_path=row.path,
        namespace_id=row.namespace_id,
        payload={"before": {"path": before}, "after": {"path": row.path}, **(more or {})},
    )


def _tell_former(row: Repository, namespace_id: int, before: str, actor: Actor) -> None:
    """The log of the namespace that a repository left keeps that it did."""
    audit(
        "repository.left",
        actor=actor,
        repository_path=before,
        namespace_id=namespace_id,
        payload={"before": {"path": before}, "after": {"path": row.path}},
    )


def _check_target(row: Repository, target: Namespace, principal: Principal) -> None:
    if target.pk == row.namespace_id:
        raise Invalid(f"{row.path} is in {target.name} already.")
    if not may_create(principal, target):
        raise Denied(
            f"You may not make repositories in {target.name}, so you cannot transfer one there; "
            "an owner of it can let you.",
            code="NOT_YOURS",
        )
    check_visibility(target, row.visibility)


def _drop_roles(row: Repository, target: Namespace) -> dict[str, list[str]]:
    """End what does not go along; the names of whoever lost a role."""
    grants, robots = roles_lost(row)
    TeamGrant.objects.filter(pk__in=[grant.pk for grant in grants]).delete()
    Collaborator.objects.filter(pk__in=[robot.pk for robot in robots]).delete()
    if target.user_id is not None:  # who owns it needs no role
        Collaborator.objects.filter(repository=row, user=target.user_id).delete()
    return {
        "teams": [grant.team.name for grant in grants],
        "robots": [robot.user.username for robot in robots],
    }


def _check_account(row: Namespace, name: str, principal: Principal) -> None:
    if row.kind == Namespace.Kind.LIBRARY:
        raise Invalid("The library keeps its name.")
    owner = User.objects.filter(pk=principal.account_id).first()
    if not is_name_free(name, of=row, to=owner):
        raise NameTaken("This name is already in use, was until lately, or looks like one that is.")
    if NamespaceAlias.objects.filter(namespace=row).count() >= MAX_FORMER_NAMES:
        raise Invalid(f"An account has at most {MAX_FORMER_NAMES} former names; give one up first.")
    longest = MAX_NAME_LENGTH - len(name) - 1
    too_long = Repository.objects.filter(namespace=row, state=Repository.State.ACTIVE)
    first = too_long.alias(size=Length("name")).filter(size__gt=longest).first()
    if first is not None:
        raise Invalid(
            f"{name}/{first.name} would be longer than {MAX_NAME_LENGTH} characters; rename that "
            "repository first."
        )


def _rename_owner(row: Namespace, name: str) -> None:
    before, row.name = row.name, name
    row.save(update_fields=["name"])
    User.objects.filter(pk=row.user_id or 0).update(username=name)
    Organization.objects.filter(pk=row.organization_id or 0).update(name=name)
    rest = Substr("username", len(before) + 1)
    User.objects.filter(robot_namespace=row).update(username=Concat(Value(name), rest))
    NamespaceAlias.objects.filter(old_name=name, namespace=row).delete()
    NamespaceAlias.objects.create(old_name=before, namespace=row)
    for owner in (row.user, row.organization):
        if owner is not None:
            owner.refresh_from_db()


def _rename_contents(row: Namespace, before: str, name: str) -> None:
    """Paths of repositories, and former paths, which have the namespace's present name."""
    rows = Repository.objects.filter(namespace=row, state=Repository.State.ACTIVE)
    held = rows.select_for_update(no_key=True).order_by("pk")
    keys = list(held.values_list("pk", flat=True))
    Repository.objects.filter(pk__in=keys).update(path=Concat(Value(f"{name}/"), F("name")))
    for alias in Alias.objects.filter(old_path__startswith=f"{before}/"):
        path = f"{name}/{alias.old_path.removeprefix(f'{before}/')}"
        if Alias.objects.filter(old_path=path).exists():
            alias.delete()
        else:
            Alias.objects.filter(pk=alias.pk).update(old_path=path)
    present = rows.values("path")
    Alias.objects.filter(old_path__in=present).delete()
