"""REST: what became of deliveries, and sending again."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import describe
from core.errors import Invalid, NotFound
from core.paging import page_by_id
from repos.limits import refuse_often
from webhooks import difference, replaying, selectors, services
from webhooks.api.base import TAG, OwnerView
from webhooks.models import Attempt, Delivery, Webhook
from webhooks.serializers import (
    CountSerializer,
    DeliverySerializer,
    DifferenceSerializer,
    ReplayBodySerializer,
    SearchSerializer,
)
from webhooks.types import EVENTS, PING

MAX_DELIVERIES = 25  # a delivery carries the bodies of all its tries
SEARCH = [
    ("state", f"Only those in this state: {', '.join(Delivery.State.values)}."),
    ("event", f"Only those of this event: {', '.join((*EVENTS, PING))}."),
    ("tag", "Only those about this tag."),
    ("since", "Only those that came to be at this time or later, as 2026-01-31T09:30:00Z."),
    ("until", "Only those that came to be before this time."),
    ("q", "A text in the host, or in the errors and bodies of the newest ones."),
]


class DeliveriesView(OwnerView):
    operations = {"get": "delivery_list"}

    @describe(
        TAG,
        "Deliveries, newest first",
        operation="delivery_list",
        rows=DeliverySerializer,
        query=SEARCH,
    )
    def get(self, request: Request, **where: Any) -> Response:
        _, webhook = self.enter_webhook(request, where)
        rows = selectors.search_deliveries(webhook, **self._search())
        return self.answer_page(page_by_id(rows, **self.paging(MAX_DELIVERIES)), DeliverySerializer)

    def _search(self) -> dict[str, Any]:
        given = {name: self.text(name) for name, _ in SEARCH}
        search = SearchSerializer(data={name: text for name, text in given.items() if text})
        search.is_valid(raise_exception=True)
        values: dict[str, Any] = search.validated_data
        if "q" in values:
            values["text"] = values.pop("q")
        return values


class DeliveryView(OwnerView):
    operations = {"get": "delivery_read"}

    @describe(
        TAG, "A delivery with every try", operation="delivery_read", answer=DeliverySerializer
    )
    def get(self, request: Request, **where: Any) -> Response:
        _, webhook = self.enter_webhook(request, where)
        found = selectors.get_delivery(webhook, where["delivery"])
        return Response(DeliverySerializer(found).data)


class RedeliverView(OwnerView):
    operations = {"post": "delivery_redeliver"}

    @describe(
        TAG,
        "Send a delivery once more, with the same event id",
        operation="delivery_redeliver",
        answer=DeliverySerializer,
        status=202,
    )
    def post(self, request: Request, **where: Any) -> Response:
        _, webhook = self.enter_webhook(request, where)
        return _redeliver(webhook, where["delivery"])


class DeliveryRedeliverView(OwnerView):
    operations = {"post": "delivery_redeliver_by_id"}

    @describe(
        TAG,
        "The same, by the delivery's id alone",
        operation="delivery_redeliver_by_id",
        answer=DeliverySerializer,
        status=202,
    )
    def post(self, request: Request, **where: Any) -> Response:
        owner = self.enter(request, where).owner
        found = Delivery.objects.filter(pk=where["delivery"], webhook__in=owner.webhooks()).first()
        if found is None:
            raise NotFound("There is no such delivery.")
        return _redeliver(owner.webhook(found.webhook_id), found.pk)


class RedeliverAllView(OwnerView):
    operations = {"post": "delivery_redeliver_all"}

    @describe(
        TAG,
        "Send everything once more that was given up",
        operation="delivery_redeliver_all",
        answer=CountSerializer,
        status=202,
    )
    def post(self, request: Request, **where: Any) -> Response:
        entered, webhook = self.enter_webhook(request, where)
        refuse_often(entered.principal, "webhook.replayed")
        count = replaying.send_lost(webhook, actor=entered.principal.actor, recheck=entered.recheck)
        return Response(CountSerializer({"count": count}).data, status=202)


class ReplayView(OwnerView):
    operations = {"post": "webhook_replay"}

    @describe(
        TAG,
        "Send what happened in a time span and fits the filters, with the event ids it had",
        operation="webhook_replay",
        body=ReplayBodySerializer,
        answer=CountSerializer,
        status=202,
    )
    def post(self, request: Request, **where: Any) -> Response:
        entered, webhook = self.enter_webhook(request, where)
        span = self.read(ReplayBodySerializer)
        refuse_often(entered.principal, "webhook.replayed")
        count = replaying.replay(
            webhook, actor=entered.principal.actor, recheck=entered.recheck, **span
        )
        return Response(CountSerializer({"count": count}).data, status=202)


class DifferenceView(OwnerView):
    operations = {"get": "delivery_difference"}

    @describe(
        TAG,
        "The bodies of two tries side by side",
        operation="delivery_difference",
        answer=DifferenceSerializer,
        query=[("left", "The id of a try."), ("right", "The id of another one.")],
    )
    def get(self, request: Request, **where: Any) -> Response:
        _, webhook = self.enter_webhook(request, where)
        left, right = (self._attempt(webhook, side) for side in ("left", "right"))
        lines = difference.between(left, right)
        return Response(DifferenceSerializer({"lines": lines}).data)

    def _attempt(self, webhook: Webhook, side: str) -> Attempt:
        text = self.text(side)
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise Invalid(f"{side} must be the id of a try.", code="ATTEMPT_INVALID")
        return selectors.get_attempt(webhook, int(text))


def _redeliver(webhook: Webhook, delivery: int) -> Response:
    found = services.redeliver(selectors.get_delivery(webhook, delivery))
    return Response(DeliverySerializer(found).data, status=202)
