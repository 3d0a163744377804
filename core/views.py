"""The trimmed REST framework view under /v1, /v2 and /token.

No content negotiation, no parsers, no session, no CSRF, no throttles: container clients send
`Accept` and `Content-Type` headers that the framework would refuse, and bodies it would read into
memory.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView


class BareView(APIView):
    """Handlers take the plain Django request and answer with plain Django responses."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = ()
    throttle_classes = ()
    renderer_classes = (JSONRenderer,)
    metadata_class = None
    schema = None

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Leave the body alone: the framework's wrapper would offer to parse it."""
        self.plain = request
        return super().initialize_request(request, *args, **kwargs)

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[JSONRenderer, str]:
        """Whatever the client accepts, it gets what there is."""
        return JSONRenderer(), "application/json"

    def handle_exception(self, exc: Exception) -> Any:
        """One door out: subclasses render every error of their protocol."""
        return self.render_error(exc)

    def render_error(self, error: Exception) -> HttpResponseBase:
        """The protocol's answer for an error; the default lets it through."""
        raise error
