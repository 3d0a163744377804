"""How webhooks are doing, for lists: a fixed number of queries, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery

from webhooks import selectors
from webhooks.models import Attempt, Delivery, Webhook
from webhooks.types import name_of

SHOWN = 50
_OUTCOMES = {
    str(Delivery.State.DONE): "ok",
    str(Delivery.State.GAVE_UP): "bad",
    str(Delivery.State.DUE): "none",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One webhook. `outcomes` has the last `SHOWN` deliveries, oldest first, as ok, bad or none."""

    webhook: Webhook
    outcomes: tuple[str, ...] = ()
    last: Delivery | None = None
    attempt: Attempt | None = None  # the latest of `last`

    @property
    def name(self) -> str:
        """What people call it: its name, else where it leads."""
        return self.webhook.name or self.host

    @property
    def host(self) -> str:
        """Host and port without a password."""
        return host_shown(self.webhook.url)

    @property
    def event(self) -> str:
        """What the newest delivery was about; empty without one."""
        return name_of(self.last.event.kind) if self.last else ""

    @property
    def delivered(self) -> int:
        """How many of the last ones arrived."""
        return self.outcomes.count("ok")

    @property
    def state(self) -> str:
        """`off`, `paused`, `failing`, `working`, or `new` when nothing has arrived yet."""
        return state_of(self.webhook, any_delivered="ok" in self.outcomes)


def host_shown(url: str) -> str:
    """Host and port of an address as pages show it; many receivers take the rest for a password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def state_of(webhook: Webhook, *, any_delivered: bool) -> str:
    """One word for a webhook, see `Standing.state`."""
    if not webhook.active:
        return "off"
    if webhook.paused_at is not None:
        return "paused"
    if webhook.failing_since is not None:
        return "failing"
    return "working" if any_delivered else "new"


def standings(webhooks: Iterable[Webhook]) -> list[Standing]:
    """The same webhooks in the same order, with how they are doing; four queries or none."""
    rows = list(webhooks)
    if not rows:
        return []
    recent = _recent(rows)
    newest = {pk: deliveries[-1][0] for pk, deliveries in recent.items()}
    last = Delivery.objects.filter(pk__in=newest.values()).select_related("event")
    tries = Prefetch("attempts", Attempt.objects.order_by("id"))
    found = {delivery.webhook_id: delivery for delivery in last.prefetch_related(tries)}
    return [
        Standing(
            webhook,
            tuple(_OUTCOMES[state] for _pk, state in recent.get(webhook.pk, ())),
            found.get(webhook.pk),
            selectors.last_attempt(found[webhook.pk]) if webhook.pk in found else None,
        )
        for webhook in rows
    ]


def _recent(webhooks: list[Webhook]) -> dict[int, list[tuple[int, str]]]:
    """Id and state of the last deliveries of each, oldest first.

    Cut at the id of the last one that is wanted: an index answers that, a rank reads everything.
    """
    cut: QuerySet[Delivery] = Delivery.objects.filter(webhook=OuterRef("pk")).order_by("-id")
    first = Webhook.objects.filter(pk__in=[webhook.pk for webhook in webhooks]).values_list(
        "pk", Subquery(cut.values("pk")[SHOWN - 1 : SHOWN])
    )
    wanted = Q(pk__in=())
    for pk, least in first:
        wanted |= Q(webhook=pk, pk__gte=least or 0)
    found: dict[int, list[tuple[int, str]]] = {}
    for pk, webhook_id, state in (
        Delivery.objects.filter(wanted).order_by("pk").values_list("pk", "webhook_id", "state")
    ):
        found.setdefault(webhook_id, []).append((pk, state))
    return found
