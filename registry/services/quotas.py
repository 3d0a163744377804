"""Warning of quotas: once when what a namespace holds passes a mark, and again only after less.

Looked at where events are dispatched, so that no push waits for the sum.
"""

from __future__ import annotations

from django.db.models import Sum

from accounts.models import Namespace
from events.models import Event
from events.services import record
from events.types import SYSTEM
from registry.models import Blob

MARKS = (80, 100)  # percent


def on_event(event: Event) -> None:
    """Handler: after a push, see whether a quota that is set is nearly or wholly used."""
    if event.kind != "tag.moved" or event.namespace_id is None:
        return
    namespace = Namespace.objects.filter(pk=event.namespace_id, quota_bytes__isnull=False).first()
    if namespace is not None and namespace.quota_bytes is not None:
        _look(namespace, namespace.quota_bytes)


def used_bytes(namespace: Namespace) -> int:
    """Bytes of the distinct blobs in a namespace's repositories."""
    held = Blob.objects.filter(links__repository__namespace=namespace).values("pk")
    total = Blob.objects.filter(pk__in=held).aggregate(bytes=Sum("size"))
    return total["bytes"] or 0


def _look(namespace: Namespace, quota: int) -> None:
    used = used_bytes(namespace)
    passed = max((mark for mark in MARKS if used * 100 >= quota * mark), default=0)
    before = namespace.quota_told
    if passed == before:
        return
    rows = Namespace.objects.filter(pk=namespace.pk, quota_told=before)
    if rows.update(quota_told=passed) and passed > before:
        record(
            "quota.warning",
            actor=SYSTEM,
            namespace_id=namespace.pk,
            payload={
                "namespace": namespace.name,
                "percent": passed,
                "used_bytes": used,
                "quota_bytes": quota,
            },
        )
