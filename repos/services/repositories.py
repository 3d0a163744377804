"""Making, changing and deleting repositories. Callers have already decided who may do this."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Namespace
from core.errors import Invalid, NotFound
from core.markdown import to_html
from events.services import record
from events.types import Actor
from oci.names import MAX_NAME_LENGTH, is_path
from repos.errors import RepositoryExists
from repos.models import Repository, Visibility

MAX_README_CHARS = 100 * 1024
MAX_DESCRIPTION_CHARS = 300


def create_repository(
    namespace: Namespace,
    name: str,
    *,
    actor: Actor,
    visibility: str = Visibility.PRIVATE,
    description: str = "",
) -> Repository:
    """Make a repository; raises Invalid for a bad name or value, RepositoryExists."""
    path = f"{namespace.name}/{name}"
    if not is_path(name) or len(path) > MAX_NAME_LENGTH:
        raise Invalid(
            "A repository's name is lower-case letters and digits; single . _ - may stand "
            "between them, and / between parts.",
            code="NAME_INVALID",
        )
    _check_visibility(visibility)
    _check_description(description)
    try:
        with transaction.atomic():
            repository = Repository.objects.create(
                namespace=namespace,
                name=name,
                path=path,
                visibility=visibility,
                description=description,
            )
            record(
                "repository.created",
                actor=actor,
                repository_id=repository.pk,
                repository_path=path,
            )
    except IntegrityError as error:
        raise RepositoryExists(f"{path} already exists.") from error
    return repository


def get_or_create_repository(namespace: Namespace, name: str, *, actor: Actor) -> Repository:
    """The repository for a first push; two first pushes at once get the same one."""
    try:
        return create_repository(namespace, name, actor=actor)
    except RepositoryExists:
        return Repository.objects.select_related("namespace").get(path=f"{namespace.name}/{name}")


def update_repository(
    repository: Repository,
    *,
    actor: Actor,
    description: str | None = None,
    readme: str | None = None,
    visibility: str | None = None,
) -> Repository:
    """Change what is given and leave the rest; raises Invalid."""
    fields: dict[str, str] = {}
    if description is not None:
        _check_description(description)
        fields["description"] = description
    if readme is not None:
        if len(readme) > MAX_README_CHARS:
            raise Invalid(f"A README may have at most {MAX_README_CHARS} characters.")
        fields |= {"readme": readme, "readme_html": to_html(readme)}
    if visibility is not None:
        _check_visibility(visibility)
        fields["visibility"] = visibility
    changed = [name for name, value in fields.items() if getattr(repository, name) != value]
    if not changed:
        return repository
    with transaction.atomic():
        for name in changed:
            setattr(repository, name, fields[name])
        repository.save(update_fields=changed)
        kind = "repository.visibility" if "visibility" in changed else "repository.updated"
        record(
            kind,
            actor=actor,
            repository_id=repository.pk,
            repository_path=repository.path,
            payload={"visibility": repository.visibility} if "visibility" in changed else {},
        )
    return repository


def delete_repository(repository: Repository, *, actor: Actor) -> None:
    """Make the repository gone for everybody at once; its content is taken apart afterwards.

    The path is free again from the same commit on: the old row steps aside under a path no name
    can have. Raises NotFound if somebody else was faster.
    """
    with transaction.atomic():
        row = Repository.objects.select_for_update(no_key=True).filter(pk=repository.pk).first()
        if row is None or not row.is_active:
            raise NotFound("There is no such repository.")
        path = row.path
        row.state = Repository.State.DELETING
        row.path = row.name = f"~{row.pk}"
        row.deleted_at = timezone.now()
        row.save(update_fields=["state", "path", "name", "deleted_at"])
        record(
            "repository.deleted",
            actor=actor,
            repository_id=row.pk,
            repository_path=path,
            payload={"deleted_at": timezone.now().isoformat()},
        )


def _check_visibility(visibility: str) -> None:
    if visibility not in Visibility.values:
        raise Invalid("Visibility is public or private.", code="VISIBILITY_INVALID")


def _check_description(description: str) -> None:
    if len(description) > MAX_DESCRIPTION_CHARS:
        raise Invalid(f"A description may have at most {MAX_DESCRIPTION_CHARS} characters.")
