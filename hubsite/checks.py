"""System checks: settings that are each fine and together are not."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register
from django.core.checks.registry import registry


def own_warnings() -> list[CheckMessage]:
    """What the checks of this file find now, those for real use included."""
    mine = [c for c in registry.get_checks(True) if c.__module__ == __name__]
    return [found for check in mine for found in check(app_configs=None, databases=None)]


@register()
def grace_periods(**_: Any) -> list[CheckMessage]:
    """Grace periods that let the collector take what a client still counts on."""
    hub = settings.HUB
    found: list[CheckMessage] = []
    if hub.push_grace_s < hub.upload_lifetime_s:
        found.append(
            Warning(
                "HUB_PUSH_GRACE_S is shorter than HUB_UPLOAD_LIFETIME_S.",
                hint="A slow push could find its first layers collected; make it at least as long.",
                id="hub.W001",
            )
        )
    if hub.discard_grace_s < 60:
        found.append(
            Warning(
                "HUB_DISCARD_GRACE_S is under a minute.",
                hint="Downloads that run longer than that may be cut; two hours is the default.",
                id="hub.W002",
            )
        )
    return found


@register(deploy=True)
def plain_http(**_: Any) -> list[CheckMessage]:
    """Cookies and passwords in the clear."""
    if settings.HTTPS or settings.HUB.external_url.startswith("http://localhost"):
        return []
    return [
        Warning(
            "HUB_EXTERNAL_URL is plain HTTP.",
            hint="Put a front with TLS before the hub and set an https:// address.",
            id="hub.W003",
        )
    ]
