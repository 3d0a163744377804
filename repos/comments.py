"""Reading comments: which of them somebody is shown, and where in the list one stands."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from accounts.types import Principal
from core.errors import NotFound
from repos.models import Comment, Repository
from repos.selectors import comments_of


def comments_for(
    principal: Principal, repository: Repository, *, moderates: bool, about: str = ""
) -> QuerySet[Comment]:
    """Comments of a repository, those about a tag or digest only if one is given.

    A hidden one is shown to its author and to whoever `moderates`, and to nobody else.
    """
    rows = comments_of(repository)
    if not moderates:
        rows = rows.filter(Q(hidden_at=None) | Q(author_id=principal.account_id))
    if about:
        rows = rows.filter(digest=about) if ":" in about else rows.filter(tag=about)
    return rows


def comment_for(
    principal: Principal, repository: Repository, pk: int, *, moderates: bool
) -> Comment:
    """One of them; raises NotFound, the same for absent and hidden."""
    comment = comments_for(principal, repository, moderates=moderates).filter(pk=pk).first()
    if comment is None:
        raise NotFound("There is no such comment.")
    return comment


def page_of(rows: QuerySet[Comment], pk: int, size: int) -> int:
    """On which page of `size` rows, newest first, a comment is."""
    return rows.filter(pk__gt=pk).count() // size + 1
