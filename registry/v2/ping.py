"""`GET /v2/` (distribution-spec end-1): clients learn here where to get tokens."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from registry.v2.auth import read_grant
from registry.v2.base import RegistryView
from registry.v2.errors import Challenge


class PingView(RegistryView):
    """Always challenges who comes without a credential, even where anonymous pulls are allowed."""

    def get(self, request: Request) -> HttpResponse:
        if not read_grant(self.plain).presented:
            raise Challenge("authentication required")
        return self.answer({})
