"""Is the process up, can it work, and a few figures in Prometheus' text format."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.models import Exists, OuterRef, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.authentication import principal_from
from core.address import client_address
from core.errors import HubError, NotFound
from events.models import Event, QueueMessage, Tick
from registry.models import Blob, BlobLink, DiscardedObject, TagMove, UploadSession
from repos.models import Repository
from storage.factory import get_store
from webhooks.models import Delivery

PROBE_EVERY_S = 10


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Database, store and broker, one line each; 503 unless all answer."""
    found = states()
    ready = all(line == "ok" for line in found.values())
    return JsonResponse(found, status=200 if ready else 503)


def states() -> dict[str, str]:
    """`ok`, or what failed, for each thing the hub needs."""
    return {name: _ask(check) for name, check in _CHECKS.items()}


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Gauges read from the database, for this machine and for superusers."""
    address = client_address(request.META, settings.HUB.trusted_proxies)
    if not (address in ("127.0.0.1", "::1") or principal_from(request).is_superuser):
        raise NotFound("There is nothing here that you may see.")
    lines = [f"# TYPE hub_{name} gauge\nhub_{name} {value}" for name, value in _gauges()]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")


def _ask(check: Callable[[], None]) -> str:
    try:
        check()
    except (HubError, DatabaseError, OSError) as error:
        return f"failed: {type(error).__name__}"
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _store() -> None:
    """Write, look and delete; at most every PROBE_EVERY_S seconds for all processes together."""
    if not cache.add("readyz-store", 1, PROBE_EVERY_S):
        return
    key = f"staging/probe/{uuid.uuid4().hex}"
    get_store().put(key, [b"probe"])
    get_store().size(key)
    get_store().delete(key)


def _broker() -> None:
    if settings.CELERY_BROKER_URL == "hubdb://":
        QueueMessage.objects.exists()
        return
    with current_app.connection_for_read() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)


_CHECKS: dict[str, Callable[[], None]] = {
    "database": _database,
    "store": _store,
    "broker": _broker,
}


def _trashed() -> QuerySet[Repository]:
    return Repository.objects.filter(state=Repository.State.TRASHED)


def _trash_bytes() -> int:
    """Of blobs that nothing but repositories in the trash holds: what emptying it would free."""
    if not _trashed().exists():
        return 0
    inside = BlobLink.objects.filter(blob=OuterRef("pk"), repository__in=_trashed())
    outside = BlobLink.objects.filter(blob=OuterRef("pk")).exclude(repository__in=_trashed())
    rows = Blob.objects.filter(Exists(inside), ~Exists(outside))
    return int(rows.aggregate(total=Sum("size"))["total"] or 0)


def _undoable_tags() -> QuerySet[TagMove]:
    return TagMove.objects.filter(
        kind=TagMove.Kind.DELETE, keep_until__gt=timezone.now(), manifest__isnull=False
    )


def _gauges() -> Iterator[tuple[str, float]]:
    yield "repositories", Repository.objects.filter(state=Repository.State.ACTIVE).count()
    yield "repositories_in_trash", _trashed().count()
    yield "trash_bytes", _trash_bytes()
    yield "tags_in_trash", _undoable_tags().count()
    yield "blobs", Blob.objects.count()
    yield "uploads_open", UploadSession.objects.count()
    yield "objects_discarded", DiscardedObject.objects.count()
    yield "events_waiting", Event.objects.filter(dispatched_at=None).count()
    yield "deliveries_due", Delivery.objects.filter(state=Delivery.State.DUE).count()
    yield "queue_messages", QueueMessage.objects.filter(dead=False).count()
    yield "queue_messages_dead", QueueMessage.objects.filter(dead=True).count()
    newest = Tick.objects.order_by("-finished_at").first()
    if newest:
        yield "tick_age_seconds", (timezone.now() - newest.finished_at).total_seconds()
