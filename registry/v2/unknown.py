"""Everything under /v2 that is no endpoint: still the protocol's JSON, never a page."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from core.errors import NotFound
from registry.v2.base import RegistryView


class UnknownView(RegistryView):
    """404 for every method."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("this is not an endpoint of the registry", code="UNSUPPORTED")
