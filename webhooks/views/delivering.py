"""One delivery with all its tries, and two bodies side by side."""

from __future__ import annotations

import uuid
from itertools import groupby, zip_longest
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from core.errors import Conflict, NotFound
from repos.access import wants_part
from webhooks import difference, selectors, services
from webhooks.models import Attempt, Delivery, Result, Webhook
from webhooks.views.place import enter
from webhooks.views.rows import poll_interval, row_of, tries_of
from webhooks.views.snippets import VERIFY
from webhooks.waiting import waiting

CHOICES = 20


@require_safe
def delivery(request: HttpRequest, pk: int, uid: uuid.UUID, **where: str) -> HttpResponse:
    """Every try of one delivery; as a fragment while it is still due."""
    place = enter(request, where)
    webhook = place.webhook(pk)
    found = _delivery(webhook, uid)
    attempts = list(found.attempts.all())
    context = {
        "webhook": webhook,
        "row": row_of(found),
        "tries": tries_of(webhook, attempts),
        "every": poll_interval(found),
        "waiting": waiting(found),
        "result": Result.objects.filter(delivery=found).first(),
        "verify": VERIFY,
    }
    return place.page(request, "_delivery" if wants_part(request) else "delivery", context)


@require_POST
def redeliver_again(request: HttpRequest, pk: int, uid: uuid.UUID, **where: str) -> HttpResponse:
    """Send it once more."""
    place = enter(request, where)
    found = _delivery(place.webhook(pk), uid)
    try:
        services.redeliver(found)
    except Conflict as error:
        messages.error(request, error.message)
    return place.go("delivery", pk, found.uid)


@require_safe
def compare(request: HttpRequest, pk: int, uid: uuid.UUID, **where: str) -> HttpResponse:
    """What was sent this time beside what was sent another time, to the same receiver."""
    place = enter(request, where)
    webhook = place.webhook(pk)
    found = _delivery(webhook, uid)
    own = list(found.attempts.all())[::-1]
    others = _others(webhook, found)
    right = _chosen(webhook, request.GET.get("right", "")) or (own[0] if own else None)
    left = _chosen(webhook, request.GET.get("left", "")) or _preselected(found, right, own, others)
    lines = _paired(difference.between(left, right)) if left and right else []
    context: dict[str, Any] = {
        "webhook": webhook,
        "row": row_of(found),
        "own": own,
        "others": others,
        "left": left,
        "right": right,
        "lines": lines,
        "changed": sum(kind != "same" for kind, _left, _right in lines),
    }
    return place.page(request, "compare", context)


def _paired(lines: list[difference.Line]) -> list[tuple[str, str, str]]:
    """Kind, left and right of each row: what was taken away stands beside what came for it."""
    rows: list[tuple[str, str, str]] = []
    for kind, group in groupby(lines, key=lambda line: line.kind == "same"):
        run = list(group)
        if kind:
            rows += [("same", line.left, line.right) for line in run]
            continue
        gone = [line.left for line in run if line.kind == "left"]
        new = [line.right for line in run if line.kind == "right"]
        for left, right in zip_longest(gone, new):
            both = left is not None and right is not None
            which = "both" if both else "left" if right is None else "right"
            rows.append((which, left or "", right or ""))
    return rows


def _delivery(webhook: Webhook, uid: uuid.UUID) -> Delivery:
    found = selectors.deliveries_of(webhook).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such delivery.")
    return found


def _others(webhook: Webhook, found: Delivery) -> list[tuple[dict[str, Any], Attempt]]:
    """The last other deliveries that were tried, each with its newest attempt."""
    rows = selectors.deliveries_of(webhook).exclude(pk=found.pk).filter(attempts__isnull=False)
    return [
        (row_of(delivery), attempt)
        for delivery in rows.distinct()[:CHOICES]
        if (attempt := selectors.last_attempt(delivery)) is not None
    ]


def _chosen(webhook: Webhook, number: str) -> Attempt | None:
    """An attempt of this webhook; None when the address names none."""
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    return selectors.get_attempt(webhook, int(number))


def _preselected(
    found: Delivery,
    right: Attempt | None,
    own: list[Attempt],
    others: list[tuple[dict[str, Any], Attempt]],
) -> Attempt | None:
    """The try before, else the newest delivery before this one of the same event, else another."""
    if right is None:
        return None
    earlier = [attempt for attempt in own if attempt.pk < right.pk]
    if earlier:
        return earlier[0]
    older = [(row, a) for row, a in others if row["delivery"].pk < found.pk] or others
    same = [a for row, a in older if row["delivery"].event.kind == found.event.kind]
    fitting = same or [attempt for _row, attempt in older]
    return fitting[0] if fitting else None
