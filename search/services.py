"""Keeping facts as the content is. Repeatable; a row that is right is left alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from registry.models import Tag
from repos.models import Repository
from search.facts import words_of
from search.index import index
from search.models import Fact

BATCH = 500
CATCH_UP_S = 300
LATELY = timedelta(seconds=2 * CATCH_UP_S)


def refresh(repository_ids: Iterable[int]) -> int:
    """Make facts say what the content is now; returns how many rows were written or deleted.

    The repositories are held meanwhile, so that no push goes unnoticed in between.
    """
    with transaction.atomic():
        rows = Repository.objects.filter(pk__in=list(repository_ids)).order_by("pk")
        ids = list(rows.select_for_update(no_key=True).values_list("pk", flat=True))
        wanted = {(pk, word) for pk, words in words_of(ids).items() for word in words}
        facts = Fact.objects.filter(repository__in=ids)
        there = {
            (pk, word): row for row, pk, word in facts.values_list("pk", "repository_id", "word")
        }
        gone = [row for key, row in there.items() if key not in wanted]
        new = [Fact(repository_id=pk, word=word) for pk, word in sorted(wanted - there.keys())]
        if gone:
            Fact.objects.filter(pk__in=gone).delete()
        Fact.objects.bulk_create(new)
        return len(gone) + len(new)


def catch_up() -> int:
    """Refresh what has tags and no facts, as after an upgrade, and what was pushed to lately: what
    comes without a tag makes no event. Returns how many there were."""
    active = Repository.objects.filter(state=Repository.State.ACTIVE)
    tagged = Exists(Tag.objects.filter(repository=OuterRef("pk")))
    known = Exists(Fact.objects.filter(repository=OuterRef("pk")))
    done = 0
    for rows in (
        active.filter(tagged, ~known),
        active.filter(last_pushed_at__gte=timezone.now() - LATELY),
    ):
        for ids in _batches(rows):
            refresh(ids)
            done += len(ids)
    return done


def refresh_all() -> int:
    """Refresh everything, a batch at a time; returns how many rows changed."""
    there = Repository.objects.filter(pk=OuterRef("repository_id"))
    Fact.objects.filter(~Exists(there)).delete()
    return sum(refresh(ids) for ids in _batches(Repository.objects.all()))


def rebuild() -> int:
    """Make the index of words and all facts anew; returns how many rows of facts changed."""
    index().ensure()
    index().rebuild()
    return refresh_all()


def _batches(rows: QuerySet[Repository]) -> Iterator[list[int]]:
    """Ids, so many at a time, each once."""
    last = 0
    ids = rows.order_by("pk").values_list("pk", flat=True)
    while found := list(ids.filter(pk__gt=last)[:BATCH]):
        yield found
        last = found[-1]
