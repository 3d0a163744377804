"""REST: watching repositories, and what the caller is told."""

from __future__ import annotations

from django.utils.translation import override
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import HubView, describe
from core.errors import Invalid
from core.paging import page_by_id
from notices.models import Kind, Notice
from notices.selectors import shown_to, watch_state
from notices.serializers import (
    NoticeSerializer,
    ReadSerializer,
    WatchBodySerializer,
    WatchSerializer,
)
from notices.services.telling import mark_read
from notices.services.watching import set_watch
from repos.access import Access, enter

TAG = "notices"


class WatchView(HubView):
    @describe(
        TAG,
        "How much of a repository you watch",
        operation="watch_read",
        answer=WatchSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        return _answer(enter(request, f"{namespace}/{name}", "star"))

    @describe(
        TAG,
        "Watch a repository",
        operation="watch_set",
        body=WatchBodySerializer,
        answer=WatchSerializer,
    )
    def put(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "star")
        level = self.read(WatchBodySerializer)["level"]
        set_watch(access.principal.account_id, access.repository, level)
        return _answer(access)

    @describe(TAG, "Watch a repository no more", operation="watch_delete")
    def delete(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "star")
        set_watch(access.principal.account_id, access.repository, "")
        return Response(status=204)


class NoticesView(HubView):
    @describe(
        TAG,
        "What you were told, newest first",
        operation="notice_list",
        rows=NoticeSerializer,
        query=[
            ("kind", f"Only those of this kind: {', '.join(Kind.values)}."),
            ("unread", "`1` for those that you have not read."),
        ],
    )
    def get(self, request: Request) -> Response:
        rows = shown_to(self.require_account())
        if kind := self.text("kind"):
            if kind not in Kind.values:
                raise Invalid(f"kind is one of {', '.join(Kind.values)}.", code="KIND_INVALID")
            rows = rows.filter(kind=kind)
        if self.text("unread") == "1":
            rows = rows.filter(read_at=None)
        page = page_by_id(rows, **self.paging())
        with override("en"):
            return self.answer_page(page, NoticeSerializer)


class NoticesReadView(HubView):
    @describe(
        TAG,
        "Mark some of it as read, or without ids all",
        operation="notice_read",
        body=ReadSerializer,
    )
    def post(self, request: Request) -> Response:
        principal = self.require_account()
        ids = self.read(ReadSerializer).get("ids")
        rows = Notice.objects.filter(user_id=principal.account_id)
        mark_read(rows if ids is None else rows.filter(pk__in=ids))
        return Response(status=204)


def _answer(access: Access) -> Response:
    level, watchers = watch_state(access.principal, access.repository)
    return Response(WatchSerializer({"level": level or None, "watchers": watchers}).data)
