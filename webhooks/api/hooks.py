"""REST: webhooks themselves, tests and trials."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils.translation import override
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import describe
from core.errors import NotFound
from core.paging import page_by_id
from repos.limits import refuse_often
from webhooks import services, trial
from webhooks.api.base import TAG, OwnerView
from webhooks.checking import checked
from webhooks.filters import Filters
from webhooks.formats import preview
from webhooks.models import Webhook
from webhooks.owners import Owner
from webhooks.resending import get_push, pushes_of
from webhooks.serializers import (
    CreatedWebhookSerializer,
    DeliverySerializer,
    PingBodySerializer,
    PreviewBodySerializer,
    PreviewSerializer,
    RotateBodySerializer,
    RotatedSerializer,
    TrialBodySerializer,
    TrialsSerializer,
    WebhookBodySerializer,
    WebhookSerializer,
)


class WebhooksView(OwnerView):
    operations = {"get": "webhook_list", "post": "webhook_create"}

    @describe(TAG, "Webhooks, newest first", operation="webhook_list", rows=WebhookSerializer)
    def get(self, request: Request, **where: Any) -> Response:
        entered = self.enter(request, where)
        page = page_by_id(entered.owner.webhooks(), **self.paging())
        return self.answer_page(page, WebhookSerializer)

    @describe(
        TAG,
        "Add a webhook; its secret is shown this once",
        operation="webhook_create",
        body=WebhookBodySerializer,
        answer=CreatedWebhookSerializer,
        status=201,
    )
    def post(self, request: Request, **where: Any) -> Response:
        entered = self.enter(request, where)
        webhook = services.create_webhook(
            entered.owner,
            actor=entered.principal.actor,
            recheck=entered.recheck,
            **self.read(WebhookBodySerializer),
        )
        return Response(CreatedWebhookSerializer(webhook).data, status=201)


class WebhookView(OwnerView):
    operations = {"get": "webhook_read", "patch": "webhook_update", "delete": "webhook_delete"}

    @describe(TAG, "A webhook", operation="webhook_read", answer=WebhookSerializer)
    def get(self, request: Request, **where: Any) -> Response:
        return Response(WebhookSerializer(self.enter_webhook(request, where)[1]).data)

    @describe(
        TAG,
        "Change a webhook",
        operation="webhook_update",
        body=WebhookBodySerializer,
        answer=WebhookSerializer,
    )
    def patch(self, request: Request, **where: Any) -> Response:
        entered, webhook = self.enter_webhook(request, where)
        values = self.read(WebhookBodySerializer, partial=True)
        changed = services.update_webhook(
            webhook, actor=entered.principal.actor, recheck=entered.recheck, **values
        )
        return Response(WebhookSerializer(changed).data)

    @describe(TAG, "Delete a webhook and its deliveries", operation="webhook_delete")
    def delete(self, request: Request, **where: Any) -> Response:
        entered, webhook = self.enter_webhook(request, where)
        services.delete_webhook(webhook, actor=entered.principal.actor, recheck=entered.recheck)
        return Response(status=204)


class PingView(OwnerView):
    operations = {"post": "webhook_ping"}

    @describe(
        TAG,
        "Send a test that shows an earlier push; the answer is the delivery to look at",
        operation="webhook_ping",
        body=PingBodySerializer,
        answer=DeliverySerializer,
        status=202,
    )
    def post(self, request: Request, **where: Any) -> Response:
        entered, webhook = self.enter_webhook(request, where)
        uid = self.read(PingBodySerializer).get("event_id")
        event = get_push(entered.owner, uid) if uid else None
        refuse_often(entered.principal, "webhook.ping")
        sent = services.ping(webhook, actor=entered.principal.actor, event=event)
        return Response(DeliverySerializer(sent).data, status=202)


class RotateView(OwnerView):
    operations = {"post": "webhook_rotate"}

    @describe(
        TAG,
        "Give a webhook another secret; the former one signs too for a while",
        operation="webhook_rotate",
        body=RotateBodySerializer,
        answer=RotatedSerializer,
    )
    def post(self, request: Request, **where: Any) -> Response:
        entered, webhook = self.enter_webhook(request, where)
        values = self.read(RotateBodySerializer)
        secret = services.rotate_secret(
            webhook,
            actor=entered.principal.actor,
            secret=values.get("secret", ""),
            overlap=timedelta(hours=values.get("overlap_hours", 24)),
            recheck=entered.recheck,
        )
        until = entered.owner.webhook(webhook.pk).previous_until
        answer = {"secret": secret, "previous_secret_until": until}
        return Response(RotatedSerializer(answer).data)


class ResumeView(OwnerView):
    operations = {"post": "webhook_resume"}

    @describe(
        TAG,
        "Go on with a webhook that the hub has paused",
        operation="webhook_resume",
        answer=WebhookSerializer,
    )
    def post(self, request: Request, **where: Any) -> Response:
        entered, webhook = self.enter_webhook(request, where)
        found = services.resume(webhook, actor=entered.principal.actor, recheck=entered.recheck)
        return Response(WebhookSerializer(found).data)


class DryRunView(OwnerView):
    operations = {"post": "webhook_dry_run"}

    @describe(
        TAG,
        "What filters would let pass of the last 50 pushes, and why not the rest; nothing is sent",
        operation="webhook_dry_run",
        body=TrialBodySerializer,
        answer=TrialsSerializer,
    )
    def post(self, request: Request, **where: Any) -> Response:
        entered = self.enter(request, where)
        filters = Filters(**self.read(TrialBodySerializer))
        with override("en"):
            trials = trial.dry_run(entered.owner, filters)
        return Response(TrialsSerializer({"results": trials}).data)


class PreviewView(OwnerView):
    operations = {"post": "webhook_preview"}

    @describe(
        TAG,
        "The body that a format or a template makes of an earlier push; nothing is sent",
        operation="webhook_preview",
        body=PreviewBodySerializer,
        answer=PreviewSerializer,
    )
    def post(self, request: Request, **where: Any) -> Response:
        entered = self.enter(request, where)
        values = self.read(PreviewBodySerializer)
        uid = values.pop("event_id", None)
        draft = _draft(entered.owner, checked(values))
        owner = entered.owner
        event = get_push(owner, uid) if uid else pushes_of(owner).first()
        if event is None:
            raise NotFound("There is no push to show yet; push an image first.")
        rendered = preview(draft, event)
        return Response(
            PreviewSerializer(
                {
                    "event_id": event.uid,
                    "content_type": rendered.content_type,
                    "body": rendered.body.decode(),
                }
            ).data
        )


def _draft(owner: Owner, values: dict[str, Any]) -> Webhook:
    """A webhook that is not saved."""
    return Webhook(repository=owner.repository, namespace=owner.namespace, **values)
