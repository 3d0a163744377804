"""Making and changing webhooks, and asking for deliveries. Callers have decided who may."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from core.http import AddressInvalid, AddressRefused, NameUnresolved, check_url
from core.netguard import networks
from events.services import audit, record
from events.types import Actor
from events.wake import wake
from repos.models import Repository
from webhooks.errors import DeliveryBusy, TooManyWebhooks, WebhookInactive, WebhookInvalid
from webhooks.models import Delivery, Webhook
from webhooks.payloads import WHSEC
from webhooks.sending import deliver, deliver_due
from webhooks.types import EVENTS, PING_KIND

__all__ = [
    "create_webhook",
    "delete_webhook",
    "deliver",
    "deliver_due",
    "ping",
    "redeliver",
    "switch_off",
    "update_webhook",
]
MAX_WEBHOOKS = 20
MAX_GLOB_CHARS = 200
MAX_SECRET_CHARS = 200


def create_webhook(
    repository: Repository,
    *,
    actor: Actor,
    url: str,
    secret: str = "",
    events: Sequence[str] = ("push",),
    tag_filter: str = "",
    format: str = Webhook.Format.DOCKERHUB,
    active: bool = True,
) -> Webhook:
    """Add a webhook; an empty `secret` gets a fresh `whsec_…` one.

    `events` are names of `webhooks.types.EVENTS`, `tag_filter` a case-sensitive glob over tags,
    empty for all. Locks the repository's row. Raises WebhookInvalid, AddressInvalid,
    AddressRefused, TooManyWebhooks.
    """
    values = _checked(
        {
            "url": url,
            "secret": secret,
            "events": events,
            "tag_filter": tag_filter,
            "format": format,
        }
    )
    values["secret"] = secret or _new_secret()
    with transaction.atomic():
        Repository.objects.select_for_update(no_key=True).get(pk=repository.pk)
        if Webhook.objects.filter(repository=repository).count() >= MAX_WEBHOOKS:
            raise TooManyWebhooks(f"A repository may have at most {MAX_WEBHOOKS} webhooks.")
        webhook = Webhook.objects.create(
            repository=repository, created_by_id=actor.id, active=active, **values
        )
        _audit("webhook.created", webhook, actor, after=_shown(webhook))
        return webhook


def update_webhook(
    webhook: Webhook,
    *,
    actor: Actor,
    url: str | None = None,
    secret: str | None = None,
    events: Sequence[str] | None = None,
    tag_filter: str | None = None,
    format: str | None = None,
    active: bool | None = None,
) -> Webhook:
    """Change what is given and leave the rest; raises as `create_webhook`.

    An empty `secret` leaves the present one, which is never shown again and so cannot be sent
    back. An unchanged address is checked again.
    """
    given = {
        "url": url,
        "secret": secret or None,
        "events": events,
        "tag_filter": tag_filter,
        "format": format,
        "active": active,
    }
    values = _checked({name: value for name, value in given.items() if value is not None})
    changed = {name: value for name, value in values.items() if getattr(webhook, name) != value}
    if not changed:
        return webhook
    before = _shown(webhook)
    with transaction.atomic():
        for name, value in changed.items():
            setattr(webhook, name, value)
        webhook.save(update_fields=list(changed))
        _audit_change(webhook, actor, before, changed)
    return webhook


def switch_off(webhook: Webhook, *, actor: Actor) -> None:
    """Send it nothing more, whatever else its settings say."""
    before = _shown(webhook)
    with transaction.atomic():
        if Webhook.objects.filter(pk=webhook.pk, active=True).update(active=False):
            webhook.active = False
            _audit_change(webhook, actor, before, {"active": False})


def delete_webhook(webhook: Webhook, *, actor: Actor) -> None:
    """Remove a webhook together with its deliveries; one being sent just now still arrives."""
    with transaction.atomic():
        _audit("webhook.deleted", webhook, actor, before=_shown(webhook))
        webhook.delete()


def ping(webhook: Webhook, *, actor: Actor) -> Delivery:
    """Owe this webhook, and no other, a test event; raises WebhookInactive.

    The event names no repository: others who follow the repository need not know of webhooks.
    """
    if not webhook.active:
        raise WebhookInactive("This webhook is switched off; switch it on to test it.")
    with transaction.atomic():
        event = record(PING_KIND, actor=actor, payload={"webhook_id": webhook.pk})
        delivery = Delivery.objects.create(
            webhook=webhook, event=event, next_attempt_at=timezone.now()
        )
        wake("webhooks.tasks.deliver", delivery.pk)
    return delivery


def redeliver(delivery: Delivery) -> Delivery:
    """Send once more, with the same event id and all tries anew; raises DeliveryBusy."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    with transaction.atomic():
        changed = Delivery.objects.filter(free, pk=delivery.pk).update(
            state=Delivery.State.DUE, attempt_count=0, next_attempt_at=now, lease_until=None
        )
        if not changed:
            raise DeliveryBusy("This delivery is being sent just now; look again in a moment.")
        wake("webhooks.tasks.deliver", delivery.pk)
    delivery.refresh_from_db(fields=["state", "attempt_count", "next_attempt_at", "lease_until"])
    return delivery


