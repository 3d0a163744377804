"""What is served beyond the specification (extensions/_oci.md: `_oci/ext/discover`)."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from registry.v2.auth import authorise, read_grant
from registry.v2.base import RegistryView
from registry.v2.errors import Challenge
from registry.v2.headers import cache_control

_SPECIFICATION = "https://github.com/opencontainers/distribution-spec/blob/main/extensions"
DISCOVER = {
    "name": "_oci",
    "url": f"{_SPECIFICATION}/_oci.md",
    "description": "which extensions this registry serves",
    "endpoints": ["_oci/ext/discover"],
}
CATALOG = {
    "name": "_catalog",
    "url": f"{_SPECIFICATION}/README.md",
    "description": "the repositories that the caller may pull, in pages of n after last",
    "endpoints": ["_catalog"],
}


class DiscoverView(RegistryView):
    """`/v2/_oci/ext/discover` and `/v2/<name>/_oci/ext/discover`."""

    def get(self, request: Request, name: str | None = None) -> HttpResponse:
        served: list[dict[str, Any]] = [DISCOVER]
        public = False
        if name is not None:
            public = authorise(self.plain, name, "pull").repository.is_public
        elif read_grant(self.plain).presented:
            served.append(CATALOG)
        else:
            raise Challenge("authentication required")
        response = self.answer({"extensions": served})
        response["Cache-Control"] = cache_control(False, public)
        return response
