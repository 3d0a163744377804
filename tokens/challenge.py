"""`WWW-Authenticate` texts: one challenge, every value quoted (RFC 6750; token specification)."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings


def bearer(scopes: Sequence[str] = (), error: str = "") -> str:
    """Where to get a token, for which scopes; `error` tells a client why its token did not do."""
    parts = [
        f'Bearer realm="{settings.HUB.external_url}/token"',
        f'service="{settings.EXTERNAL_HOST}"',
    ]
    if scopes:
        parts.append(f'scope="{" ".join(scopes)}"')
    if error:
        parts.append(f'error="{error}"')
    return ",".join(parts)


BASIC = 'Basic realm="Hub", charset="UTF-8"'
