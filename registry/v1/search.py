"""`GET /v1/search`: what `docker search` and `podman search` ask."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.models import Namespace
from accounts.types import ANONYMOUS, Principal
from core.errors import Invalid
from registry.v1.auth import Caller, read_caller
from registry.v1.base import LegacyView
from registry.v1.errors import AuthorizationRequired
from repos.models import Repository
from search.query import parse
from search.selectors import find_ids, load

DEFAULT_RESULTS = 25
MAX_RESULTS = 100
MAX_TERM_CHARS = 200
MAX_TOTAL = 1000  # what is beyond is neither counted nor shown
_MAX_DIGITS = 9


class SearchView(LegacyView):
    """Repositories the caller may see; totals count nothing else, and end at MAX_TOTAL."""

    always_on = True

    def get(self, request: Request) -> HttpResponse:
        caller = read_caller(self.plain)
        term = self.plain.GET.get("q", "")
        if len(term) > MAX_TERM_CHARS or "\0" in term:
            raise Invalid(f"q may have at most {MAX_TERM_CHARS} characters")
        size = min(self._number("n", DEFAULT_RESULTS), MAX_RESULTS)
        page = self._number("page", 1)
        found = find_ids(_seen_as(caller), parse(term), most=MAX_TOTAL)
        total = len(found)
        if not total and self._asks_catalog(caller):
            raise AuthorizationRequired
        start = (page - 1) * size
        results = [_result(row) for row in load(found[start : start + size])]
        return self.answer(
            {
                "query": term,
                "num_results": total,
                "num_pages": -(-total // size),
                "page": page,
                "page_size": size,
                "results": results,
            }
        )

    def _asks_catalog(self, caller: Caller) -> bool:
        """podman never signs in here; told to, it signs in at `/v2/_catalog` and looks there."""
        client = self.plain.headers.get("User-Agent", "")
        return not caller.grant.presented and client.startswith("containers/")

    def _number(self, name: str, default: int) -> int:
        text = self.plain.GET.get(name, "") or str(default)
        if not (text.isascii() and text.isdigit()) or len(text) > _MAX_DIGITS or int(text) < 1:
            raise Invalid(f"{name} must be a whole number from 1 on")
        return int(text)


def _seen_as(caller: Caller) -> Principal:
    """A registry token for something else does not show what is private.

    Engines that are signed in for good ask for one for `registry:catalog:search`. One that is for
    nothing says who asks, as at sign-in.
    """
    grant = caller.grant
    may_search = not grant.access or any(
        grant.covers("catalog", action, kind="registry") for action in ("search", "*")
    )
    return caller.principal if may_search and caller.token is None else ANONYMOUS


def _result(repository: Repository) -> dict[str, Any]:
    return {
        "name": repository.path,
        "description": repository.description,
        "star_count": repository.star_count,
        "is_official": repository.namespace.kind == Namespace.Kind.LIBRARY,
        "is_automated": False,
        "is_trusted": False,
    }