def _shown(webhook: Webhook) -> dict[str, object]:
    """What history keeps of a webhook: no secret, and of the address only where it leads.

    Many receivers take a path or a query for a password.
    """
    return {
        "host": urlsplit(webhook.url).netloc.rpartition("@")[2],
        "events": list(webhook.events),
        "tag_filter": webhook.tag_filter,
        "format": str(webhook.format),
        "active": webhook.active,
    }


def _audit_change(
    webhook: Webhook, actor: Actor, before: dict[str, object], changed: dict[str, object]
) -> None:
    if "secret" in changed:
        _audit("webhook.secret_changed", webhook, actor)
    if set(changed) == {"secret"}:
        return
    after = _shown(webhook)
    names = [name for name in after if before[name] != after[name]]
    _audit(
        "webhook.changed",
        webhook,
        actor,
        before={name: before[name] for name in names},
        after={name: after[name] for name in names},
        address_changed="url" in changed,
    )


def _audit(kind: str, webhook: Webhook, actor: Actor, **payload: object) -> None:
    repository = webhook.repository
    audit(
        kind,
        actor=actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        namespace_id=repository.namespace_id,
        payload={"webhook_id": webhook.pk, **payload},
    )


def _checked(values: dict[str, object]) -> dict[str, object]:
    """The same values, ready to be stored; only the fields that are given are looked at."""
    if "url" in values:
        _check_address(str(values["url"]))
    if "events" in values:
        values["events"] = _known_events(values["events"])
    if len(str(values.get("secret", ""))) > MAX_SECRET_CHARS:
        raise _invalid("secret", f"A secret may have at most {MAX_SECRET_CHARS} characters.")
    glob = str(values.get("tag_filter", ""))
    if len(glob) > MAX_GLOB_CHARS or not glob.isprintable():
        raise _invalid(
            "tag_filter", f"A tag filter is one line of at most {MAX_GLOB_CHARS} characters."
        )
    if values.get("format", Webhook.Format.DOCKERHUB) not in Webhook.Format.values:
        raise _invalid("format", f"A format is one of: {', '.join(Webhook.Format.values)}.")
    return values


def _check_address(url: str) -> None:
    try:
        check_url(url, networks(settings.HUB.webhook_allow_networks))
    except NameUnresolved:
        return  # perhaps not running yet; each delivery resolves and checks again
    except (AddressInvalid, AddressRefused) as error:
        error.detail = {"field": "url"}
        raise


def _known_events(given: object) -> list[str]:
    if not isinstance(given, list | tuple) or not given:
        raise _invalid("events", "Choose at least one event.")
    names = list(dict.fromkeys(str(name) for name in given))
    unknown = [name[:60] for name in names if name not in EVENTS]
    if unknown:
        raise _invalid(
            "events", f"Unknown event: {', '.join(unknown)}. Known are: {', '.join(EVENTS)}."
        )
    return names


def _invalid(field: str, sentence: str) -> WebhookInvalid:
    return WebhookInvalid(sentence, detail={"field": field})


def _new_secret() -> str:
    return WHSEC + base64.b64encode(secrets.token_bytes(24)).decode()
