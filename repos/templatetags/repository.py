"""The head that every page of a repository begins with: `{% load repository %}`."""

from __future__ import annotations

import re
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from core.markdown import to_html
from repos.access import enter
from repos.selectors import has_starred

register = template.Library()
# Another app's part of the head, where that app is installed.
_WATCH = ("notices/_watch.html", "components/nothing.html")
_HEADING = re.compile(r"<(/?)h([1-5])\b")


@register.inclusion_tag("repos/_head.html", takes_context=True)
def repository_head(context: template.Context, tab: str = "") -> dict[str, Any]:
    """Name, star and tabs. Uses the page's `access`, or asks for it with its `repository`."""
    access = context.get("access") or enter(context["request"], context["repository"].path)
    path = access.repository.path
    shown = getattr(context.get("content"), "shown", None)
    return {
        "request": context["request"],
        "access": access,
        "repository": access.repository,
        "starred": has_starred(access.principal, access.repository),
        "tab": tab,
        "tag_total": context.get("tag_total", 0),
        "reference": f"{context.get('registry_host', '')}/{path}:{shown.name}" if shown else "",
        "digest": shown.manifest.digest if shown else "",
        "watch": _WATCH,
    }


@register.filter
def markdown(source: str) -> SafeString:
    """Text that was not kept as HTML, cleaned, as part of a page."""
    return prose(to_html(source))


@register.filter
def prose(html: str) -> SafeString:
    """Kept, cleaned HTML as part of a page.

    Headings go one level down, for a page has one title; long code scrolls by keyboard too. Both
    changes leave quotes alone, so that they are harmless wherever they match.
    """
    lower = _HEADING.sub(lambda m: f"<{m[1]}h{int(m[2]) + 1}", html)
    return mark_safe(lower.replace("<pre>", "<pre tabindex=0>"))  # noqa: S308
