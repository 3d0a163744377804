"""What follows when a webhook does nothing but fail: people are told, and in the end it stops."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q

from accounts.models import Membership, Namespace, User
from accounts.services.mail import post
from events.services import audit, record
from events.types import SYSTEM
from repos.models import Collaborator, Role
from webhooks.claims import host_of
from webhooks.models import Attempt, Webhook

WARN_AFTER = timedelta(hours=1)
MOST_KEEPERS = 50
PAUSED = (
    "Not sent: the webhook was paused because its receiver did nothing but fail for days. Resume "
    "it and send this again."
)
GONE = (
    "Not sent: the receiver had answered that it is gone (410), so the webhook was switched off. "
    "Switch it on and send this again if that was a mistake."
)
_BATCH = 500
# One statement: what is claimed between two would be said not to have been sent.
_GIVE_UP = """
UPDATE webhooks_delivery SET state = 'gave_up'
WHERE webhook_id = %s AND state = 'due' AND lease_until IS NULL
RETURNING id
"""
_WORKS = """
UPDATE webhooks_webhook SET failing_since = NULL, warned_at = NULL
WHERE id = %s AND failing_since IS NOT NULL
"""


def succeeded(webhook: Webhook) -> None:
    """A delivery arrived: the webhook is not failing."""
    with connection.cursor() as cursor:
        cursor.execute(_WORKS, [webhook.pk])


def failed(webhook: Webhook, now: datetime) -> bool:
    """Note a failed try; returns whether the webhook is paused now.

    After an hour of failures `webhook.failing` is recorded once, after
    `HUB_WEBHOOK_PAUSE_AFTER_DAYS` it is paused, its administrators get a mail, and what waits for
    it is given up. Call it inside the transaction that keeps the try.
    """
    row = _locked(webhook)
    if row is None or not row.is_on:
        return row is not None and row.paused_at is not None
    if row.failing_since is None:
        row.failing_since = now
        row.save(update_fields=["failing_since"])
        return False
    days = settings.HUB.webhook_pause_after_days
    if days and now - row.failing_since >= timedelta(days=days):
        row.paused_at = now
        row.save(update_fields=["paused_at"])
        record("webhook.paused", **_facts(row))
        _give_up_waiting(row, PAUSED)
        _write(row, "webhook_paused", {"days": days})
        return True
    if row.warned_at is None and now - row.failing_since >= WARN_AFTER:
        row.warned_at = now
        row.save(update_fields=["warned_at"])
        record("webhook.failing", **_facts(row))
    return False


def gone(webhook: Webhook) -> None:
    """The receiver answered 410: switch the webhook off, and say so in the audit log and by mail.

    Call it inside the transaction that keeps the try.
    """
    row = _locked(webhook)
    if row is None or not row.active:
        return
    row.active = False
    row.save(update_fields=["active"])
    audit("webhook.gone", **_facts(row))
    _give_up_waiting(row, GONE)
    _write(row, "webhook_gone", {})


def keepers(webhook: Webhook) -> list[User]:
    """Who looks after it: the repository's administrators, the namespace's owners, or those of the
    server. Whoever can be written to: active, with a confirmed address."""
    if webhook.repository is not None:
        namespace = webhook.repository.namespace
        given = Collaborator.objects.filter(repository=webhook.repository, role=Role.ADMIN)
        who = _owners(namespace) | Q(pk__in=given.values("user"))
    elif webhook.namespace is not None:
        who = _owners(webhook.namespace)
    else:
        who = Q(is_superuser=True)
    reachable = User.objects.filter(who, is_active=True, is_verified=True).exclude(email="")
    return list(reachable.order_by("pk")[:MOST_KEEPERS])


def page_of(webhook: Webhook) -> str:
    """The path of its page."""
    if webhook.repository is not None:
        return f"/{webhook.repository.path}/-/webhooks/{webhook.pk}"
    if webhook.namespace is not None:
        return f"/{webhook.namespace.name}/-/webhooks/{webhook.pk}"
    return f"/admin/webhooks/{webhook.pk}"


def _owners(namespace: Namespace) -> Q:
    if namespace.organization_id is None:
        return Q(pk=namespace.user_id)
    owners = Membership.objects.filter(
        organization_id=namespace.organization_id, role=Membership.Role.OWNER
    )
    return Q(pk__in=owners.values("user"))


def _locked(webhook: Webhook) -> Webhook | None:
    """The row as it is now, nobody else's to change until the transaction ends."""
    rows = Webhook.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("repository__namespace", "namespace").filter(pk=webhook.pk).first()


def _facts(webhook: Webhook) -> dict[str, Any]:
    repository, namespace_id = webhook.repository, webhook.namespace_id
    return {
        "actor": SYSTEM,
        "repository_id": None if repository is None else repository.pk,
        "repository_path": "" if repository is None else repository.path,
        "namespace_id": namespace_id if repository is None else repository.namespace_id,
        "payload": {"webhook_id": webhook.pk, "host": host_of(webhook.url)},
    }


def _give_up_waiting(webhook: Webhook, sentence: str) -> None:
    """End what waits; what is being sent just now ends by itself."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_UP, [webhook.pk])
        keys = sorted(key for (key,) in cursor.fetchall())
    Attempt.objects.bulk_create(
        (Attempt(delivery_id=key, duration_ms=0, request_body="", error=sentence) for key in keys),
        batch_size=_BATCH,
    )


def _write(webhook: Webhook, template: str, more: dict[str, object]) -> None:
    owner = webhook.repository or webhook.namespace
    known = {
        "receiver": host_of(webhook.url),
        "webhook": webhook,
        "owner": "" if owner is None else getattr(owner, "path", str(owner)),
        "path": page_of(webhook),
        "since": webhook.failing_since,
    }
    for person in keepers(webhook):
        post(person.email, template, known | more | {"name": person.username})
