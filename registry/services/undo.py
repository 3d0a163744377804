"""Deleted tags that can still come back. Their manifests wait (TagMove.keep_until), and with a
manifest its layers, its platforms and what refers to it."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from core.errors import NotFound
from events.types import Actor
from registry.errors import TagTaken
from registry.models import Tag, TagMove
from registry.services import rows
from registry.services.locking import Recheck, lock_repository, no_recheck
from registry.services.tags import move_tag
from repos.models import Repository

_MAX_KEY = 2**63 - 1  # SQLite fails at a larger number, also where it only compares


def list_deleted(repository: Repository) -> QuerySet[TagMove]:
    """Deletions that can be undone, each name and manifest once, newest first.

    `current` is what has the name by now, a digest or None.
    """
    kind = TagMove.Kind.DELETE
    again = TagMove.objects.filter(
        repository=OuterRef("repository"),
        name=OuterRef("name"),
        manifest=OuterRef("manifest"),
        kind=kind,
        pk__gt=OuterRef("pk"),
    )
    there = Tag.objects.filter(repository=OuterRef("repository"), name=OuterRef("name"))
    moves = TagMove.objects.filter(
        repository=repository, kind=kind, keep_until__gt=timezone.now(), manifest__isnull=False
    )
    moves = moves.filter(~Exists(again), ~Exists(there.filter(manifest=OuterRef("manifest"))))
    moves = moves.select_related("manifest").defer("manifest__payload")
    return moves.annotate(current=there.values("manifest__digest")[:1]).order_by("-pk")


def undo_deletions(
    repository: Repository,
    keys: Collection[int],
    *,
    actor: Actor,
    replace: bool = False,
    recheck: Recheck = no_recheck,
) -> list[str]:
    """Have deleted tags back where they were, all or none; their names.

    History and events have them as moves. Raises NotFound if it is too late or there is no such
    deletion, TagTaken if a name means something else by now, unless it is to be replaced, and
    TagImmutable. A tag that is back already stays as it is.
    """
    with transaction.atomic():
        row = lock_repository(repository)
        recheck(row)
        moves = TagMove.objects.select_related("manifest").defer("manifest__payload")
        known = [key for key in keys if key <= _MAX_KEY]
        found = moves.filter(
            repository=row, pk__in=known, kind=TagMove.Kind.DELETE, keep_until__gt=timezone.now()
        )
        names = [_undo(row, move, actor, replace=replace) for move in found.order_by("pk")]
        if not names or len(names) < len(set(keys)):
            raise NotFound("This tag cannot be restored any more.")
        rows.note_push(row)
    return names


def _undo(row: Repository, move: TagMove, actor: Actor, *, replace: bool) -> str:
    if move.manifest is None:  # somebody deleted it by its digest
        raise NotFound("This tag cannot be restored any more.")
    tags = Tag.objects.filter(repository=row, name=move.name).exclude(manifest=move.manifest)
    other = tags.values_list("manifest__digest", flat=True).first()
    if other is not None and not replace:
        raise TagTaken(
            f"There is a tag {move.name} again, with other content.",
            detail={"tag": move.name, "digest": other},
        )
    move_tag(row, move.name, move.manifest, actor=actor, kind=TagMove.Kind.RESTORE)
    return move.name
