"""What somebody's own log may tell them about repositories they cannot see."""

from __future__ import annotations

from dataclasses import replace

from django.db.models import Q

from accounts.types import Principal
from events.selectors import Trail
from repos.permissions.lists import visible_to


def without_hidden(trail: Trail, principal: Principal) -> Trail:
    """A log without refusals and requests about repositories that are hidden from its reader.

    Where there is nothing at an address no repository is noted; so an entry would tell.
    """
    visible = visible_to(principal).values("pk")
    done = Q(outcome="") & ~Q(kind="access.requested")
    told = done | Q(repository_id__isnull=True) | Q(repository_id__in=visible)
    return replace(trail, parts=tuple(part.filter(told) for part in trail.parts))
