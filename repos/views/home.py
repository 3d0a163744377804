"""The first page, and the page that helps."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.authentication import principal_from
from accounts.types import ANONYMOUS, Principal
from events.models import Event
from repos import selectors
from repos.access import wants_part
from repos.models import Repository
from repos.permissions import visible_to

PUBLIC_ROWS = 8
ROWS = 20
EVENTS = 12
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
    rows = _mine(principal, text)
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "repositories": list(page.object_list),
        "filter": text,
        "username": principal.username,
        "list_template": "repos/_home_empty.html",
        "poll": not text and not page.object_list,
    }
    if wants_part(request):
        return render(request, "repos/_list.html", context)
    return render(request, "repos/home.html", {**context, "events": _activity(principal)})


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """How to begin, with every usual client."""
    return render(request, "repos/help.html")


def _mine(principal: Principal, text: str) -> QuerySet[Repository]:
    rows = selectors.explore(principal, mine=True)
    for word in text.lower().split()[:8]:
        rows = rows.filter(Q(path__icontains=word) | Q(description__icontains=word))
    return rows


def _activity(principal: Principal) -> list[Event]:
    visible = visible_to(principal).values("pk")
    return list(
        Event.objects.filter(kind__in=SHOWN_EVENTS, repository_id__in=visible).order_by("-pk")[
            :EVENTS
        ]
    )
