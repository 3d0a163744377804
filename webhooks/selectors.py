"""Reading webhooks and what became of their deliveries. Callers have decided who may look."""

from __future__ import annotations

from datetime import datetime

from django.db.models import BigIntegerField, Exists, OuterRef, Prefetch, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from core.errors import NotFound
from events.models import Event
from repos.models import Repository, Visibility
from webhooks.models import Attempt, Delivery, Webhook
from webhooks.types import NAMES, PING_KIND, name_of

SEARCHED = 2000  # deliveries in whose bodies a text is looked for


def deliveries_of(webhook: Webhook) -> QuerySet[Delivery]:
    """A webhook's deliveries with event, result and attempts (oldest first), newest first.

    Of one of the server's those about repositories that are public now, and about none: its maker
    may be let into a private one for a while, the other administrators are not. A test is about
    the push that it shows.
    """
    rows = Delivery.objects.filter(webhook=webhook)
    if webhook.repository_id is None and webhook.namespace_id is None:
        public = Repository.objects.filter(visibility=Visibility.PUBLIC)
        rows = rows.alias(shown=Cast(KeyTextTransform("of", "event__payload"), BigIntegerField()))
        push = Event.objects.filter(pk=OuterRef("shown"))
        hidden = push.filter(~Exists(public.filter(pk=OuterRef("repository_id"))))
        about_none = Q(event__repository_id=None) & ~(Q(event__kind=PING_KIND) & Exists(hidden))
        rows = rows.filter(about_none | Exists(public.filter(pk=OuterRef("event__repository_id"))))
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


def get_attempt(webhook: Webhook, pk: int) -> Attempt:
    """A try of one of the deliveries that `deliveries_of` gives, with that and its event; raises
    NotFound."""
    rows = Attempt.objects.filter(delivery__in=deliveries_of(webhook).order_by().values("pk"))
    found = rows.select_related("delivery__event").filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such try.")
    return found


def last_attempt(delivery: Delivery) -> Attempt | None:
    """The latest try; costs no query on rows of this module."""
    return max(delivery.attempts.all(), key=lambda attempt: attempt.pk, default=None)


def _with_attempts(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return deliveries.select_related("event", "webhook", "result").prefetch_related(
        Prefetch("attempts", Attempt.objects.order_by("id"))
    )
