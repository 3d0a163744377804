"""The settings in force: each with its value, where that comes from, and no secret."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.authentication import principal_from
from hubsite import config
from hubsite.masking import MASK, masked
from hubsite.site.entrance import administrators_only, note_view, show

__all__ = ["MASK", "masked", "settings_page"]


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
        "old name": _("an old name"),
        "default": _("default"),
    }
    rows = [
        Setting(
            name=f"HUB_{name.upper()}",
            value=masked(getattr(settings.HUB, name), name),
            source=_source(names, settings.HUB_ORIGINS[name], f"HUB_{name.upper()}"),
            description=" ".join((field.description or "").split()),
        )
        for name, field in config.Config.model_fields.items()
    ]
    return show(request, "settings", "settings", {"rows": rows, "notes": config.notes()})


def _source(names: dict[str, str], origin: config.Origin, name: str) -> str:
    """Where from, and what says more than the setting's own name."""
    if origin.detail in ("", name):
        return names[origin.kind]
    return f"{names[origin.kind]}: {origin.detail}"
