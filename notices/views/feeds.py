"""Atom feeds. With `key`, the reader is whose key it is; a wrong one finds nothing at all."""

from __future__ import annotations

import hashlib

from django.http import HttpRequest
from django.http.response import HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.utils.translation import override
from django.views.decorators.http import require_safe

from accounts.authentication import principal_from
from accounts.selectors import find_namespace, find_renamed
from accounts.types import Principal
from core.errors import NotFound
from notices.atom import CONTENT_TYPE, Feed, to_xml
from notices.feeds import feed_of_namespace, feed_of_notices, feed_of_repository
from notices.services.feed_keys import reader_of
from repos.errors import Moved
from repos.permissions import find_moved, find_visible


@require_safe
def repository_feed(request: HttpRequest, path: str) -> HttpResponseBase:
    """What happened in a repository."""
    principal = _reader(request)
    repository = find_visible(principal, path)
    if repository is None:
        moved = find_moved(principal, path)
        if moved is not None:
            raise Moved(path, moved.path)
        raise NotFound("There is no such feed.")
    with override("en"):
        return _answer(request, feed_of_repository(repository))


@require_safe
def namespace_feed(request: HttpRequest, name: str) -> HttpResponseBase:
    """What happened in the repositories of a person or an organization."""
    principal = _reader(request)
    namespace = find_namespace(name)
    if namespace is None:
        renamed = find_renamed(name)
        if renamed is not None:
            raise Moved(name, renamed.name)
        raise NotFound("There is no such feed.")
    with override("en"):
        return _answer(request, feed_of_namespace(namespace, principal))


@require_safe
def notices_feed(request: HttpRequest) -> HttpResponseBase:
    """What a person was told."""
    principal = _reader(request)
    if principal.is_anonymous:
        raise NotFound("There is no such feed.")
    with override("en"):
        return _answer(request, feed_of_notices(principal))


def _reader(request: HttpRequest) -> Principal:
    """Whose eyes the feed is for; raises NotFound for a key that is nobody's."""
    key = request.GET.get("key")
    return principal_from(request) if key is None else reader_of(key)


def _answer(request: HttpRequest, feed: Feed) -> HttpResponseBase:
    body = to_xml(feed)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    moment = int(feed.changed_at.timestamp())
    response = HttpResponse(body, CONTENT_TYPE)
    response["ETag"] = etag
    response["Last-Modified"] = http_date(moment)
    response["Cache-Control"] = "private, no-cache"
    answer = get_conditional_response(request, etag, moment, response)
    assert answer is not None  # there is a response to choose
    return answer
