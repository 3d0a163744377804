"""Comments: Markdown in, safe HTML kept beside it. Callers have already decided who may comment."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.types import Principal
from core.errors import Denied, NotFound
from core.markdown import to_html
from events.services import record
from repos.errors import CommentInvalid
from repos.models import Comment, Repository
from repos.permissions import decide

MAX_CHARS = 10_000


def add_comment(repository: Repository, *, principal: Principal, body: str) -> Comment:
    """Add a comment; raises CommentInvalid."""
    body = _checked(body)
    with transaction.atomic():
        comment = Comment.objects.create(
            repository=repository,
            author_id=principal.user_id,
            body=body,
            body_html=to_html(body),
        )
        _count(repository, 1)
        record(
            "comment.added",
            actor=principal.actor,
            repository_id=repository.pk,
            repository_path=repository.path,
            payload={"comment_id": comment.pk},
        )
    return comment


def edit_comment(comment: Comment, *, principal: Principal, body: str) -> Comment:
    """Change one's own words; raises CommentInvalid, Denied for anybody else's."""
    if not may_edit(comment, principal):
        raise Denied("Only the author can edit a comment.", code="not_author")
    comment.body = _checked(body)
    comment.body_html = to_html(comment.body)
    comment.edited_at = timezone.now()
    comment.save(update_fields=["body", "body_html", "edited_at"])
    return comment


def delete_comment(comment: Comment, *, principal: Principal) -> None:
    """Take a comment away: its author, or an administrator of the repository; raises Denied."""
    if not may_delete(comment, principal):
        raise Denied(
            "Only the author or an administrator of the repository can delete a comment.",
            code="not_author",
        )
    with transaction.atomic():
        gone = Comment.objects.filter(pk=comment.pk, deleted_at=None).update(
            deleted_at=timezone.now()
        )
        if not gone:
            raise NotFound("There is no such comment.")
        _count(comment.repository, -1)


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


def _checked(body: str) -> str:
    text = body.strip()
    if not text:
        raise CommentInvalid("A comment needs some text.")
    if len(text) > MAX_CHARS:
        raise CommentInvalid(f"A comment may have at most {MAX_CHARS} characters.")
    return text


def _count(repository: Repository, change: int) -> None:
    Repository.objects.filter(pk=repository.pk).update(comment_count=F("comment_count") + change)
