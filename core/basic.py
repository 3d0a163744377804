"""`Basic` credentials (RFC 7617)."""

from __future__ import annotations

import base64
import binascii

from core.errors import Unauthenticated


def decode_basic(value: str) -> tuple[str, str]:
    """User name and secret; raises Unauthenticated."""
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise Unauthenticated("The Basic credential is not base64 of name:password.") from error
    username, _, secret = text.partition(":")
    return username, secret
