"""A delivery and its attempts as pages show them."""

from __future__ import annotations

import json
import shlex
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from webhooks import selectors
from webhooks.models import Attempt, Delivery, Webhook
from webhooks.outcomes import NOT_SHOWN
from webhooks.types import name_of

STATES = {
    "due": gettext_lazy("On its way"),
    "done": gettext_lazy("Delivered"),
    "gave_up": gettext_lazy("Failed"),
}
_SOON = timedelta(minutes=1)
# Shortened in what is kept, hence made anew by the copied command, or left out.
_SIGNATURE, _LEFT_OUT = "x-hub-signature-256", frozenset({"webhook-signature"})


def row_of(delivery: Delivery) -> dict[str, Any]:
    """A delivery as lists show it; costs no query on rows of the selectors."""
    return {
        "delivery": delivery,
        "event": name_of(delivery.event.kind),
        "tag": delivery.event.payload.get("tag", ""),
        "path": delivery.event.repository_path,
        "state": state_of(delivery),
        "last": selectors.last_attempt(delivery),
        "most_tries": len(settings.HUB.webhook_retry_delays_s) + 1,
    }


def state_of(delivery: Delivery) -> str:
    """One word for templates: waiting, sending, retrying, done or gave_up."""
    if delivery.state != Delivery.State.DUE:
        return str(delivery.state)
    if delivery.lease_until and delivery.lease_until > timezone.now():
        return "sending"
    return "retrying" if delivery.attempt_count else "waiting"


def poll_interval(delivery: Delivery) -> str:
    """How often a page looks again; empty once nothing will change by itself."""
    if delivery.state != Delivery.State.DUE:
        return ""
    return "2s" if delivery.next_attempt_at < timezone.now() + _SOON else "30s"


def tries_of(webhook: Webhook, attempts: list[Attempt]) -> list[dict[str, Any]]:
    """Every try with what it means, the newest first."""
    slowest = max((attempt.duration_ms for attempt in attempts), default=0)
    tries = [
        {
            "number": number,
            "attempt": attempt,
            "explained": explained(attempt),
            "not_shown": attempt.response_excerpt == NOT_SHOWN,
            "body": indented(attempt.request_body),
            "curl": curl(webhook, attempt),
            "slowest": slowest,
        }
        for number, attempt in enumerate(attempts, start=1)
    ]
    return tries[::-1]


def explained(attempt: Attempt) -> str:
    """What an answer means and where to look; empty for a success."""
    status = attempt.status
    if attempt.error or status is None:
        return attempt.error or _("No answer came.")
    if 200 <= status < 300:
        return ""
    if status in (401, 403):
        return _(
            "The receiver refused the request. Compare its secret or credentials with this webhook."
        )
    if status in (404, 410):
        return _("The receiver is there, but has nothing at this address. Check the path.")
    if status == 413:
        return _("The message is too long for the receiver. Choose a shorter format.")
    if status in (400, 415, 422):
        return _("The receiver did not understand the message. Check the format it expects.")
    if status in (408, 425, 429):
        return _("The receiver is busy and asks to come back later.")
    if status >= 500:
        return _("The receiver is reachable but could not handle the request. Look into its log.")
    return _("The receiver did not accept the request. Look into its log.")


def curl(webhook: Webhook, attempt: Attempt) -> str:
    """The same request for a shell; it signs the body anew with `$HUB_SECRET`."""
    lines = [f"curl -X POST {shlex.quote(webhook.url)}"]
    for name, value in attempt.request_headers.items():
        if name.lower() == _SIGNATURE:
            digest = 'printf %s "$body" | openssl dgst -sha256 -hmac "$HUB_SECRET" -r | cut -c1-64'
            lines.append(f'  -H "{name}: sha256=$({digest})"')
        elif name.lower() not in _LEFT_OUT:
            lines.append(f"  -H {shlex.quote(f'{name}: {value}')}")
    lines.append('  --data-binary "$body"')
    body = f"# HUB_SECRET holds the secret\nbody={shlex.quote(attempt.request_body)}\n"
    return body + " \\\n".join(lines)


def indented(body: str) -> str:
    """JSON as people read it; anything else as it is."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        return body
