"""Reading the catalogue. Every list starts from `permissions.visible_to`."""

from __future__ import annotations

from typing import Literal

from django.db.models import Case, F, IntegerField, OrderBy, Q, QuerySet, Value, When

from accounts.models import Namespace
from accounts.types import Principal
from core.errors import NotFound
from repos.models import Collaborator, Comment, Repository, Star, TeamGrant
from repos.permissions import member_ids, visible_to

Sort = Literal["recent", "stars", "pulls", "name"]
_ORDER: dict[str, list[str | OrderBy]] = {
    "recent": [F("last_pushed_at").desc(nulls_last=True), "-id"],
    "stars": ["-star_count", "-pull_count", "-id"],
    "pulls": ["-pull_count", "-star_count", "-id"],
    "name": ["path"],
}


def explore(
    principal: Principal, *, sort: Sort = "recent", mine: bool = False, starred: bool = False
) -> QuerySet[Repository]:
    """Repositories the caller may see that have been pushed to, in the order asked for."""
    rows = visible_to(principal).select_related("namespace")
    if mine:
        rows = rows.filter(pk__in=member_ids(principal))
    elif not starred:
        rows = rows.filter(last_pushed_at__isnull=False)
    if starred:
        rows = rows.filter(stars__user_id=principal.account_id)
    return rows.order_by(*_ORDER[sort])


def search(principal: Principal, text: str) -> QuerySet[Repository]:
    """Repositories the caller may see that match every word, best match first."""
    rows = visible_to(principal).select_related("namespace")
    words = text.lower().split()[:8]
    for word in words:
        rows = rows.filter(Q(path__icontains=word) | Q(description__icontains=word))
    whole = " ".join(words)
    return rows.annotate(
        rank=Case(
            When(Q(path=whole) | Q(name=whole), then=Value(3)),
            When(name__startswith=whole, then=Value(2)),
            When(path__contains=whole, then=Value(1)),
            default=Value(0),
            output_field=IntegerField(),
        )
    ).order_by(
        "-rank", "-star_count", "-pull_count", F("last_pushed_at").desc(nulls_last=True), "-id"
    )


def in_namespace(principal: Principal, namespace: Namespace) -> QuerySet[Repository]:
    """A namespace's repositories that the caller may see, last pushed first."""
    return (
        visible_to(principal)
        .select_related("namespace")
        .filter(namespace=namespace)
        .order_by(F("last_pushed_at").desc(nulls_last=True), "path")
    )


def starred_by(principal: Principal, user_id: int) -> QuerySet[Repository]:
    """What a person starred, as far as the caller may see it, newest star first."""
    return (
        visible_to(principal)
        .select_related("namespace")
        .filter(stars__user_id=user_id)
        .order_by("-stars__id")
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


def get_comment(repository: Repository, pk: int) -> Comment:
    """A comment of this repository; raises NotFound."""
    comment = comments_of(repository).filter(pk=pk).first()
    if comment is None:
        raise NotFound("There is no such comment.")
    return comment
