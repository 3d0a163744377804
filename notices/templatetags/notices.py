"""The bell and the watch button: `{% load notices %}`."""

from __future__ import annotations

from typing import Any

from django import template

from accounts.authentication import principal_from
from notices.selectors import unread_count, watch_state
from repos.access import Access

register = template.Library()


@register.inclusion_tag("notices/_bell.html", takes_context=True)
def bell(context: template.Context) -> dict[str, Any]:
    """How many unread notices there are; one query for who is signed in, none for others."""
    principal = principal_from(context["request"])
    return {"unread": 0 if principal.is_anonymous else unread_count(principal)}


@register.inclusion_tag("notices/_watch_button.html", takes_context=True)
def watch_button(context: template.Context, access: Access) -> dict[str, Any]:
    """The button in the head of a repository's pages; one query."""
    return button_of(access)


def button_of(access: Access) -> dict[str, Any]:
    """What the button shows."""
    level, watchers = watch_state(access.principal, access.repository)
    return {
        "access": access,
        "repository": access.repository,
        "level": level,
        "watchers": watchers,
    }
