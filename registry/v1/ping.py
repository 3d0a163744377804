"""`GET /v1/_ping`: is this a registry, and does it answer for its own accounts?"""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from registry.v1.base import LegacyView


class PingView(LegacyView):
    """Not standalone: clients then use the tokens of the index, and send Basic only to get them."""

    always_on = True

    def get(self, request: Request) -> HttpResponse:
        response = self.answer({})
        response["X-Docker-Registry-Standalone"] = "False"
        return response
