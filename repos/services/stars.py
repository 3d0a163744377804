"""Stars: the count moves only when a row did."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from events.services import audit, record
from events.types import Actor
from repos.models import Repository, Star


def set_star(repository: Repository, *, actor: Actor, starred: bool) -> int:
    """Add or take away the actor's star; repeating it changes nothing. Returns the new count."""
    assert actor.id is not None
    with transaction.atomic():
        row = Repository.objects.select_for_update(no_key=True).get(pk=repository.pk)
        mine = Star.objects.filter(repository=row, user_id=actor.id)
        if starred and not mine.exists():
            Star.objects.create(repository=row, user_id=actor.id)
            _count(row, 1)
            record(
                "repository.starred",
                actor=actor,
                repository_id=row.pk,
                repository_path=row.path,
                namespace_id=row.namespace_id,
            )
        elif not starred and mine.delete()[0]:
            _count(row, -1)
            audit(
                "repository.unstarred",
                actor=actor,
                repository_id=row.pk,
                repository_path=row.path,
                namespace_id=row.namespace_id,
            )
        row.refresh_from_db(fields=["star_count"])
        repository.star_count = row.star_count
        return row.star_count


def _count(repository: Repository, change: int) -> None:
    Repository.objects.filter(pk=repository.pk).update(star_count=F("star_count") + change)
