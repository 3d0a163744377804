"""What the audit log keeps of webhooks and what is done with them."""

from __future__ import annotations

from typing import Any

from events.services import audit
from events.types import Actor
from webhooks.checking import FILTERS
from webhooks.models import Webhook
from webhooks.signing import headers_of
from webhooks.standing import host_shown


def shown(webhook: Webhook) -> dict[str, Any]:
    """What history keeps of a webhook: no secret, and of the address only where it leads.

    Many receivers take a path or a query for a password.
    """
    return {
        "name": webhook.name,
        "host": host_shown(webhook.url),
        "events": list(webhook.events),
        **{name: getattr(webhook, name) for name in FILTERS},
        "format": str(webhook.format),
        "headers": sorted(headers_of(webhook)),
        "client_certificate": bool(webhook.client_certificate),
        "active": webhook.active,
    }


_UNSEEN = {
    "url": "address_changed",
    "template": "template_changed",
    "headers": "headers_changed",
    "client_certificate": "certificate_changed",
}


def audit_change(webhook: Webhook, actor: Actor, before: dict[str, Any], changed: set[str]) -> None:
    if "secret" in changed:
        audit_webhook("webhook.secret_changed", webhook, actor)
    if not changed - {"secret", "previous_secret", "previous_until"}:
        return
    after = shown(webhook)
    names = [name for name in after if before[name] != after[name]]
    audit_webhook(
        "webhook.changed",
        webhook,
        actor,
        before={name: before[name] for name in names},
        after={name: after[name] for name in names},
        **{told: True for name, told in _UNSEEN.items() if name in changed},
    )


def audit_webhook(kind: str, webhook: Webhook, actor: Actor, **payload: object) -> None:
    """Note what was done with a webhook, in the logs of its owner."""
    repository, namespace = webhook.repository, webhook.namespace
    audit(
        kind,
        actor=actor,
        repository_id=repository.pk if repository else None,
        repository_path=repository.path if repository else "",
        namespace_id=repository.namespace_id if repository else namespace.pk if namespace else None,
        payload={"webhook_id": webhook.pk, **payload},
    )
