"""Reading what people are told and what they watch, as far as they may see it now."""

from __future__ import annotations

from django.db.models import BigIntegerField, Count, Exists, Max, OuterRef, Q, QuerySet, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from accounts.models import Membership, Namespace
from accounts.types import Principal
from core.errors import NotFound
from core.prepared import Prepared
from notices.models import FeedKey, Kind, Notice, SearchWatch, Watch
from repos.models import Repository
from repos.permissions import visible_each, visible_in

MOST_COUNTED = 100  # the bell says 99+
# Whether it is worth asking what of it may be shown: every page does.
_unread = Prepared(
    lambda user: Notice.objects.filter(user=user, shown=True, read_at=None).only("pk")[:1],
    BigIntegerField(),
)


def told(principal: Principal) -> QuerySet[Notice]:
    """What a person may be told now: nothing about repositories that are hidden from them, nor of
    comments that were deleted or hidden, nor of webhooks of what they no longer own."""
    visible = visible_each(principal).filter(pk=OuterRef("repository_id"))
    there = Q(comment=None) | Q(comment__deleted_at=None, comment__hidden_at=None)
    rows = Notice.objects.alias(space=Cast(KT("details__namespace"), BigIntegerField()))
    return rows.filter(
        Q(repository=None) & (~Q(kind=Kind.WEBHOOK) | _keeps(principal)) | Exists(visible),
        there,
        user_id=principal.account_id,
    ).select_related("repository")


def _keeps(principal: Principal) -> Q:
    """Webhooks of namespaces they own, and of the server if they administer it."""
    own = Q(user_id=principal.account_id)
    owner = Membership.objects.filter(
        organization=OuterRef("organization"),
        user_id=principal.account_id,
        role=Membership.Role.OWNER,
    )
    kept = Q(Exists(Namespace.objects.filter(own | Exists(owner), pk=OuterRef("space"))))
    return kept | Q(details__server=True) if principal.is_superuser else kept


def shown_to(principal: Principal) -> QuerySet[Notice]:
    """What of it stands on their notifications page."""
    return told(principal).filter(shown=True)


def unread_count(principal: Principal) -> int:
    """How many of those they have not read, up to `MOST_COUNTED`; one query if there are none."""
    if _unread.first(principal.account_id) is None:
        return 0
    rows = shown_to(principal).filter(read_at=None).select_related(None)
    return rows.order_by()[:MOST_COUNTED].count()


def get_notice(principal: Principal, pk: int) -> Notice:
    """One of those that are shown; raises NotFound."""
    notice = shown_to(principal).filter(pk=pk).first()
    if notice is None:
        raise NotFound("There is no such notification.")
    return notice


def watch_state(principal: Principal, repository: Repository) -> tuple[str, int]:
    """How much of a repository somebody watches, nothing if they have not said, and how many
    people watch it; one query."""
    mine = Q(user_id=principal.account_id)
    found = Watch.objects.filter(repository=repository).aggregate(
        total=Count("pk", filter=~Q(level=Watch.Level.NONE)),
        level=Coalesce(Max("level", filter=mine), Value("")),
    )
    return str(found["level"]), int(found["total"])


def watched_by(principal: Principal) -> QuerySet[Watch]:
    """The repositories that a person watches or silenced and may see, by path."""
    visible = visible_in(principal, "repository")
    rows = Watch.objects.filter(visible, user_id=principal.account_id)
    return rows.select_related("repository").order_by("repository__path")


def searches_of(user_id: int) -> list[SearchWatch]:
    """The searches that a person watches, by text."""
    return list(SearchWatch.objects.filter(user_id=user_id).defer("known").order_by("text"))


def get_search(user_id: int, pk: int) -> SearchWatch:
    """One of them; raises NotFound."""
    row = SearchWatch.objects.filter(user_id=user_id, pk=pk).first()
    if row is None:
        raise NotFound("There is no such search.")
    return row


def feed_key_of(user_id: int) -> FeedKey | None:
    """The key of a person's feeds, without its secret, which nobody has but they."""
    return FeedKey.objects.filter(user_id=user_id).first()
