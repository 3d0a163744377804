"""The one door to the administration: whoever may not enter finds nothing there."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from accounts.authentication import principal_from
from accounts.types import Principal
from core.errors import NotFound
from events.services import audit

View = Callable[..., HttpResponseBase]
ROWS = 50
_NOTED_EVERY_S = 3600


def administrators_only(view: View) -> View:
    """404 for everybody else, whatever the method: decided before anything else is looked at."""

    @wraps(view)
    def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not principal_from(request).is_superuser:
            raise NotFound("There is nothing here that you may see.")
        return view(request, *args, **kwargs)

    return entered


def note_view(principal: Principal, page: str) -> None:
    """Record that somebody looked at what is not theirs; once an hour for each page."""
    if cache.add(f"site-viewed:{principal.user_id}:{page}", 1, _NOTED_EVERY_S):
        audit("site.viewed", actor=principal.actor, payload={"page": page})


def show(
    request: HttpRequest, template: str, section: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """A page of the administration; `section` is the one its menu marks."""
    return render(request, f"site/{template}.html", {"section": section, **context}, status=status)
