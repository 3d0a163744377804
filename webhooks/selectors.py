"""Reading webhooks and what became of their deliveries. Callers have decided who may look."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Max, Prefetch, QuerySet

from core.errors import NotFound
from repos.models import Repository
from webhooks.models import Attempt, Delivery, Webhook


def list_webhooks(repository: Repository) -> QuerySet[Webhook]:
    """A repository's webhooks, oldest first."""
    return Webhook.objects.filter(repository=repository).select_related("repository").order_by("id")


def get_webhook(repository: Repository, pk: int) -> Webhook:
    """A webhook of this repository; raises NotFound."""
    webhook = list_webhooks(repository).filter(pk=pk).first()
    if webhook is None:
        raise NotFound("There is no such webhook.")
    return webhook


def deliveries_of(webhook: Webhook) -> QuerySet[Delivery]:
    """A webhook's deliveries with event and attempts (oldest first), newest first."""
    return _with_attempts(Delivery.objects.filter(webhook=webhook)).order_by("-id")


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
    return deliveries.select_related("event", "webhook").prefetch_related(
        Prefetch("attempts", Attempt.objects.order_by("id"))
    )
