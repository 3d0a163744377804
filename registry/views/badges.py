"""Badges of a repository, as pictures for READMEs and pages elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from core.errors import NotFound
from core.text import compact_count, human_bytes
from registry.badges import UNKNOWN, draw
from registry.overview import version_of
from registry.selectors import size_of
from repos.access import enter
from repos.models import Repository

FRESH_S = 300
# Words in pictures are English: they stand in READMEs whose readers have no language here.
KINDS: dict[str, Callable[[Repository], str]] = {
    "version": lambda repository: version_of(repository) or "none",
    "size": lambda repository: human_bytes(size_of(repository)),
    "pulls": lambda repository: compact_count(repository.pull_count),
}


@require_safe
def badge(request: HttpRequest, path: str, kind: str) -> HttpResponseBase:
    """Version, size or pulls.

    Where there is nothing to see, hidden or absent, a grey badge says "unknown": a picture that
    is broken tells its reader less. Only what everybody may see is kept by caches.
    """
    if kind not in KINDS:
        raise NotFound("There is no such badge.")
    try:
        repository = enter(request, path).repository
    except NotFound:
        return _picture(draw(kind, "unknown", UNKNOWN), status=404)
    response = _picture(draw(kind, KINDS[kind](repository)))
    if not repository.is_public:
        return response
    response["Cache-Control"] = f"public, max-age={FRESH_S}"
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    response["ETag"] = etag
    return get_conditional_response(request, etag=etag, response=response) or response


def _picture(svg: str, status: int = 200) -> HttpResponse:
    return HttpResponse(svg, "image/svg+xml; charset=utf-8", status=status)
