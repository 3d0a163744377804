"""Owing again what happened in a time span, with the event ids it had."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

from django.utils import timezone

from events.models import Event
from events.types import Actor
from webhooks.auditing import audit_webhook
from webhooks.checking import invalid
from webhooks.errors import WebhookInactive
from webhooks.filters import Filters, facts_of
from webhooks.models import Delivery, Webhook
from webhooks.owners import Recheck, locked, no_recheck, owner_of
from webhooks.resending import MAX_AT_ONCE, events_of, owe, owe_again, redeliver_all
from webhooks.types import NAMES

MAX_LOOKED_AT = 20_000
MAX_LOOKING_S = 8.0  # filters may be regular expressions
_CHUNK = 500
_TOO_MUCH = "Too much happened in this span; choose a shorter one."


def count(webhook: Webhook, *, since: datetime, until: datetime) -> int:
    """How many events `replay` would owe; raises WebhookInvalid as that does."""
    return len(_fitting(webhook, since, until))


def replay(
    webhook: Webhook,
    *,
    since: datetime,
    until: datetime,
    actor: Actor,
    recheck: Recheck = no_recheck,
) -> int:
    """Owe what happened from `since` on and before `until` as far as its filters let it pass,
    oldest first, whether it arrived then or not; returns how many.

    What is being sent just now is left alone. Events of before the webhook was made count too;
    rights are looked at when it is sent. Raises WebhookInactive, and WebhookInvalid for a span
    that has more than MAX_AT_ONCE of them, and what `recheck` raises.
    """
    if not webhook.is_on:
        raise WebhookInactive("This webhook is off or paused; switch it on to replay events.")
    events = _fitting(webhook, since, until)
    with locked(owner_of(webhook), recheck):
        known = Delivery.objects.filter(webhook=webhook, event__in=events)
        before = set(known.values_list("event_id", flat=True))
        done = owe_again(known, webhook)
        done += len(owe((webhook, event) for event in events if event.pk not in before))
        span = {"since": since.isoformat(), "until": until.isoformat()}
        audit_webhook("webhook.replayed", webhook, actor, **span, count=done)
    return done


def send_lost(webhook: Webhook, *, actor: Actor, recheck: Recheck = no_recheck) -> int:
    """Send what was given up once more, oldest first, at most MAX_AT_ONCE; returns how many.

    Raises what `recheck` raises.
    """
    with locked(owner_of(webhook), recheck):
        done = redeliver_all(webhook)
        audit_webhook("webhook.replayed", webhook, actor, count=done)
    return done


def _fitting(webhook: Webhook, since: datetime, until: datetime) -> list[Event]:
    if not since < until:
        raise invalid("until", "The end of the span lies after its beginning.")
    filters = Filters.of(webhook)
    found: list[Event] = []
    ends_at = time.monotonic() + MAX_LOOKING_S
    for chunk in _chunks(webhook, since, min(until, timezone.now())):
        for event, fact in zip(chunk, facts_of(chunk), strict=True):
            if not filters.refusal(fact):
                found.append(event)
            if time.monotonic() >= ends_at:
                raise invalid("since", _TOO_MUCH)
        if len(found) > MAX_AT_ONCE:
            raise invalid(
                "since", f"There are more than {MAX_AT_ONCE} events in it; choose a shorter span."
            )
    return found


def _chunks(webhook: Webhook, since: datetime, until: datetime) -> Iterator[list[Event]]:
    """Oldest first. Raises WebhookInvalid once it is too much to look through."""
    kinds = [kind for kind, name in NAMES.items() if name in webhook.events]
    rows = events_of(owner_of(webhook)).filter(
        kind__in=kinds, occurred_at__gte=since, occurred_at__lt=until
    )
    looked_at = last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("id")[:_CHUNK]):
        yield chunk
        looked_at, last = looked_at + len(chunk), chunk[-1].pk
        if looked_at >= MAX_LOOKED_AT:
            raise invalid("since", _TOO_MUCH)
