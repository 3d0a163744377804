"""What every template knows about the site."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """The registry's host as clients name it, the outer address, and whether sign-up is open."""
    return {
        "registry_host": settings.EXTERNAL_HOST,
        "external_url": settings.HUB.external_url,
        "signup_open": settings.HUB.signup == "open",
        "version": settings.VERSION,
    }
