"""What feeds hold: what happened in repositories that their reader may see at this moment."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import Namespace, User
from accounts.types import Principal
from events.models import Event
from notices.atom import Entry, Feed
from notices.models import Notice
from notices.selectors import shown_to
from notices.sentences import sentence_of, target_of
from repos.models import Comment, Repository
from repos.permissions import visible_to

ENTRIES = 50
KINDS = ("tag.moved", "comment.added")
_NOTICES = uuid.UUID("b2c9a6de-5a0f-5b1e-9a55-0c64a4a2f6f1")  # names ids of notices


def feed_of_repository(repository: Repository) -> Feed:
    """Its tags, the new ones as releases, and what is said about it."""
    rows = Event.objects.filter(repository_id=repository.pk, kind__in=KINDS)
    path = f"/{repository.path}"
    return Feed(
        title=repository.path,
        path=path,
        self_path=f"{path}/-/feed.atom",
        since=repository.created_at,
        entries=_entries(rows, {repository.pk: repository.path}),
    )


def feed_of_namespace(namespace: Namespace, principal: Principal) -> Feed:
    """The same of all its repositories that the reader may see."""
    visible = visible_to(principal).filter(namespace=namespace)
    rows = Event.objects.filter(
        namespace_id=namespace.pk, kind__in=KINDS, repository_id__in=visible.values("pk")
    )
    found = list(rows.order_by("-pk")[:ENTRIES])
    ids = {event.repository_id or 0 for event in found}
    paths = dict(visible.filter(pk__in=ids).values_list("pk", "path"))
    return Feed(
        title=namespace.name,
        path=f"/{namespace.name}",
        self_path=f"/{namespace.name}/-/feed.atom",
        since=namespace.created_at,
        entries=_of_events(found, paths),
    )


def feed_of_notices(principal: Principal) -> Feed:
    """What a person was told."""
    rows = list(shown_to(principal).order_by("-pk")[:ENTRIES])
    return Feed(
        title=_("Notifications of %(name)s") % {"name": principal.username},
        path="/notifications",
        self_path="/notifications/feed.atom",
        since=User.objects.get(pk=principal.account_id).date_joined,
        entries=[_of_notice(row) for row in rows],
    )


def _entries(rows: QuerySet[Event], paths: dict[int, str]) -> list[Entry]:
    return _of_events(list(rows.order_by("-pk")[:ENTRIES]), paths)


def _of_events(events: Sequence[Event], paths: dict[int, str]) -> list[Entry]:
    """Under present paths; comments that were hidden or deleted, and old news of them, are out."""
    ids = [event.payload["comment_id"] for event in events if event.kind == "comment.added"]
    shown = Comment.objects.filter(pk__in=ids, deleted_at=None, hidden_at=None)
    comments = shown.select_related("author").in_bulk()
    entries = []
    for event in events:
        path = paths.get(event.repository_id or 0)
        if path is None:
            continue
        if event.kind == "tag.moved":
            entries.append(_of_tag(event, path))
        elif comment := comments.get(event.payload["comment_id"]):
            entries.append(_of_comment(event, comment, path))
    return entries


def _of_tag(event: Event, path: str) -> Entry:
    tag = event.payload["tag"]
    facts = {"path": path, "tag": tag}
    is_new = not event.payload.get("previous_digest")
    title = _("New: %(path)s:%(tag)s") if is_new else _("Updated: %(path)s:%(tag)s")
    return Entry(
        uid=str(event.uid),
        title=title % facts,
        path=f"/{path}/-/tags/{tag}",
        author=event.actor_name,
        moment=event.occurred_at,
        category="release" if is_new else "tag",
        html=f"<p><code>{event.payload['digest']}</code></p>",
    )


def _of_comment(event: Event, comment: Comment, path: str) -> Entry:
    author = comment.author.username if comment.author else _("somebody who left")
    return Entry(
        uid=str(event.uid),
        title=_("%(who)s commented on %(path)s") % {"who": author, "path": path},
        path=f"/{path}/-/comments?at={comment.pk}#comment-{comment.pk}",
        author=author,
        moment=max(event.occurred_at, comment.edited_at or event.occurred_at),
        category="comment",
        html=comment.body_html,
    )


def _of_notice(notice: Notice) -> Entry:
    return Entry(
        uid=str(uuid.uuid5(_NOTICES, str(notice.pk))),
        title=sentence_of(notice),
        path=target_of(notice),
        author=notice.actor_name,
        moment=notice.created_at,
        category=notice.kind,
    )
