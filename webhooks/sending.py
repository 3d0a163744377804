"""One try at a time: claim, look again, send outside any transaction, note how it went.

The row is the truth. A claim is a lease: whoever dies in between leaves it to run out, and the
sweep tries again. So a receiver may get an event twice, and never not at all without a trace.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.models import User
from accounts.services.credentials import principal_of
from accounts.types import ANONYMOUS
from core.http import Deadlines, OutboundError, send
from core.netguard import networks
from events.wake import wake
from repos.permissions import decide
from webhooks import outcomes
from webhooks.models import Attempt, Delivery
from webhooks.outcomes import Outcome
from webhooks.payloads import render, signed_headers

LEASE_MARGIN_S = 30.0
WAKE_WITHIN_S = 15 * 60
SWEEP_BATCH = 20
SWEEP_S = 30.0

log = logging.getLogger(__name__)


def deliver(delivery_id: int) -> bool:
    """Make one try at a delivery that is due and free; returns whether there was one to make.

    The try is counted when it is claimed, so that one which kills its worker ends too. Commits
    before and after sending; never call it inside a transaction.
    """
    lease = _claim(delivery_id)
    if lease is None:
        return False
    delivery = (
        Delivery.objects.select_related("event", "webhook__repository__namespace")
        .filter(pk=delivery_id)
        .first()
    )
    if delivery is None:
        return True
    headers: dict[str, str] = {}
    body = b""
    obstacle = _obstacle(delivery)
    if obstacle:
        outcome = Outcome(error=obstacle, final=True)
    else:
        body = render(delivery)
        headers = signed_headers(delivery, body, now=datetime.now(UTC))
        outcome = _try(delivery, headers, body)
    attempt = Attempt(
        delivery=delivery,
        request_headers=outcomes.kept_request_headers(headers),
        request_body=body.decode(),
        duration_ms=outcome.duration_ms,
        status=outcome.status,
        response_headers=outcome.response_headers,
        response_excerpt=outcome.response_excerpt,
        response_size=outcome.response_size,
        error=outcome.error,
    )
    _settle(attempt, outcome, lease)
    return True


def deliver_due() -> int:
    """Make the tries that nobody was woken for, one after another; returns how many.

    Takes small batches for about half a minute; the rest is the next sweep's.
    """
    ends_at = time.monotonic() + SWEEP_S
    done = 0
    while batch := list(
        _due().order_by("next_attempt_at").values_list("pk", flat=True)[:SWEEP_BATCH]
    ):
        for pk in batch:
            done += deliver(pk)
            if time.monotonic() >= ends_at:
                return done
    return done


def _due() -> QuerySet[Delivery]:
    """What may be tried now and is nobody's."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    return Delivery.objects.filter(free, state=Delivery.State.DUE, next_attempt_at__lte=now)


def _claim(delivery_id: int) -> datetime | None:
    """Take the lease; its end tells it from any other. None if the row is not free or not due."""
    lease = timezone.now() + timedelta(seconds=settings.HUB.webhook_timeout_s + LEASE_MARGIN_S)
    claimed = (
        _due()
        .filter(pk=delivery_id)
        .update(lease_until=lease, attempt_count=F("attempt_count") + 1)
    )
    return lease if claimed else None


def _obstacle(delivery: Delivery) -> str:
    """Why this must not be sent any more, in a sentence; empty when nothing is in the way."""
    hook = delivery.webhook
    if delivery.attempt_count > len(settings.HUB.webhook_retry_delays_s) + 1:
        return "Not sent again: the tries before were interrupted and may have arrived."
    if not hook.active:
        return "Not sent: the webhook was switched off in the meantime."
    if not hook.repository.is_active and delivery.event.kind != "repository.deleted":
        return "Not sent: the repository was deleted in the meantime."
    principal = ANONYMOUS
    if hook.created_by_id is not None:
        user = User.objects.filter(pk=hook.created_by_id, is_active=True).first()
        if user is None:
            return "Not sent: the account that made this webhook is no longer active."
        principal = principal_of(user)
    if not decide(principal, "pull", hook.repository).allowed:
        return (
            "Not sent: whoever made this webhook may no longer read the repository. Another "
            "administrator can make it anew."
        )
    return ""


def _try(delivery: Delivery, headers: dict[str, str], body: bytes) -> Outcome:
    hub = settings.HUB
    started = time.monotonic()
    try:
        answer = send(
            delivery.webhook.url,
            headers=headers,
            body=body,
            allow=networks(hub.webhook_allow_networks),
            deadlines=Deadlines(total_s=hub.webhook_timeout_s),
        )
    except OutboundError as error:
        return outcomes.of_error(error, duration_ms=round((time.monotonic() - started) * 1000))
    return outcomes.of_answer(answer, now=datetime.now(UTC))


def _settle(attempt: Attempt, outcome: Outcome, lease: datetime) -> None:
    """Keep the try and what follows from it, in one transaction.

    The state is only ours to change while the lease is: a slow worker whose lease ran out must
    not undo what its successor or a redelivery has written.
    """
    with transaction.atomic():
        row = Delivery.objects.select_for_update(no_key=True).filter(pk=attempt.delivery_id).first()
        if row is None:
            return  # the webhook was deleted meanwhile
        attempt.save()
        if row.lease_until != lease:
            return
        row.lease_until = None
        delay_s = outcomes.next_delay_s(row.attempt_count, outcome.retry_after_s)
        if outcome.succeeded:
            row.state = Delivery.State.DONE
        elif outcome.final or delay_s is None:
            row.state = Delivery.State.GAVE_UP
            log.info("delivery %s given up after %d tries", row.uid, row.attempt_count)
        else:
            row.next_attempt_at = timezone.now() + timedelta(seconds=delay_s)
            if delay_s < WAKE_WITHIN_S:
                wake("webhooks.tasks.deliver", row.pk, countdown_s=delay_s)
        row.save(update_fields=["state", "lease_until", "next_attempt_at"])
