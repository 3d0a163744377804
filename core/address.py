"""Where a caller sits, seen through a known number of proxies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def client_address(environ: Mapping[str, Any], trusted_proxies: int) -> str:
    """The address of the first hop we do not run ourselves; `X-Forwarded-For` is only believed
    for as many hops as are ours."""
    direct = str(environ.get("REMOTE_ADDR", ""))
    if trusted_proxies < 1:
        return direct
    hops = [hop.strip() for hop in str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")]
    hops = [hop for hop in hops if hop]
    return hops[-trusted_proxies] if len(hops) >= trusted_proxies else direct
