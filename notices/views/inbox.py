"""What the reader is told: the list, following one of it, and marking as read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import principal_from
from core.paging import page_by_id
from notices.models import Kind, Notice
from notices.selectors import get_notice, shown_to, unread_count
from notices.sentences import sentence_of, target_of
from notices.services.telling import mark_read

ROWS = 30
ICONS = {
    Kind.MENTION: "user",
    Kind.COMMENT: "message-square",
    Kind.TAG: "tag",
    Kind.SEARCH: "search",
    Kind.REQUEST: "users",
    Kind.ACCESS: "shield-check",
    Kind.INVITATION: "mail",
    Kind.WEBHOOK: "webhook",
    Kind.TOKEN: "key-round",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A notice as the page shows it."""

    notice: Notice
    sentence: str
    icon: str


@login_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """Newest first, of one kind or only unread ones if that is asked for."""
    principal = principal_from(request)
    kind = request.GET.get("kind", "")
    kind = kind if kind in Kind.values else ""
    unread = request.GET.get("unread") == "1"
    rows = shown_to(principal)
    if kind:
        rows = rows.filter(kind=kind)
    if unread:
        rows = rows.filter(read_at=None)
    page = page_by_id(rows, limit=ROWS, cursor=request.GET.get("cursor"))
    chosen = {"kind": kind, "unread": "1" if unread else ""}
    query = {name: value for name, value in chosen.items() if value}
    here = reverse("notices")
    context: dict[str, Any] = {
        "lines": [_line(row) for row in page.rows],
        "kinds": Kind.choices,
        "kind": kind,
        "unread_only": unread,
        "unread": unread_count(principal),
        "newer_url": _with(here, query) if request.GET.get("cursor") else "",
        "older_url": _with(here, {**query, "cursor": page.next_cursor}) if page.next_cursor else "",
        "here": _with(here, query),
    }
    return render(request, "notices/inbox.html", context)


@login_required
@require_safe
def follow(request: HttpRequest, pk: int) -> HttpResponse:
    """Where a notice leads; it is read then."""
    notice = get_notice(principal_from(request), pk)
    if request.method == "GET":
        mark_read(Notice.objects.filter(pk=notice.pk))
    return redirect(target_of(notice))


@login_required
@require_POST
def read(request: HttpRequest) -> HttpResponse:
    """Mark one as read, or without `id` all, and go back to the list."""
    rows = Notice.objects.filter(user_id=principal_from(request).account_id)
    pk = request.POST.get("id", "")
    if pk:
        number = int(pk) if pk.isascii() and pk.isdigit() and len(pk) <= 18 else 0
        rows = rows.filter(pk=number)
    mark_read(rows)
    kept = {name: request.POST.get(name, "") for name in ("kind", "unread")}
    return redirect(_with(reverse("notices"), {k: v[:20] for k, v in kept.items() if v}))


def _line(notice: Notice) -> Line:
    return Line(notice, sentence_of(notice), ICONS[Kind(notice.kind)])


def _with(path: str, query: dict[str, Any]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
