"""Role to URL configuration: the registry lane and the portal."""

from __future__ import annotations

REGISTRY_PREFIXES = ("/v1", "/v2", "/token", "/_ping")
REGISTRY_URLCONF = "hubsite.registry_urls"
