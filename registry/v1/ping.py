"""`GET /v1/_ping`: is this a registry, and does it answer for its own accounts?"""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from registry.v1.base import LegacyView
from tokens.gate import has_accounts


class PingView(LegacyView):
    """Clients of one that is not standalone use the tokens of the index, and send Basic only to
    get them; to a standalone one they send Basic with every request."""

    always_on = True

    def get(self, request: Request) -> HttpResponse:
        response = self.answer({})
        response["X-Docker-Registry-Standalone"] = str(not has_accounts())
        return response
