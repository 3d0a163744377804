"""Browsing and searching what the reader may see."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.authentication import principal_from
from accounts.types import Principal
from core.errors import HubError, Invalid
from core.paging import Page
from oci.names import is_path
from repos.access import enter, wants_part
from repos.models import Repository
from search.facts import ARTIFACT, ATTESTATION, CHART, IMAGE, SBOM, SIGNATURE, WASM
from search.query import (
    MAX_CHARS,
    PARAMETERS,
    Query,
    active,
    from_parameters,
    parse,
    term,
    without,
    write,
)
from search.selectors import find
from search.spelling import did_you_mean
from search.suggestions import suggest as suggestions

ROWS = 20
SORTS = {
    "match": _("Best match"),
    "recent": _("Last push"),
    "pulls": _("Most pulled"),
    "stars": _("Most starred"),
    "name": _("Name"),
}
SHOWS = {
    "": _("All"),
    "mine": _("Yours"),
    "shared": _("Shared with you"),
    "starred": _("Starred"),
}
VISIBILITIES = {"": _("Public and private"), "public": _("Public"), "private": _("Private")}
KINDS = {
    "": _("Any kind"),
    IMAGE: _("Images"),
    CHART: _("Helm charts"),
    SIGNATURE: _("Signed"),
    SBOM: _("With an SBOM"),
    ATTESTATION: _("With attestations"),
    WASM: _("WebAssembly"),
    ARTIFACT: _("Other artifacts"),
}
PLATFORMS = {
    "": _("Any platform"),
    **{
        platform: platform
        for platform in (
            "linux/amd64",
            "linux/arm64",
            "linux/arm/v7",
            "linux/386",
            "linux/ppc64le",
            "linux/riscv64",
            "linux/s390x",
            "windows/amd64",
        )
    },
}
AGES = {
    "": _("Any time"),
    "1d": _("Pushed within a day"),
    "1w": _("Pushed within a week"),
    "30d": _("Pushed within 30 days"),
    "1y": _("Pushed within a year"),
}


@require_safe
def explore(request: HttpRequest) -> HttpResponse:
    """Every repository the reader may see that has content."""
    principal = principal_from(request)
    query = from_parameters({**_values(request), "q": ""})
    if principal.is_anonymous:
        query = without(query, "show")
    context = {
        **_results(request, principal, query, filled=query.show == ""),
        "filtered": without(query, "show").is_filtered,
        "list_template": "repos/_explore_empty.html",
        "address": reverse("explore"),
    }
    return _answer(request, "repos/explore.html", context)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Repositories that match every word; a pasted image reference leads to the image."""
    principal = principal_from(request)
    values = _values(request)
    typed = values.get("q", "")
    text = _without_client(typed)
    direct = _reference(request, text, principal)
    if direct is not None:
        return direct
    query = from_parameters({**values, "q": text})
    api = f"{settings.HUB.external_url}/api/search?{urlencode({'q': write(query)})}"
    context = {
        **_results(request, principal, query),
        "query": typed,
        "words": write(Query(words=query.words)),
        "suggested_name": text if principal.user_id and is_path(f"a/{text}") else "",
        "list_template": "repos/_search_empty.html",
        "address": reverse("search"),
        "command": f"curl '{api}'",
    }
    if context["asked"] and context["is_first"] and not context["repositories"]:
        better = [write(found) for found in did_you_mean(principal, query)]
        context["meant"] = [(found, f"?{urlencode({'q': found})}") for found in better]
    return _answer(request, "repos/search.html", context)


@require_safe
def suggest(request: HttpRequest) -> HttpResponse:
    """What is offered while somebody types; a part of a page."""
    text = _without_client(_values(request).get("q", ""))
    found = suggestions(principal_from(request), text)
    words = parse(text).words
    return render(
        request, "search/_suggestions.html", {"found": found, "query": text, "words": words}
    )


@require_safe
def stars(request: HttpRequest) -> HttpResponse:
    """The reader's stars, as explore shows them."""
    return redirect(f"{reverse('explore')}?{urlencode({'show': 'starred'})}")


def _values(request: HttpRequest) -> dict[str, str]:
    """The parameters that mean something, bounded."""
    names = ("q", "after", *PARAMETERS)
    return {
        name: value[: MAX_CHARS if name != "after" else 2000].replace("\0", "").strip()
        for name in names
        if (value := request.GET.get(name))
    }


def _results(
    request: HttpRequest, principal: Principal, query: Query, *, filled: bool = False
) -> dict[str, Any]:
    """A page of rows, and what a form and chips say of the query."""
    asked = query.is_filtered or filled
    page: Page[Repository] = Page([], None)
    if asked:
        page = _page(principal, query, request.GET.get("after"), filled=filled)
    return {
        "asked": asked,
        "repositories": page.rows,
        "more": page.next_cursor,
        "is_first": "after" not in request.GET,
        "filters": query,
        "sort": query.order,
        "show": query.show,
        "notes": query.notes,
        "chips": _chips(request, query),
        "shows": SHOWS,
        "choices": _choices(principal, query),
        "sorts": {k: v for k, v in SORTS.items() if query.words or k != "match"},
    }


def _page(
    principal: Principal, query: Query, cursor: str | None, *, filled: bool
) -> Page[Repository]:
    """The page at a cursor; the first one for a cursor of another order."""
    try:
        return find(principal, query, limit=ROWS, cursor=cursor, filled=filled)
    except Invalid:
        return find(principal, query, limit=ROWS, filled=filled)


def _choices(principal: Principal, query: Query) -> list[tuple[str, Promise, dict[str, Any], str]]:
    """Name, label, options and value of each list in the form."""
    lists: list[tuple[str, Any, dict[str, Any], str]] = [
        ("platform", _("Platform"), PLATFORMS, query.platform or query.arch),
        ("kind", _("Kind"), KINDS, query.kind),
        ("updated", _("Last push"), AGES, query.within),
    ]
    if not principal.is_anonymous:
        lists.append(("visibility", _("Visibility"), VISIBILITIES, query.visibility))
    return [
        (name, label, options if value in options else {**options, value: value}, value)
        for name, label, options, value in lists
    ]


def _chips(request: HttpRequest, query: Query) -> list[tuple[str, str]]:
    """Each filter as people type it, and the address without it; what has a list of its own in
    the page is left to that."""
    found = []
    for name, value in active(query):
        if name == "show" and not request.GET.get("q"):
            continue
        values = {k: v for k, v in _values(request).items() if PARAMETERS.get(k) != name}
        values.pop("after", None)
        if name in ("arch", "os"):
            values.pop("platform", None)
        if "q" in values:
            values["q"] = write(without(parse(_without_client(values["q"])), name))
        address = f"{request.path}?{urlencode(values)}" if values else request.path
        found.append((term(name, value), address))
    return found


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


def _answer(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """The page, or the region of its rows for htmx, which then shows an address without what was
    left empty in the form."""
    if not wants_part(request):
        return render(request, template, context)
    response = render(request, "search/_results.html", context)
    values = _values(request)
    response["HX-Push-Url"] = f"{request.path}?{urlencode(values)}" if values else request.path
    return response
