"""Watching repositories. Callers have already decided who may."""

from __future__ import annotations

from accounts.models import Membership, User
from core.errors import Invalid
from notices.models import FeedKey, Notice, Preference, SearchWatch, Watch
from repos.models import Collaborator, Repository, Role

MOST_KEEPERS = 50


def set_watch(user_id: int, repository: Repository, level: str) -> None:
    """Watch this much of a repository from now on, or with an empty level no more than anybody.

    Raises Invalid.
    """
    mine = Watch.objects.filter(user_id=user_id, repository=repository)
    if not level:
        mine.delete()
        return
    if level not in Watch.Level.values:
        raise Invalid(f"A level is one of {', '.join(Watch.Level.values)}.", code="LEVEL_INVALID")
    Watch.objects.update_or_create(
        user_id=user_id, repository=repository, defaults={"level": level}
    )


def levels_of(repository: Repository) -> dict[int, str]:
    """Who has said how much they want to hear of it."""
    return dict(Watch.objects.filter(repository=repository).values_list("user_id", "level"))


def owners_of(repository: Repository) -> list[int]:
    """Whose it is: the person of the namespace, or the owners of the organization."""
    namespace = repository.namespace
    if namespace.organization_id is None:
        return [] if namespace.user_id is None else [namespace.user_id]
    rows = Membership.objects.filter(
        organization_id=namespace.organization_id, role=Membership.Role.OWNER
    )
    return list(rows.order_by("id").values_list("user_id", flat=True)[:MOST_KEEPERS])


def administrators_of(repository: Repository) -> list[int]:
    """Whose it is, and who was given the role `admin` on it."""
    rows = Collaborator.objects.filter(repository=repository, role=Role.ADMIN)
    more = rows.order_by("id").values_list("user_id", flat=True)[:MOST_KEEPERS]
    return list(dict.fromkeys([*owners_of(repository), *more]))


def forget_person(user: User) -> None:
    """Take away everything here of somebody who has left."""
    Watch.objects.filter(user=user).delete()
    SearchWatch.objects.filter(user=user).delete()
    Notice.objects.filter(user=user).delete()
    Preference.objects.filter(user=user).delete()
    FeedKey.objects.filter(user=user).delete()
