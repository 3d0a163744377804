"""The bell in the top bar, asked again every minute."""

from __future__ import annotations

import hashlib

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from accounts.authentication import principal_from
from notices.selectors import unread_count


@require_safe
def bell(request: HttpRequest) -> HttpResponseBase:
    """The bell as it is now; 304 if nothing has changed, nothing for who is signed out meanwhile:
    a page that is being read does not go away for that."""
    principal = principal_from(request)
    if principal.is_anonymous:
        return HttpResponse(status=204)
    unread = unread_count(principal)
    mark = f"{principal.account_id} {unread} {get_language()}"
    etag = f'"{hashlib.sha256(mark.encode()).hexdigest()[:16]}"'
    response = render(request, "notices/_bell.html", {"unread": unread})
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    answer = get_conditional_response(request, etag, None, response)
    assert answer is not None  # there is a response to choose
    return answer
