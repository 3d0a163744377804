"""Settings as people may see them: of what may hold a secret only that it is there."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

_SECRET_NAME = re.compile(r"secret|password|passwd|key|token$|credential", re.IGNORECASE)
MASK = "••••••"


def masked(value: Any, name: str = "") -> str:
    """A value as a page may show it."""
    if value in (None, "", [], {}):
        return ""
    shown = mask(value, name)
    return shown if isinstance(shown, str) else repr(shown)


def mask(value: Any, name: str = "") -> Any:
    """The same as plain lists, maps, numbers, texts and None, for JSON."""
    if value is None:
        return None
    if isinstance(value, BaseModel):
        value = {key: getattr(value, key) for key in type(value).model_fields}
    if isinstance(value, dict):
        return {key: mask(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask(inner, name) for inner in value]
    if isinstance(value, SecretStr) or (isinstance(value, str) and _SECRET_NAME.search(name)):
        return MASK if value else ""
    if isinstance(value, str) and "://" in value:
        return _without_password(value)
    return value if isinstance(value, bool | int | float | str) else str(value)


def _without_password(url: str) -> str:
    """An address without who signs in there, nor what follows a question mark."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    netloc = parts.netloc
    if "@" in netloc:
        netloc = f"{MASK}@{netloc.rpartition('@')[2]}"
    query = MASK if parts.query else ""
    return parts._replace(netloc=netloc, query=query, fragment="").geturl()
