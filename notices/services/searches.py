"""Watching a search: telling of repositories that it finds now and did not find before.

How to search is handed in: `Find` takes who asks, the text, and how many ids at most.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import IntegrityError, transaction

from accounts.services.credentials import principal_of
from accounts.types import Principal
from core.errors import Conflict, Invalid
from notices.models import Kind, SearchWatch
from notices.services.telling import tell
from repos.models import Repository

MAX_SEARCHES = 20  # of one person
MAX_CHARS = 200
WINDOW = 1000  # of the results, which are compared
_PIECE = 200
TOLD = 10  # new results at a time; more are too many to be read
Find = Callable[[Principal, str, int], list[int]]


def watch_search(principal: Principal, text: str, find: Find) -> SearchWatch:
    """Watch a search; what it finds now is known. Raises Invalid, Conflict."""
    text = " ".join(text.replace("\0", "").lower().split())
    if not 1 <= len(text) <= MAX_CHARS:
        raise Invalid(f"A search is 1 to {MAX_CHARS} characters.", code="SEARCH_INVALID")
    if SearchWatch.objects.filter(user_id=principal.account_id).count() >= MAX_SEARCHES:
        raise Conflict(f"You watch {MAX_SEARCHES} searches already; stop one first.")
    known = sorted(find(principal, text, WINDOW))
    try:
        with transaction.atomic():
            return SearchWatch.objects.create(user_id=principal.account_id, text=text, known=known)
    except IntegrityError as error:
        raise Conflict("You watch this search already.") from error


def look_again(find: Find) -> int:
    """Look at every watched search of people in use; returns of how many results was told."""
    told = last = 0
    rows = SearchWatch.objects.filter(user__is_active=True).select_related("user").order_by("id")
    while piece := list(rows.filter(pk__gt=last)[:_PIECE]):
        told += sum(_look(watch, find) for watch in piece)
        last = piece[-1].pk
    return told


def _look(watch: SearchWatch, find: Find) -> int:
    principal = principal_of(watch.user)
    found = sorted(find(principal, watch.text, WINDOW))
    new = _news(found, watch.known)
    if found == watch.known:
        return 0
    with transaction.atomic():
        mine = SearchWatch.objects.select_for_update().filter(pk=watch.pk)
        row = mine.first()
        if row is None or row.known != watch.known:
            return 0  # another worker has looked
        mine.update(known=found)
        rows = Repository.objects.select_related("namespace__organization").in_bulk(new[:TOLD])
        for pk in new[:TOLD]:
            if pk in rows:
                details = {"search": watch.text}
                tell([watch.user_id], Kind.SEARCH, repository=rows[pk], details=details)
    return len(new[:TOLD])


def _news(found: list[int], known: list[int]) -> list[int]:
    """What was not known. Where a search finds more than is compared, only what was made since:
    anything else may have been behind the window before."""
    before = set(known)
    newest = known[-1] if len(known) >= WINDOW else 0
    return [pk for pk in found if pk > newest and pk not in before]
