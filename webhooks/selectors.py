"""Reading webhooks and what became of their deliveries. Callers have decided who may look."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, Max, OuterRef, Prefetch, Q, QuerySet

from core.errors import NotFound
from repos.models import Repository, Visibility
from webhooks.models import Attempt, Delivery, Webhook
from webhooks.types import NAMES, PING_KIND, name_of

SEARCHED = 2000  # deliveries in whose bodies a text is looked for


def deliveries_of(webhook: Webhook) -> QuerySet[Delivery]:
    """A webhook's deliveries with event, result and attempts (oldest first), newest first.

    Of one of the server's those about repositories that are public now, and about none: its maker
    may be let into a private one for a while, the other administrators are not.
    """
    rows = Delivery.objects.filter(webhook=webhook)
    if webhook.repository_id is None and webhook.namespace_id is None:
        public = Repository.objects.filter(
            pk=OuterRef("event__repository_id"), visibility=Visibility.PUBLIC
        )
        rows = rows.filter(Q(event__repository_id=None) | Exists(public))
    return _with_attempts(rows).order_by("-id")


def search_deliveries(
    webhook: Webhook,
    *,
    state: str = "",
    event: str = "",
    tag: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    text: str = "",
) -> QuerySet[Delivery]:
    """Of a webhook's deliveries those that fit all that is given.

    `state` is one of `Delivery.State`, `event` a name of `webhooks.types` or ping, `tag` a whole
    tag, the span is of when the delivery came to be, `text` is looked for in the host, and in the
    error and the body of each try of the newest `SEARCHED` that fit the rest.
    """
    rows = deliveries_of(webhook)
    if state:
        rows = rows.filter(state=state)
    if event:
        rows = rows.filter(event__kind__in=[k for k in (*NAMES, PING_KIND) if name_of(k) == event])
    if tag:
        rows = rows.filter(event__payload__tag=tag)
    if since is not None:
        rows = rows.filter(created_at__gte=since)
    if until is not None:
        rows = rows.filter(created_at__lt=until)
    if text:
        some = list(rows.values_list("pk", flat=True)[:SEARCHED])
        tries = Attempt.objects.filter(delivery=OuterRef("pk")).filter(
            Q(error__icontains=text) | Q(request_body__icontains=text)
        )
        rows = rows.filter(Q(host__icontains=text) | Exists(tries), pk__in=some)
    return rows


def get_delivery(webhook: Webhook, pk: int) -> Delivery:
    """A delivery of this webhook with event and attempts; raises NotFound."""
    delivery = deliveries_of(webhook).filter(pk=pk).first()
    if delivery is None:
        raise NotFound("There is no such delivery.")
    return delivery


def last_results(webhooks: Iterable[Webhook]) -> dict[int, Delivery]:
    """The newest delivery of each webhook by the webhook's id; without one, no entry."""
    newest = (
        Delivery.objects.filter(webhook__in=list(webhooks))
        .values("webhook")
        .annotate(newest=Max("id"))
        .values("newest")
    )
    found = _with_attempts(Delivery.objects.filter(pk__in=newest))
    return {delivery.webhook_id: delivery for delivery in found}


def last_attempt(delivery: Delivery) -> Attempt | None:
    """The latest try; costs no query on rows of this module."""
    return max(delivery.attempts.all(), key=lambda attempt: attempt.pk, default=None)


def _with_attempts(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return deliveries.select_related("event", "webhook", "result").prefetch_related(
        Prefetch("attempts", Attempt.objects.order_by("id"))
    )
