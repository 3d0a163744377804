"""REST: comments on a repository."""

from __future__ import annotations

from collections.abc import Callable

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import HubView, describe
from core.errors import Denied
from core.paging import page_by_id
from repos.access import Access, enter
from repos.comments import comment_for, comments_for
from repos.limits import refuse_often
from repos.models import Comment
from repos.permissions import decide
from repos.serializers import CommentBodySerializer, CommentSerializer, NewCommentSerializer
from repos.services.comments import (
    add_comment,
    check_open,
    delete_comment,
    edit_comment,
    hide_comment,
    may_edit,
    unhide_comment,
)
from repos.views.about import about_of

TAG = "comments"
Permissions = Callable[[Comment], dict[str, bool]]


class CommentsView(HubView):
    @describe(
        TAG,
        "Comments, newest first",
        operation="comment_list",
        rows=CommentSerializer,
        query=[("tag", "Only those about this tag or digest.")],
        public=True,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}")
        rows = comments_for(
            access.principal,
            access.repository,
            moderates=moderates(access),
            about=self.text("tag"),
        )
        page = page_by_id(rows, **self.paging())
        return self.answer_page(page, CommentSerializer, permissions=permissions(access))

    @describe(
        TAG,
        "Say something about a repository, or about one of its tags",
        operation="comment_create",
        body=NewCommentSerializer,
        answer=CommentSerializer,
        status=201,
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "comment")
        check_open(access.repository)
        values = self.read(NewCommentSerializer)
        about = about_of(access.repository, values.get("tag", ""))
        refuse_often(access.principal, "comment.added")
        comment = add_comment(
            access.repository, principal=access.principal, body=values["body"], **about
        )
        return _answer(access, comment, status=201)


class CommentView(HubView):
    @describe(TAG, "A comment", operation="comment_read", answer=CommentSerializer, public=True)
    def get(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = enter(request, f"{namespace}/{name}")
        return _answer(access, _find(access, id))

    @describe(
        TAG,
        "Change your own comment",
        operation="comment_update",
        body=CommentBodySerializer,
        answer=CommentSerializer,
    )
    def patch(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = enter(request, f"{namespace}/{name}", "comment")
        comment = _find(access, id)
        if not may_edit(comment, access.principal):  # before the body is looked at
            raise Denied("Only the author can edit a comment.", code="NOT_AUTHOR")
        check_open(access.repository)
        body = self.read(CommentBodySerializer)["body"]
        return _answer(access, edit_comment(comment, principal=access.principal, body=body))

    @describe(TAG, "Delete a comment: its author or an administrator", operation="comment_delete")
    def delete(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = enter(request, f"{namespace}/{name}", "comment")
        delete_comment(_find(access, id), principal=access.principal)
        return Response(status=204)


class HiddenView(HubView):
    @describe(TAG, "Keep a comment from all but its author", operation="comment_hide")
    def put(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        hide_comment(_find(access, id), actor=access.principal.actor)
        return Response(status=204)

    @describe(TAG, "Show a hidden comment again", operation="comment_unhide")
    def delete(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        unhide_comment(_find(access, id), actor=access.principal.actor)
        return Response(status=204)


def moderates(access: Access) -> bool:
    """Whether hidden comments are shown to whoever asks."""
    return decide(access.principal, "administer", access.repository).allowed


def permissions(access: Access) -> Permissions:
    """`may_edit` and `may_delete` of the services for a whole list, with two decisions in all."""
    person, repository = access.principal, access.repository
    comments = decide(person, "comment", repository).allowed
    hides = moderates(access)

    def of(comment: Comment) -> dict[str, bool]:
        own = comments and comment.author_id is not None and comment.author_id == person.user_id
        edits = own and repository.comments_open
        return {"edit": edits, "delete": own or hides, "hide": hides}

    return of


def _find(access: Access, pk: int) -> Comment:
    return comment_for(access.principal, access.repository, pk, moderates=moderates(access))


def _answer(access: Access, comment: Comment, *, status: int = 200) -> Response:
    context = {"permissions": permissions(access)}
    return Response(CommentSerializer(comment, context=context).data, status=status)
