"""REST: a repository's webhooks and their deliveries, for those who administer it."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import HubView, describe
from core.errors import NotFound
from core.paging import page_by_id
from repos.access import Access, enter
from webhooks import selectors, services
from webhooks.models import Delivery, Webhook
from webhooks.serializers import (
    CreatedWebhookSerializer,
    DeliverySerializer,
    WebhookBodySerializer,
    WebhookSerializer,
)

TAG = "webhooks"
MAX_DELIVERIES = 25  # a delivery carries the bodies of all its tries


class WebhooksView(HubView):
    @describe(TAG, "Webhooks, newest first", operation="webhook_list", rows=WebhookSerializer)
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        page = page_by_id(selectors.list_webhooks(access.repository), **self.paging())
        return self.answer_page(page, WebhookSerializer)

    @describe(
        TAG,
        "Add a webhook; its secret is shown this once",
        operation="webhook_create",
        body=WebhookBodySerializer,
        answer=CreatedWebhookSerializer,
        status=201,
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        values = self.read(WebhookBodySerializer)
        webhook = services.create_webhook(access.repository, actor=access.principal.actor, **values)
        return Response(CreatedWebhookSerializer(webhook).data, status=201)


class WebhookView(HubView):
    @describe(TAG, "A webhook", operation="webhook_read", answer=WebhookSerializer)
    def get(self, request: Request, namespace: str, name: str, id: int) -> Response:
        _access, webhook = _enter(request, f"{namespace}/{name}", id)
        return Response(WebhookSerializer(webhook).data)

    @describe(
        TAG,
        "Change a webhook",
        operation="webhook_update",
        body=WebhookBodySerializer,
        answer=WebhookSerializer,
    )
    def patch(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access, webhook = _enter(request, f"{namespace}/{name}", id)
        values = self.read(WebhookBodySerializer, partial=True)
        changed = services.update_webhook(webhook, actor=access.principal.actor, **values)
        return Response(WebhookSerializer(changed).data)

    @describe(TAG, "Delete a webhook and its deliveries", operation="webhook_delete")
    def delete(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access, webhook = _enter(request, f"{namespace}/{name}", id)
        services.delete_webhook(webhook, actor=access.principal.actor)
        return Response(status=204)


class PingView(HubView):
    @describe(
        TAG,
        "Send a test; the answer is the delivery to look at",
        operation="webhook_ping",
        answer=DeliverySerializer,
        status=202,
    )
    def post(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access, webhook = _enter(request, f"{namespace}/{name}", id)
        sent = services.ping(webhook, actor=access.principal.actor)
        return Response(DeliverySerializer(sent).data, status=202)


class DeliveriesView(HubView):
    @describe(TAG, "Deliveries, newest first", operation="delivery_list", rows=DeliverySerializer)
    def get(self, request: Request, namespace: str, name: str, id: int) -> Response:
        _access, webhook = _enter(request, f"{namespace}/{name}", id)
        rows = selectors.deliveries_of(webhook)
        return self.answer_page(page_by_id(rows, **self.paging(MAX_DELIVERIES)), DeliverySerializer)


class DeliveryView(HubView):
    @describe(
        TAG, "A delivery with every try", operation="delivery_read", answer=DeliverySerializer
    )
    def get(self, request: Request, namespace: str, name: str, id: int, delivery: int) -> Response:
        _access, webhook = _enter(request, f"{namespace}/{name}", id)
        return Response(DeliverySerializer(selectors.get_delivery(webhook, delivery)).data)


class RedeliverView(HubView):
    @describe(
        TAG,
        "Send a delivery once more, with the same event id",
        operation="delivery_redeliver",
        answer=DeliverySerializer,
        status=202,
    )
    def post(self, request: Request, namespace: str, name: str, id: int, delivery: int) -> Response:
        _access, webhook = _enter(request, f"{namespace}/{name}", id)
        return _redeliver(webhook, delivery)


class DeliveryRedeliverView(HubView):
    @describe(
        TAG,
        "The same, by the delivery's id alone",
        operation="delivery_redeliver_by_id",
        answer=DeliverySerializer,
        status=202,
    )
    def post(self, request: Request, namespace: str, name: str, delivery: int) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        found = Delivery.objects.filter(pk=delivery, webhook__repository=access.repository)
        row = found.select_related("webhook").first()
        if row is None:
            raise NotFound("There is no such delivery.")
        return _redeliver(row.webhook, delivery)


def _enter(request: Request, path: str, id: int) -> tuple[Access, Webhook]:
    access = enter(request, path, "administer")
    return access, selectors.get_webhook(access.repository, id)


def _redeliver(webhook: Webhook, delivery: int) -> Response:
    found = services.redeliver(selectors.get_delivery(webhook, delivery))
    return Response(DeliverySerializer(found).data, status=202)
