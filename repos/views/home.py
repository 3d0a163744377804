"""The first page, and the page that helps."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.authentication import principal_from
from accounts.selectors import list_organizations
from accounts.types import ANONYMOUS, Principal
from events.models import Event
from repos import selectors
from repos.access import wants_part
from repos.models import Repository
from repos.permissions import visible_in

PUBLIC_ROWS = 8
ROWS = 20
EVENTS = 12
WHICH = {"": _("All"), "own": _("Your own"), "shared": _("Shared with you")}
# What everybody who sees a repository may know of; who gets access is not among it.
SHOWN_EVENTS = (
    "repository.created",
    "tag.moved",
    "tag.deleted",
    "comment.added",
    "repository.starred",
    "repository.visibility",
)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What the hub is, or one's own work."""
    principal = principal_from(request)
    if principal.is_anonymous:
        rows = selectors.explore(ANONYMOUS, sort="recent")[:PUBLIC_ROWS]
        return render(request, "repos/home_public.html", {"repositories": list(rows)})
    text = request.GET.get("q", "").replace("\0", "").strip()
    which = request.GET.get("mine", "")
    which = which if which in WHICH else ""
    rows = _mine(principal, text, which)
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "page": page,
        "repositories": list(page.object_list),
        "filter": text,
        "which": which,
        "whiches": WHICH,
        "username": principal.username,
        "list_template": "repos/_home_empty.html",
        "poll": not (text or which or page.object_list),
    }
    if wants_part(request):
        if context["poll"] and "poll" in request.GET:
            return HttpResponse(status=204)  # leave what is being read as it is
        return render(request, "repos/_list.html", context)
    context["events"] = _activity(principal)
    context["memberships"] = list_organizations(principal.account_id)
    return render(request, "repos/home.html", context)


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """How to begin, with every usual client."""
    return render(request, "repos/help.html")


def _mine(principal: Principal, text: str, which: str) -> QuerySet[Repository]:
    rows = selectors.explore(principal, mine=True, shared=which == "shared")
    if which == "own":
        rows = rows.filter(namespace__user_id=principal.account_id)
    for word in text.lower().split()[:8]:
        rows = rows.filter(Q(path__icontains=word) | Q(description__icontains=word))
    return rows


def _activity(principal: Principal) -> list[Event]:
    visible = visible_in(principal, "repository_id")
    return list(Event.objects.filter(visible, kind__in=SHOWN_EVENTS).order_by("-pk")[:EVENTS])
