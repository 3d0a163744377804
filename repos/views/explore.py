"""Browsing and searching what the reader may see."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.authentication import principal_from
from accounts.types import Principal
from core.errors import HubError
from repos import selectors
from repos.access import enter, wants_part

ROWS = 20
SORTS = {
    "recent": _("Last push"),
    "pulls": _("Most pulled"),
    "stars": _("Most starred"),
    "name": _("Name"),
}
SHOWS = {"": _("All"), "mine": _("Yours"), "starred": _("Starred")}
MAX_QUERY = 200


@require_safe
def explore(request: HttpRequest) -> HttpResponse:
    """Every repository the reader may see that has content."""
    principal = principal_from(request)
    sort = _one_of(request.GET.get("sort"), SORTS, "recent")
    show = "" if principal.is_anonymous else _one_of(request.GET.get("show"), SHOWS, "")
    rows = selectors.explore(
        principal,
        sort=cast(selectors.Sort, sort),
        mine=show == "mine",
        starred=show == "starred",
    )
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "repositories": list(page.object_list),
        "sort": sort,
        "sorts": SORTS,
        "show": show,
        "shows": SHOWS,
        "list_template": "repos/_explore_empty.html",
    }
    template = "repos/_list.html" if wants_part(request) else "repos/explore.html"
    return render(request, template, context)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Repositories that match every word; a pasted image reference leads to the image."""
    principal = principal_from(request)
    query = request.GET.get("q", "")[:MAX_QUERY].replace("\0", "").strip()
    text = _without_client(query)
    direct = _reference(request, text, principal)
    if direct is not None:
        return direct
    rows = selectors.search(principal, text)
    page = Paginator(rows if text else rows.none(), ROWS).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "repositories": list(page.object_list),
        "query": query,
        "list_template": "repos/_search_empty.html",
        "command": f"curl '{settings.HUB.external_url}/api/search?{urlencode({'q': text})}'",
    }
    template = "repos/_list.html" if wants_part(request) else "repos/search.html"
    return render(request, template, context)


@require_safe
def stars(request: HttpRequest) -> HttpResponse:
    """The reader's stars, as explore shows them."""
    return redirect(f"{reverse('explore')}?{urlencode({'show': 'starred'})}")


def _one_of(value: str | None, allowed: object, default: str) -> str:
    return value if value is not None and value in cast(dict[str, str], allowed) else default


def _without_client(text: str) -> str:
    """`docker pull HOST/team/api:1` without the words a search cannot use."""
    text = text.removeprefix("docker pull ").strip()
    return text.removeprefix(f"{settings.EXTERNAL_HOST}/")


def _reference(request: HttpRequest, text: str, principal: Principal) -> HttpResponse | None:
    """Where `team/api:1` or `team/api@sha256:…` leads, if the reader may go there."""
    if "/" not in text or not (":" in text or "@" in text):
        return None
    try:
        match = resolve(f"/{text}")
        if match.url_name not in ("tag-reference", "digest-reference"):
            return None
        enter(request, match.kwargs["path"])
    except (Resolver404, HubError):
        return None
    return HttpResponseRedirect(reverse(match.url_name, kwargs=match.kwargs))
