"""Reading the catalogue. Every list starts from `permissions.visible_to`."""

from __future__ import annotations

from typing import Literal

from django.db.models import F, OrderBy, QuerySet

from accounts.models import Namespace
from accounts.types import Principal
from core.errors import NotFound
from repos.models import Collaborator, Comment, Repository, Star, TeamGrant
from repos.permissions import held_by, visible_to

Sort = Literal["recent", "stars", "pulls", "name"]
_ORDER: dict[str, list[str | OrderBy]] = {
    "recent": [F("last_pushed_at").desc(nulls_last=True), "-id"],
    "stars": ["-star_count", "-pull_count", "-id"],
    "pulls": ["-pull_count", "-star_count", "-id"],
    "name": ["path"],
}


def explore(
    principal: Principal,
    *,
    sort: Sort = "recent",
    mine: bool = False,
    shared: bool = False,
    starred: bool = False,
) -> QuerySet[Repository]:
    """Repositories the caller may see that have been pushed to, in the order asked for.

    `mine` are those with a role of the caller's, filled or not; `shared` those of them that are
    in somebody else's namespace.
    """
    rows = held_by(principal) if mine or shared else visible_to(principal)
    rows = rows.select_related("namespace").defer("readme", "readme_html")
    if mine or shared:
        if shared:
            rows = rows.exclude(namespace__user_id=principal.account_id).exclude(
                namespace__kind=Namespace.Kind.LIBRARY
            )
    elif not starred:
        rows = rows.filter(last_pushed_at__isnull=False)
    if starred:
        rows = rows.filter(stars__user_id=principal.account_id)
    return rows.order_by(*_ORDER[sort])


def in_namespace(principal: Principal, namespace: Namespace) -> QuerySet[Repository]:
    """A namespace's repositories that the caller may see, last pushed first."""
    return (
        visible_to(principal)
        .select_related("namespace")
        .defer("readme", "readme_html")
        .filter(namespace=namespace)
        .order_by(F("last_pushed_at").desc(nulls_last=True), "path")
    )


def has_starred(principal: Principal, repository: Repository) -> bool:
    """Whether the caller's star is on it."""
    return (
        not principal.is_anonymous
        and Star.objects.filter(repository=repository, user_id=principal.account_id).exists()
    )


def list_collaborators(repository: Repository) -> list[Collaborator]:
    """People with a role of their own, by name."""
    return list(
        Collaborator.objects.filter(repository=repository)
        .select_related("user")
        .order_by("user__username")
    )


def get_collaborator(repository: Repository, username: str) -> Collaborator:
    """Somebody's own role, deactivated accounts included; raises NotFound."""
    rows = Collaborator.objects.filter(repository=repository, user__username=username.lower())
    found = rows.select_related("user").first()
    if found is None:
        raise NotFound("This person is not a collaborator.")
    return found


def list_team_grants(repository: Repository) -> list[TeamGrant]:
    """Teams with a role, by name."""
    return list(
        TeamGrant.objects.filter(repository=repository)
        .select_related("team__organization")
        .order_by("team__name")
    )


def comments_of(repository: Repository) -> QuerySet[Comment]:
    """Comments that were not deleted."""
    return Comment.objects.filter(repository=repository, deleted_at=None).select_related(
        "author", "repository__namespace"
    )
