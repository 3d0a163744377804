"""Making and changing webhooks, and asking for deliveries. Callers have decided who may; `recheck`
decides again under the owner's lock."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from core.errors import NotFound
from events.types import Actor
from webhooks import claims
from webhooks.auditing import audit_change, audit_webhook, shown
from webhooks.checking import (
    MAX_GLOB_CHARS,
    MAX_SECRET_CHARS,
    checked,
    invalid,
)
from webhooks.errors import TooManyWebhooks
from webhooks.models import Webhook
from webhooks.owners import Owner, Recheck, locked, no_recheck, owner_of
from webhooks.promotions import drop_those_of
from webhooks.resending import ping, redeliver, redeliver_all
from webhooks.signing import WHSEC
from webhooks.types import PUSH

__all__ = [
    "MAX_GLOB_CHARS",
    "MAX_SECRET_CHARS",
    "create_webhook",
    "delete_webhook",
    "ping",
    "redeliver",
    "redeliver_all",
    "resume",
    "rotate_secret",
    "switch_off",
    "update_webhook",
]
MAX_WEBHOOKS = 20  # of one owner
DAY = timedelta(days=1)
MAX_OVERLAP = timedelta(days=30)


class Settings(TypedDict, total=False):
    """What a webhook may be given; in a change None stands for what it has.

    `events` are names of `webhooks.types.EVENTS`; filters are patterns (`webhooks.filters`), empty
    for all; `headers` are all of its own, a value of None keeps what a header has;
    `client_certificate` is PEM with its key.
    """

    name: str | None
    secret: str | None
    events: Sequence[str] | None
    tag_filter: str | None
    platform_filter: str | None
    actor_filter: str | None
    media_type_filter: str | None
    format: str | None
    template: str | None
    headers: Mapping[str, str | None] | None
    client_certificate: str | None
    active: bool | None


_NEW: Settings = {"secret": "", "events": (PUSH,), "format": Webhook.Format.DOCKERHUB}


def create_webhook(
    owner: Owner,
    *,
    actor: Actor,
    url: str,
    recheck: Recheck = no_recheck,
    **settings: Unpack[Settings],
) -> Webhook:
    """Add a webhook: told of pushes, in Docker Hub's format, unless `settings` say otherwise; an
    empty `secret` gets a fresh `whsec_…` one.

    Locks the owner. Raises WebhookInvalid, AddressInvalid, AddressRefused, TooManyWebhooks, and
    what `recheck` raises.
    """
    values = checked({"url": url, **_NEW, **_given(settings)})
    values["secret"] = values["secret"] or _new_secret()
    with locked(owner, recheck) as held:
        if held.webhooks().count() >= MAX_WEBHOOKS:
            raise TooManyWebhooks(
                f"There may be at most {MAX_WEBHOOKS} webhooks here; delete one that nobody needs."
            )
        webhook = Webhook.objects.create(
            repository=held.repository,
            namespace=held.namespace,
            created_by_id=actor.id,
            **values,
        )
        audit_webhook("webhook.created", webhook, actor, after=shown(webhook))
        return webhook


def update_webhook(
    webhook: Webhook,
    *,
    actor: Actor,
    url: str | None = None,
    recheck: Recheck = no_recheck,
    **settings: Unpack[Settings],
) -> Webhook:
    """Change what is given and leave the rest; raises as `create_webhook`, and NotFound.

    An empty `secret` leaves the present one, which is never shown again and so cannot be sent
    back; another one holds at once, `rotate_secret` lets both hold for a while. Values of headers
    are kept unless the address leads to another host. An unchanged address is checked again.
    """
    given = _given({**settings, "secret": settings.get("secret") or None})
    if url is not None:
        given["url"] = url
    with locked(owner_of(webhook), recheck):
        row = _held(webhook)
        values = checked(given, row)
        changed = {n: value for n, value in values.items() if getattr(row, n) != value}
        if "secret" in changed:
            changed |= {"previous_secret": "", "previous_until": None}
        if changed:
            before = shown(row)
            again = {"url", "active"} & set(changed)
            fresh = {"failing_since": None, "warned_at": None} if again else {}
            _save(webhook, row, changed | fresh)
            if "url" in changed:
                claims.move(row)
            audit_change(row, actor, before, set(changed))
    return row


def switch_off(webhook: Webhook, *, actor: Actor, recheck: Recheck = no_recheck) -> None:
    """Send it nothing more, whatever else its settings say; also of an owner that is gone."""
    before = shown(webhook)
    with transaction.atomic():
        recheck(owner_of(webhook))
        if Webhook.objects.filter(pk=webhook.pk, active=True).update(active=False):
            webhook.active = False
            audit_change(webhook, actor, before, {"active"})


def delete_webhook(webhook: Webhook, *, actor: Actor, recheck: Recheck = no_recheck) -> None:
    """Remove a webhook together with its deliveries; one being sent just now still arrives.

    What it reported stays with the images; promotions that need it are removed.
    """
    with locked(owner_of(webhook), recheck):
        row = _held(webhook)
        drop_those_of(row, actor)
        audit_webhook("webhook.deleted", row, actor, before=shown(row))
        row.delete()


def rotate_secret(
    webhook: Webhook,
    *,
    actor: Actor,
    secret: str = "",
    overlap: timedelta = DAY,
    recheck: Recheck = no_recheck,
) -> str:
    """Give it another secret, a fresh one unless it is given; returns it, to be shown this once.

    For `overlap`, at most 30 days, the one of before signs too. Raises WebhookInvalid.
    """
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise invalid("overlap", f"The former secret holds for {MAX_OVERLAP.days} days at most.")
    fresh = str(checked({"secret": secret})["secret"]) or _new_secret()
    with locked(owner_of(webhook), recheck):
        row = _held(webhook)
        values = {
            "secret": fresh,
            "previous_secret": row.secret if overlap else "",
            "previous_until": timezone.now() + overlap if overlap else None,
        }
        _save(webhook, row, values)
        audit_webhook("webhook.secret_changed", row, actor, overlap_s=int(overlap.total_seconds()))
    return fresh


def resume(webhook: Webhook, *, actor: Actor, recheck: Recheck = no_recheck) -> Webhook:
    """End a pause: what happens from now on is sent again, and what it still owes."""
    with locked(owner_of(webhook), recheck):
        row = _held(webhook)
        if row.paused_at is not None:
            ended = dict.fromkeys(("paused_at", "failing_since", "warned_at"))
            _save(webhook, row, ended)
            audit_webhook("webhook.resumed", row, actor)
    return row


def _given(settings: Settings) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _held(webhook: Webhook) -> Webhook:
    """The row as it is now; raises NotFound."""
    row = owner_of(webhook).webhooks().filter(pk=webhook.pk).first()
    if row is None:
        raise NotFound("There is no such webhook.")
    return row


def _save(webhook: Webhook, row: Webhook, values: dict[str, Any]) -> None:
    """Into the row that is held, and into the caller's as well."""
    for name, value in values.items():
        setattr(row, name, value)
        setattr(webhook, name, value)
    row.save(update_fields=list(values))


def _new_secret() -> str:
    return WHSEC + base64.b64encode(secrets.token_bytes(24)).decode()
