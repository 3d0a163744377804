"""The only authority on who may do what with a repository: one decision and its set forms."""

from __future__ import annotations

from repos.permissions.decision import (
    Action,
    Decision,
    allowed_actions,
    decide,
    may_create,
    require,
)
from repos.permissions.lists import (
    find_moved,
    find_visible,
    had_path,
    held_by,
    member_ids,
    visible_each,
    visible_in,
    visible_to,
)
from repos.permissions.roles import Held, held_roles

__all__ = [
    "Action",
    "Decision",
    "Held",
    "allowed_actions",
    "decide",
    "find_moved",
    "find_visible",
    "had_path",
    "held_by",
    "held_roles",
    "may_create",
    "member_ids",
    "require",
    "visible_each",
    "visible_in",
    "visible_to",
]
