"""Celery entry points, and the search whose results are watched."""

from __future__ import annotations

from celery import shared_task

from accounts.types import Principal
from notices import handlers
from notices.services import searches
from search.query import parse
from search.selectors import find_ids


@shared_task(name="notices.tasks.take_up_invitation")  # type: ignore[untyped-decorator]
def take_up_invitation(is_repository: bool, pk: int) -> None:
    """Tell somebody with an account of an invitation."""
    handlers.take_up_invitation(is_repository, pk)


def look_again() -> int:
    """Tell of what watched searches find now; returns of how many results was told."""
    return searches.look_again(find)


def find(principal: Principal, text: str, most: int) -> list[int]:
    """Ids of what a search finds, as its page does."""
    return find_ids(principal, parse(text), most=most)
