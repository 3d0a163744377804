"""From an event to the deliveries it owes. Only inserts rows; sending is another day's work."""

from __future__ import annotations

from fnmatch import fnmatchcase

from django.utils import timezone

from events.models import Event
from events.wake import wake
from webhooks.models import Delivery, Webhook
from webhooks.types import NAMES


def on_event(event: Event) -> None:
    """Owe the event to each active webhook of its repository that asked for it."""
    name = NAMES.get(event.kind)
    if name is None or event.repository_id is None:
        return
    hooks = Webhook.objects.filter(
        repository_id=event.repository_id, active=True, created_at__lte=event.occurred_at
    ).order_by("id")
    for hook in hooks:
        if name in hook.events and _tag_fits(hook.tag_filter, event):
            delivery, _ = Delivery.objects.get_or_create(
                webhook=hook, event=event, defaults={"next_attempt_at": timezone.now()}
            )
            wake("webhooks.tasks.deliver", delivery.pk)


def _tag_fits(glob: str, event: Event) -> bool:
    """A filter on tags says nothing about events that have none."""
    tag = event.payload.get("tag")
    return not glob or tag is None or fnmatchcase(tag, glob)
