"""Comments: Markdown in, safe HTML kept beside it. Callers have already decided who may comment."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from accounts.types import Principal
from core.errors import Denied, NotFound
from core.markdown import mentioned, to_html
from events.services import audit, record
from events.types import Actor
from repos.errors import CommentInvalid, CommentsClosed
from repos.models import Comment, Repository
from repos.permissions import decide

MAX_CHARS = 10_000
MAX_MENTIONS = 20  # that become links, and of whom somebody is told


def add_comment(
    repository: Repository, *, principal: Principal, body: str, tag: str = "", digest: str = ""
) -> Comment:
    """Add a comment, about a tag or a manifest if they are given; `digest` is what the tag is now.

    Raises CommentInvalid, CommentsClosed.
    """
    check_open(repository)
    body = _checked(body)
    with transaction.atomic():
        comment = Comment.objects.create(
            repository=repository,
            author_id=principal.user_id,
            body=body,
            body_html=body_to_html(body),
            tag=tag,
            digest=digest,
        )
        _count(repository, 1)
        record(
            "comment.added",
            actor=principal.actor,
            repository_id=repository.pk,
            repository_path=repository.path,
            namespace_id=repository.namespace_id,
            payload={"comment_id": comment.pk},
        )
    return comment


def edit_comment(comment: Comment, *, principal: Principal, body: str) -> Comment:
    """Change one's own words; raises CommentInvalid, CommentsClosed, Denied for anybody else's."""
    if not may_edit(comment, principal):
        raise Denied("Only the author can edit a comment.", code="not_author")
    check_open(comment.repository)
    comment.body = _checked(body)
    comment.body_html = body_to_html(comment.body)
    comment.edited_at = timezone.now()
    with transaction.atomic():
        comment.save(update_fields=["body", "body_html", "edited_at"])
        repository = comment.repository
        record(
            "comment.edited",
            actor=principal.actor,
            repository_id=repository.pk,
            repository_path=repository.path,
            namespace_id=repository.namespace_id,
            payload=_about(comment),
        )
    return comment


def delete_comment(comment: Comment, *, principal: Principal) -> None:
    """Take a comment away: its author, or an administrator of the repository; raises Denied."""
    if not may_delete(comment, principal):
        raise Denied(
            "Only the author or an administrator of the repository can delete a comment.",
            code="not_author",
        )
    with transaction.atomic():
        rows = Comment.objects.select_for_update().filter(pk=comment.pk, deleted_at=None)
        row = rows.first()
        if row is None:
            raise NotFound("There is no such comment.")
        rows.update(deleted_at=timezone.now())
        if row.hidden_at is None:
            _count(comment.repository, -1)
        _audit("comment.deleted", comment, principal.actor)


def hide_comment(comment: Comment, *, actor: Actor) -> None:
    """Keep a comment from all but its author and administrators; repeating it changes nothing."""
    with transaction.atomic():
        shown = Comment.objects.filter(pk=comment.pk, deleted_at=None, hidden_at=None)
        now = timezone.now()
        if shown.update(hidden_at=now, hidden_by_name=actor.name):
            comment.hidden_at, comment.hidden_by_name = now, actor.name
            _count(comment.repository, -1)
            _audit("comment.hidden", comment, actor)


def unhide_comment(comment: Comment, *, actor: Actor) -> None:
    """Show a hidden comment to everybody again; repeating it changes nothing."""
    with transaction.atomic():
        hidden = Comment.objects.filter(pk=comment.pk, deleted_at=None, hidden_at__isnull=False)
        if hidden.update(hidden_at=None, hidden_by_name=""):
            comment.hidden_at, comment.hidden_by_name = None, ""
            _count(comment.repository, 1)
            _audit("comment.shown", comment, actor)


def check_open(repository: Repository) -> None:
    """Raises CommentsClosed where nothing can be said at present."""
    if not repository.comments_open:
        sentence = (
            f"Comments on {repository.path} are closed. What was said stays readable; its "
            "administrators can open them again."
        )
        raise CommentsClosed(sentence, reasons=(sentence,))


def may_edit(comment: Comment, principal: Principal) -> bool:
    """Its author, with a credential that may comment."""
    return (
        comment.author_id is not None
        and comment.author_id == principal.user_id
        and decide(principal, "comment", comment.repository).allowed
    )


def may_delete(comment: Comment, principal: Principal) -> bool:
    """Its author, or somebody who administers the repository."""
    return (
        may_edit(comment, principal) or decide(principal, "administer", comment.repository).allowed
    )


def body_to_html(body: str) -> str:
    """Safe HTML, with links to the people it calls by name."""
    names = mentioned(body)[:MAX_MENTIONS]
    if not names:
        return to_html(body)
    people = User.objects.filter(username__in=names, robot_namespace=None, is_active=True)
    return to_html(body, frozenset(people.values_list("username", flat=True)))


def _checked(body: str) -> str:
    text = body.strip()
    if not text:
        raise CommentInvalid("A comment needs some text.")
    if len(text) > MAX_CHARS:
        raise CommentInvalid(f"A comment may have at most {MAX_CHARS} characters.")
    return text


def _count(repository: Repository, change: int) -> None:
    Repository.objects.filter(pk=repository.pk).update(comment_count=F("comment_count") + change)


def _audit(kind: str, comment: Comment, actor: Actor) -> None:
    audit(
        kind,
        actor=actor,
        repository_id=comment.repository_id,
        repository_path=comment.repository.path,
        namespace_id=comment.repository.namespace_id,
        payload=_about(comment),
    )


def _about(comment: Comment) -> dict[str, object]:
    """Which one, and whose it is; never the words, which may have gone for a reason."""
    author = comment.author
    return {"comment_id": comment.pk, "author": author.username if author else ""}
