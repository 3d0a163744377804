"""One try at a time: claim, look again, send outside any transaction, note how it went.

The row is the truth. A claim is a lease: whoever dies in between leaves it to run out, and the
sweep tries again. So a receiver may get an event twice, and never not at all without a trace.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

from core.errors import HubError
from core.http import Deadlines, OutboundError, send
from core.netguard import networks
from core.prepared import Prepared, insert
from events.wake import wake
from webhooks import breaker, outcomes, pausing
from webhooks.claims import Lease
from webhooks.formats import Rendered, render
from webhooks.models import Attempt, Delivery
from webhooks.outcomes import Outcome
from webhooks.permits import obstacle, subject_of
from webhooks.signing import headers_of, secret_names, signed_headers
from webhooks.tls import client_context

WAKE_WITHIN_S = 15 * 60

log = logging.getLogger(__name__)


def use(lease: Lease) -> None:
    """Make the try that was claimed, and keep what came of it."""
    delivery = lease.delivery
    headers: dict[str, str] = {}
    rendered = Rendered(b"")
    refused = _obstacle(delivery)
    if refused:
        outcome = Outcome(error=refused, final=True, sent=False)
    else:
        try:
            rendered = render(delivery)
            headers = signed_headers(delivery, rendered, now=datetime.now(UTC))
        except HubError as error:  # a template that does not fill, say: no try would help
            outcome = Outcome(error=f"Not sent: {error.message}"[:300], final=True, sent=False)
        else:
            outcome = _try(delivery, headers, rendered)
    attempt = Attempt(
        delivery=delivery,
        request_headers=outcomes.kept_request_headers(headers, secret_names(delivery.webhook)),
        request_body=rendered.body.decode(),
        duration_ms=outcome.duration_ms,
        status=outcome.status,
        response_headers=outcome.response_headers,
        response_excerpt=outcome.response_excerpt,
        response_size=outcome.response_size,
        error=outcome.error,
    )
    _settle(attempt, outcome, lease)


def _obstacle(delivery: Delivery) -> str:
    """Why this must not be sent any more, in a sentence; empty when nothing is in the way."""
    if delivery.attempt_count > len(settings.HUB.webhook_retry_delays_s) + 1:
        return "Not sent again: the tries before were interrupted and may have arrived."
    if delivery.webhook.paused_at is not None:
        return pausing.PAUSED
    return obstacle(delivery, subject_of(delivery))


def _try(delivery: Delivery, headers: dict[str, str], rendered: Rendered) -> Outcome:
    hub = settings.HUB
    started = time.monotonic()
    try:
        answer = send(
            rendered.url,
            headers=headers,
            body=rendered.body,
            allow=networks(hub.webhook_allow_networks),
            deadlines=Deadlines(total_s=hub.webhook_timeout_s),
            tls=client_context(delivery.webhook.client_certificate),
        )
    except OutboundError as error:
        return outcomes.of_error(error, duration_ms=round((time.monotonic() - started) * 1000))
    secrets = headers_of(delivery.webhook).values()
    return outcomes.of_answer(answer, now=datetime.now(UTC), secrets=secrets)


def _settle(attempt: Attempt, outcome: Outcome, lease: Lease) -> None:
    """Keep the try and what follows from it, in one transaction.

    The state is only ours to change while the lease is: a slow worker whose lease ran out must
    not undo what its successor or a redelivery has written.
    """
    with transaction.atomic():
        row = _LOCKED.first(attempt.delivery_id)
        if row is None:
            return  # the webhook was deleted meanwhile
        insert(attempt)
        if outcome.sent:
            _note_host(lease.host, outcome)
        if row.lease_until != lease.until:
            return
        over = _note_webhook(lease, outcome) if outcome.sent else False
        delay_s = outcomes.next_delay_s(row.attempt_count, outcome.retry_after_s)
        if outcome.succeeded:
            row.state = Delivery.State.DONE
        elif outcome.final or over or delay_s is None:
            row.state = Delivery.State.GAVE_UP
            log.info("delivery %s given up after %d tries", row.uid, row.attempt_count)
        else:
            row.next_attempt_at = timezone.now() + timedelta(seconds=delay_s)
            if delay_s < WAKE_WITHIN_S:
                wake("webhooks.tasks.deliver", row.pk, countdown_s=delay_s)
        _keep(row)


def _keep(row: Delivery) -> None:
    moment = connection.ops.adapt_datetimefield_value(row.next_attempt_at)
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [row.state, moment, row.pk])


def _note_host(host: str, outcome: Outcome) -> None:
    """Count for the host's circuit breaker, and come back when it lets a try through."""
    if not outcome.host_failed:
        if outcome.status is not None:
            breaker.succeeded(host)
        return
    closed_s = breaker.failed(host)
    if closed_s:
        wake("webhooks.tasks.visit", [host], countdown_s=closed_s)


def _note_webhook(lease: Lease, outcome: Outcome) -> bool:
    """Count for the webhook's pause; returns whether nothing more is to be sent to it."""
    webhook = lease.delivery.webhook
    if outcome.succeeded:
        pausing.succeeded(webhook)
        return False
    if outcome.gone:
        pausing.gone(webhook)
        return True
    return pausing.failed(webhook, timezone.now())


_LOCKED = Prepared(
    lambda pk: Delivery.objects.select_for_update(no_key=True).filter(pk=pk),
    models.BigAutoField(),
)
_KEEP = """
UPDATE webhooks_delivery SET state = %s, next_attempt_at = %s, lease_until = NULL WHERE id = %s
"""
