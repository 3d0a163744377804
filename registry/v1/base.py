"""The view every endpoint of /v1 extends: headers, small JSON bodies, one door out for errors."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request

from core.errors import Invalid, NotFound, TooLarge
from core.views import BareView
from registry.v1 import errors
from registry.v2.base import RequestBody, content_length

VERSION = "0.9.1"  # the last release of the registry whose API this is
MAX_BODY_BYTES = 64 * 1024
FOREVER_S = 365 * 24 * 3600
EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"


class LegacyView(BareView):
    """Handlers get `self.plain`, the request as it came."""

    always_on = False  # else HUB_V1 decides
    pushing: tuple[str, ...] = ()  # methods that are there with HUB_V1=push only

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what is switched off."""
        super().initial(request, *args, **kwargs)
        if not self.always_on and settings.HUB.v1 == "search":
            raise NotFound("the old registry API is switched off here; use /v2")
        if settings.HUB.v1 != "push" and request.method in self.pushing:
            raise MethodNotAllowed(request.method)

    @property
    def allowed_methods(self) -> list[str]:
        """What is offered, which is less where pushing is switched off."""
        off = () if settings.HUB.v1 == "push" else self.pushing
        return [method for method in super().allowed_methods if method not in off]

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Headers of every answer, errors included."""
        response["X-Docker-Registry-Version"] = VERSION
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Security-Policy"] = "sandbox; default-src 'none'"
        if "Cache-Control" not in response:
            known = "HTTP_AUTHORIZATION" in self.plain.META
            response["Cache-Control"] = "private, no-store" if known else "no-cache"
        if "Expires" not in response:
            response["Pragma"] = "no-cache"
            response["Expires"] = "-1"
        return response

    def render_error(self, error: Exception) -> HttpResponseBase:
        """See registry/v1/errors.py."""
        if isinstance(error, MethodNotAllowed):
            error.allowed = self.allowed_methods  # type: ignore[attr-defined]
        return errors.render(error, self.plain)

    def answer(self, body: Any = True, *, status: int = 200) -> HttpResponse:
        """JSON with its length; what has nothing to say answers `true`."""
        return errors.json_response(body, self.plain, status=status)

    def small_body(self, limit: int = MAX_BODY_BYTES) -> bytes:
        """The body of a request that sets something; raises TooLarge."""
        if (content_length(self.plain) or 0) > limit:
            raise TooLarge(f"the body may be at most {limit} bytes")
        pieces, size = [], 0
        for piece in RequestBody(self.plain):
            size += len(piece)
            if size > limit:
                raise TooLarge(f"the body may be at most {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def json_object(self, complaint: str) -> dict[str, Any]:
        """The body as a JSON object; raises Invalid with `complaint`."""
        try:
            document = json.loads(self.small_body())
        except (ValueError, RecursionError) as error:
            raise Invalid(complaint) from error
        if not isinstance(document, dict):
            raise Invalid(complaint)
        return document


def lasting(request: HttpRequest, response: HttpResponseBase, *, public: bool) -> HttpResponseBase:
    """What an id names never changes; private content stays out of every cache.

    A client that has it already may be told so, now that it was allowed to ask.
    """
    if not public:
        response["Cache-Control"] = "private, no-store"
        return response
    response["Cache-Control"] = f"public, max-age={FOREVER_S}"
    response["Expires"] = errors.http_date_in(FOREVER_S)
    response["Last-Modified"] = EPOCH
    if response.status_code == 200 and errors.was_seen(request):
        fresh = HttpResponse(status=304)
        del fresh["Content-Type"]
        for name in ("Cache-Control", "Expires", "Last-Modified", "ETag"):
            if name in response:
                fresh[name] = response[name]
        response.close()
        return fresh
    return response


class UnknownView(LegacyView):
    """Everything under /v1 that is no endpoint: 404 for every method, never a page."""

    always_on = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("this is not an endpoint of the registry")
