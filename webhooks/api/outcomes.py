"""REST: results that receivers report, and the rules that move tags because of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from accounts.rest import BoundedJSONParser, HubView, describe
from core.address import client_address
from core.errors import Invalid, TooLarge
from core.paging import page_by_id
from repos.access import enter
from repos.models import Repository
from webhooks import promotions, results
from webhooks.access import Entered, enter_repository
from webhooks.api.base import TAG
from webhooks.errors import ResultInvalid
from webhooks.models import Result, Webhook
from webhooks.serializers import (
    CallbackAnswerSerializer,
    CallbackBodySerializer,
    PromotionBodySerializer,
    PromotionSerializer,
    ResultSerializer,
)

MAX_CALLBACK_BYTES = 16 * 1024
_FIELDS = ("state", "description", "context", "target_url")


class LenientParser(BoundedJSONParser):
    """JSON, whatever the receiver's client calls it."""

    media_type = "*/*"


class CallbackThrottle(SimpleRateThrottle):
    """Answers by address, good or bad: nobody finds ids by trying."""

    scope = "webhook_callback"
    rate = "120/min"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """Who is counted."""
        address = client_address(request.META, settings.HUB.trusted_proxies)
        return f"throttle:webhook_callback:{address}"


class CallbackView(HubView):
    """Whoever has the address may answer, once; no credential is looked at."""

    authentication_classes = ()
    throttle_classes = (CallbackThrottle,)
    parser_classes = (LenientParser,)

    @describe(
        TAG,
        "Report what came of a delivery, to the callback_url that it named; once, within 7 days",
        operation="webhook_callback",
        body=CallbackBodySerializer,
        answer=CallbackAnswerSerializer,
        public=True,
    )
    def post(self, request: Request, uid: UUID) -> Response:
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_CALLBACK_BYTES:
            raise TooLarge(f"A result has at most {MAX_CALLBACK_BYTES // 1024} KiB.")
        document = request.data
        if not isinstance(document, dict):
            raise Invalid("Send a JSON object with a state.", code="RESULT_INVALID")
        given = {name: document[name] for name in _FIELDS if document.get(name) is not None}
        for name, value in given.items():
            if not isinstance(value, str):
                raise ResultInvalid(f"{name} must be a text.", detail={"field": name})
        results.report(uid, **{"state": "", **given})
        return Response(CallbackAnswerSerializer({"ok": True}).data)


class ResultsView(HubView):
    @describe(
        TAG,
        "What receivers reported, newest first",
        operation="result_list",
        rows=ResultSerializer,
        public=True,
        query=[("digest", "Only of this image."), ("tag", "Only of pushes to this tag.")],
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}")
        rows = Result.objects.filter(repository=access.repository).exclude(digest="")
        for field in ("digest", "tag"):
            if text := self.text(field):
                rows = rows.filter(**{field: text})
        page = page_by_id(rows.select_related("webhook"), **self.paging())
        return self.answer_page(page, ResultSerializer, names=access.can_administer)


class PromotionsView(HubView):
    @describe(
        TAG, "Promotion rules, newest first", operation="promotion_list", rows=PromotionSerializer
    )
    def get(self, request: Request, **where: Any) -> Response:
        _, repository = _enter(request, where)
        page = page_by_id(promotions.list_promotions(repository), **self.paging())
        return self.answer_page(page, PromotionSerializer)

    @describe(
        TAG,
        "Add a rule: after success of all these webhooks a tag is moved, in your name",
        operation="promotion_create",
        body=PromotionBodySerializer,
        answer=PromotionSerializer,
        status=201,
    )
    def post(self, request: Request, **where: Any) -> Response:
        entered, repository = _enter(request, where)
        values = self.read(PromotionBodySerializer)
        made = promotions.create_promotion(
            repository,
            actor=entered.principal.actor,
            source=values.get("source", ""),
            target=values["target"],
            requires=[Webhook(pk=pk) for pk in values["requires"]],
            recheck=entered.recheck,
        )
        return Response(PromotionSerializer(made).data, status=201)


class PromotionView(HubView):
    @describe(TAG, "A promotion rule", operation="promotion_read", answer=PromotionSerializer)
    def get(self, request: Request, **where: Any) -> Response:
        _, repository = _enter(request, where)
        found = promotions.get_promotion(repository, where["id"])
        return Response(PromotionSerializer(found).data)

    @describe(TAG, "Remove a promotion rule; tags stay", operation="promotion_delete")
    def delete(self, request: Request, **where: Any) -> Response:
        entered, repository = _enter(request, where)
        promotions.delete_promotion(
            repository,
            where["id"],
            actor=entered.principal.actor,
            recheck=entered.recheck,
        )
        return Response(status=204)


def _enter(request: Request, where: dict[str, Any]) -> tuple[Entered, Repository]:
    entered = enter_repository(request, f"{where['namespace']}/{where['name']}")
    assert entered.access is not None
    return entered, entered.access.repository
