"""Trying filters and formats on what was pushed before; nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass, fields

from events.models import Event
from webhooks.checking import checked
from webhooks.filters import Filters, facts_of
from webhooks.owners import Owner
from webhooks.resending import pushes_of

MOST = 50


@dataclass(frozen=True, slots=True)
class Trial:
    """An earlier push, and why it would not have been told, or nothing."""

    event: Event
    matches: bool
    reason: str = ""


def dry_run(owner: Owner, filters: Filters, limit: int = MOST) -> list[Trial]:
    """What filters say of the last pushes, newest first. Three queries at most.

    Of the server's only those to repositories that are public now. Raises WebhookInvalid for a
    filter that could not be saved.
    """
    checked({field.name: getattr(filters, field.name) for field in fields(filters)})
    pushes = list(pushes_of(owner)[: min(limit, MOST)])
    reasons = [filters.refusal(fact) for fact in facts_of(pushes)]
    return [Trial(event, not reason, reason) for event, reason in zip(pushes, reasons, strict=True)]
