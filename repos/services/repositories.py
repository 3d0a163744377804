"""Making, changing and deleting repositories. Callers have already decided who may do this."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Membership, Namespace, User
from core.errors import Invalid
from core.markdown import to_html
from events.services import record
from events.types import Actor
from oci.names import MAX_NAME_LENGTH, is_path
from repos.errors import PublicRefused, RepositoryExists
from repos.models import Collaborator, Repository, Role, Visibility
from repos.services.aliases import claim_path
from repos.services.locking import (
    Recheck,
    lock_active,
    lock_namespace,
    lock_with_namespace,
    no_recheck,
)

MAX_README_CHARS = 100 * 1024
MAX_DESCRIPTION_CHARS = 300
_ASIDE = ("state", "name", "path", "former_name", "purge_after")


def create_repository(
    namespace: Namespace,
    name: str,
    *,
    actor: Actor,
    visibility: str = Visibility.PRIVATE,
    description: str = "",
    made_by_push: bool = False,
) -> Repository:
    """Make a repository; raises Invalid for a bad name or value, RepositoryExists, PublicRefused.

    Whoever makes one where they own nothing yet gets a role on it.
    """
    path = path_in(namespace, name)
    _check_description(description)
    try:
        with transaction.atomic():
            namespace = lock_namespace(namespace)
            check_visibility(namespace, visibility)
            claim_path(namespace, path, actor=actor)
            repository = Repository.objects.create(
                namespace=namespace,
                name=name,
                path=path,
                visibility=visibility,
                description=description,
                made_by_push=made_by_push,
            )
            let_in(repository, actor)
            record(
                "repository.created",
                actor=actor,
                repository_id=repository.pk,
                repository_path=path,
                namespace_id=repository.namespace_id,
                payload={"visibility": str(repository.visibility), "by_push": made_by_push},
            )
    except IntegrityError as error:
        raise RepositoryExists(f"{path} already exists.") from error
    return repository


def get_or_create_repository(namespace: Namespace, name: str, *, actor: Actor) -> Repository:
    """The repository for a first push; two first pushes at once get the same one."""
    organization = namespace.organization
    public = organization is not None and organization.default_public
    visibility = Visibility.PUBLIC if public else Visibility.PRIVATE
    try:
        return create_repository(
            namespace, name, actor=actor, visibility=visibility, made_by_push=True
        )
    except RepositoryExists:
        rows = Repository.objects.select_related("namespace__organization")
        made = rows.filter(path=f"{namespace.name}/{name}").first()
        if made is None:
            raise  # a former name of what was transferred
        return made


def update_repository(
    repository: Repository,
    *,
    actor: Actor,
    description: str | None = None,
    readme: str | None = None,
    visibility: str | None = None,
    comments_open: bool | None = None,
    recheck: Recheck = no_recheck,
) -> Repository:
    """Change what is given and leave the rest; raises Invalid, NotFound, Conflict."""
    fields: dict[str, Any] = {}
    if description is not None:
        _check_description(description)
        fields["description"] = description
    if readme is not None:
        if len(readme) > MAX_README_CHARS:
            raise Invalid(f"A README may have at most {MAX_README_CHARS} characters.")
        fields |= {"readme": readme, "readme_html": to_html(readme)}
    lock = lock_active
    if visibility is not None:
        fields["visibility"], lock = visibility, lock_with_namespace
    if comments_open is not None:
        fields["comments_open"] = comments_open
    with transaction.atomic():
        row = lock(repository, recheck)
        if visibility is not None:
            check_visibility(row.namespace, visibility)
        changed = [name for name, value in fields.items() if getattr(row, name) != value]
        if changed:
            _change(row, {name: fields[name] for name in changed}, actor)
    return row


def _change(row: Repository, fields: dict[str, Any], actor: Actor) -> None:
    payload = _changes(row, fields)
    kind = "repository.visibility" if "visibility" in fields else "repository.updated"
    fields["made_by_push"] = False  # somebody wants it, filled or not
    for name, value in fields.items():
        setattr(row, name, value)
    row.save(update_fields=list(fields))
    record(
        kind,
        actor=actor,
        repository_id=row.pk,
        repository_path=row.path,
        namespace_id=row.namespace_id,
        payload=payload,
    )


def delete_repository(
    repository: Repository,
    *,
    actor: Actor,
    final: bool = False,
    recheck: Recheck = no_recheck,
) -> bool:
    """Make the repository gone for everybody at once; whether it lies in the trash now.

    The path is free again from the same commit on: the old row steps aside under a path no name
    can have. Its content is taken apart afterwards, at once if `final` or if there is no trash,
    else when its days there are over. Raises NotFound if somebody else was faster.
    """
    days = 0 if final else settings.HUB.trash_days
    with transaction.atomic():
        row = lock_active(repository, recheck)
        path, row.deleted_at, row.deleted_by_name = row.path, timezone.now(), actor.name
        row.state = Repository.State.DELETING
        if days:
            row.state, row.former_name = Repository.State.TRASHED, row.name
            row.purge_after = row.deleted_at + timedelta(days=days)
        row.path = row.name = f"~{row.pk}"
        row.save(update_fields=[*_ASIDE, "deleted_at", "deleted_by_name"])
        record(
            "repository.deleted",
            actor=actor,
            repository_id=row.pk,
            repository_path=path,
            namespace_id=row.namespace_id,
            payload={"deleted_at": row.deleted_at.isoformat()},
        )
    return bool(days)


def path_in(namespace: Namespace, name: str) -> str:
    """The path of a repository with this name; raises Invalid."""
    path = f"{namespace.name}/{name}"
    if not is_path(name) or len(path) > MAX_NAME_LENGTH:
        raise Invalid(
            "A repository's name is lower-case letters and digits; single . _ - may stand "
            "between them, and / between parts.",
            code="NAME_INVALID",
        )
    return path


def check_visibility(namespace: Namespace, visibility: str) -> None:
    """Raises Invalid, or PublicRefused where an organization allows no public repositories."""
    if visibility not in Visibility.values:
        raise Invalid("Visibility is public or private.", code="VISIBILITY_INVALID")
    organization = namespace.organization
    if visibility == Visibility.PUBLIC and organization and not organization.public_allowed:
        raise PublicRefused(
            f"{namespace.name} allows no public repositories; its owners can change that."
        )


def _changes(repository: Repository, fields: dict[str, Any]) -> dict[str, Any]:
    """What history keeps of a change: values before and after, of a README only that it changed."""
    names = [n for n in ("description", "visibility", "comments_open") if n in fields]
    names = [n for n in names if getattr(repository, n) != fields[n]]
    payload: dict[str, Any] = {}
    if "visibility" in names:
        payload["visibility"] = fields["visibility"]
    if "readme" in fields and fields["readme"] != repository.readme:
        payload["changed"] = ["readme"]
    if names:
        payload["before"] = {n: str(getattr(repository, n)) for n in names}
        payload["after"] = {n: str(fields[n]) for n in names}
    return payload


def let_in(repository: Repository, actor: Actor) -> None:
    """Give a role to whoever put a repository where they own nothing."""
    user = User.objects.filter(pk=actor.id or 0).first()
    namespace = repository.namespace
    if user is None or user.pk == namespace.user_id:
        return
    role = Role.ADMIN
    if user.is_robot:
        if user.robot_role == Role.WRITE:
            return
        role = Role.WRITE
    elif Membership.objects.filter(
        organization=namespace.organization_id, user=user, role=Membership.Role.OWNER
    ).exists():
        return
    elif namespace.organization_id is None:
        return  # the library, whose keepers need no role
    Collaborator.objects.update_or_create(repository=repository, user=user, defaults={"role": role})


def _check_description(description: str) -> None:
    if len(description) > MAX_DESCRIPTION_CHARS:
        raise Invalid(f"A description may have at most {MAX_DESCRIPTION_CHARS} characters.")
