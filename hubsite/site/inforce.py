"""The settings in force: each with its value, where that comes from, and no secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from pydantic import BaseModel, SecretStr

from accounts.authentication import principal_from
from hubsite import config
from hubsite.site.entrance import administrators_only, note_view, show

_SECRET_NAME = re.compile(r"secret|password|passwd|key|token$|credential", re.IGNORECASE)
MASK = "••••••"


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the page."""

    name: str
    value: str
    source: str
    description: str


@administrators_only
@require_safe
def settings_page(request: HttpRequest) -> HttpResponse:
    """Every setting of the hub."""
    note_view(principal_from(request), "settings")
    names = {
        "environment": _("environment"),
        "secret file": _("secret file"),
        "file": _("configuration file"),
        "old name": _("environment, under an old name"),
        "default": _("default"),
    }
    rows = [
        Setting(
            name=f"HUB_{name.upper()}",
            value=masked(getattr(settings.HUB, name), name),
            source=names[settings.HUB_SOURCES[name]],
            description=" ".join((field.description or "").split()),
        )
        for name, field in config.Config.model_fields.items()
    ]
    return show(request, "settings", "settings", {"rows": rows, "notes": config.notes()})


def masked(value: Any, name: str = "") -> str:
    """A value as the page may show it: of what may hold a secret only that it is there."""
    if value in (None, "", [], {}):
        return ""
    shown = _mask(value, name)
    return shown if isinstance(shown, str) else repr(shown)


def _mask(value: Any, name: str) -> Any:
    if isinstance(value, BaseModel):
        value = {key: getattr(value, key) for key in type(value).model_fields}
    if isinstance(value, dict):
        return {key: _mask(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_mask(inner, name) for inner in value]
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
