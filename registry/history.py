"""Where a tag has been: who moved it, when, from where to where, with what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q

from events.models import Event
from registry.models import TagMove
from repos.models import Repository

ROWS = 30
_EVENT_OF = {TagMove.Kind.DELETE: "tag.deleted"}
# The event is written right after the line of history, in the same transaction.
_BEFORE, _AFTER = timedelta(milliseconds=5), timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Place:
    """One line of history; `target` is the image it can go back to, empty once that has gone.

    `client` is what the program called itself, empty if that is no longer known.
    """

    move: TagMove
    target: str
    client: str = ""


def list_places(
    repository: Repository, name: str, *, before: int | None, with_client: bool
) -> tuple[list[Place], bool]:
    """Newest first, from below the id `before`, and whether there are older ones."""
    rows = TagMove.objects.filter(repository=repository, name=name)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: ROWS + 1])
    moves = found[:ROWS]
    clients = clients_of(repository, moves) if with_client else {}
    places = [Place(move, target_of(move), clients.get(move.pk, "")) for move in moves]
    return places, len(found) > ROWS


def target_of(move: TagMove) -> str:
    """The digest to go back to: where the tag was moved, or where it was when it was deleted."""
    if move.manifest_id is None:
        return ""
    return move.previous_digest if move.kind == TagMove.Kind.DELETE else move.digest


def clients_of(repository: Repository, moves: Sequence[TagMove]) -> dict[int, str]:
    """What made each move, as the event beside it has it; by id, empty where that is not known.

    One query over as many short times as there are moves.
    """
    if not moves:
        return {}
    times = Q()
    for move in moves:
        times |= Q(occurred_at__gte=move.at - _BEFORE, occurred_at__lte=move.at + _AFTER)
    # The sum keeps databases from reading all that ever happened in the repository.
    rows = Event.objects.alias(place=F("repository_id") + 0).filter(
        times, place=repository.pk, kind__in=("tag.moved", "tag.deleted")
    )
    found = list(rows.values_list("kind", "payload", "occurred_at", "client"))
    return {move.pk: _nearest(move, found) for move in moves}


def _nearest(move: TagMove, events: Sequence[tuple[str, dict[str, str], datetime, str]]) -> str:
    digest = move.digest or move.previous_digest
    kind = _EVENT_OF.get(TagMove.Kind(move.kind), "tag.moved")
    beside = [
        (abs(at - move.at), client)
        for event, payload, at, client in events
        if event == kind and payload.get("tag") == move.name and payload.get("digest") == digest
    ]
    return min(beside)[1] if beside else ""
