"""What to type and what to paste, with the reader's own names: `{% load commands %}`."""

from __future__ import annotations

import re
from typing import Any

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from repos.commands import push_commands, recipes
from repos.models import Repository

register = template.Library()
BADGES = ("version", "size", "pulls")
NOBODY = "you"


@register.inclusion_tag("components/push.html", takes_context=True)
def first_steps(context: template.Context, path: str, wide: bool = False) -> dict[str, Any]:
    """Show how to push to `path` with each client, as the reader."""
    host = settings.EXTERNAL_HOST
    clients = push_commands(host, path, _reader(context), https=settings.HTTPS)
    return {
        "clients": [
            (client, [(_title(line), line) for line in lines]) for client, lines in clients
        ],
        "key": re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-"),
        "label": _("Push an image"),
        "is_wide": wide,
    }


@register.inclusion_tag("components/recipes.html", takes_context=True)
def ci_recipes(context: template.Context, path: str) -> dict[str, Any]:
    """Show files for CI systems that build and push to `path`."""
    reader = _reader(context)
    return {
        "recipes": recipes(settings.EXTERNAL_HOST, path, reader),
        "user": reader,
        "is_signed_in": reader != NOBODY,
    }


@register.inclusion_tag("components/badges.html")
def repository_badges(repository: Repository) -> dict[str, Any]:
    """Show the badges of a repository and the Markdown that puts them elsewhere."""
    outer = settings.HUB.external_url
    page = outer + reverse("repository", args=[repository.path])
    badges = []
    for kind in BADGES:
        path = reverse("badge", args=[repository.path, kind])
        markdown = f"[![{repository.path}: {kind}]({outer}{path})]({page})"
        badges.append({"kind": kind, "path": path, "markdown": markdown})
    return {"badges": badges, "is_public": repository.is_public}


def _reader(context: template.Context) -> str:
    user = context.get("user")
    return user.username if user is not None and user.is_authenticated else NOBODY


def _title(line: str) -> str:
    """What a line of `push_commands` does."""
    words = line.split()
    if "login" in words:
        return _("Sign in once")
    if "tag" in words:
        return _("Name your image")
    return _("Save it to a file") if "save" in words else _("Push it")
