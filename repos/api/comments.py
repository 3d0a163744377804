"""REST: comments on a repository."""

from __future__ import annotations

from collections.abc import Callable

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import CommentThrottle, HubView, describe
from core.errors import Denied
from core.paging import page_by_id
from repos.access import Access, enter
from repos.models import Comment
from repos.permissions import decide
from repos.selectors import comments_of, get_comment
from repos.serializers import CommentBodySerializer, CommentSerializer
from repos.services.comments import add_comment, delete_comment, edit_comment, may_edit

TAG = "comments"
Permissions = Callable[[Comment], dict[str, bool]]


class CommentsView(HubView):
    throttle_classes = (CommentThrottle,)

    @describe(
        TAG, "Comments, newest first", operation="comment_list", rows=CommentSerializer, public=True
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}")
        page = page_by_id(comments_of(access.repository), **self.paging())
        return self.answer_page(page, CommentSerializer, permissions=permissions(access))

    @describe(
        TAG,
        "Say something about a repository",
        operation="comment_create",
        body=CommentBodySerializer,
        answer=CommentSerializer,
        status=201,
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "comment")
        body = self.read(CommentBodySerializer)["body"]
        comment = add_comment(access.repository, principal=access.principal, body=body)
        return _answer(access, comment, status=201)


class CommentView(HubView):
    @describe(TAG, "A comment", operation="comment_read", answer=CommentSerializer, public=True)
    def get(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = enter(request, f"{namespace}/{name}")
        return _answer(access, get_comment(access.repository, id))

    @describe(
        TAG,
        "Change your own comment",
        operation="comment_update",
        body=CommentBodySerializer,
        answer=CommentSerializer,
    )
    def patch(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = enter(request, f"{namespace}/{name}", "comment")
        comment = get_comment(access.repository, id)
        if not may_edit(comment, access.principal):  # before the body is looked at
            raise Denied("Only the author can edit a comment.", code="NOT_AUTHOR")
        body = self.read(CommentBodySerializer)["body"]
        return _answer(access, edit_comment(comment, principal=access.principal, body=body))

    @describe(TAG, "Delete a comment: its author or an administrator", operation="comment_delete")
    def delete(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = enter(request, f"{namespace}/{name}", "comment")
        delete_comment(get_comment(access.repository, id), principal=access.principal)
        return Response(status=204)


def permissions(access: Access) -> Permissions:
    """`may_edit` and `may_delete` of the services for a whole list, with two decisions in all."""
    person, repository = access.principal, access.repository
    comments = decide(person, "comment", repository).allowed
    moderates = decide(person, "administer", repository).allowed

    def of(comment: Comment) -> dict[str, bool]:
        own = comments and comment.author_id is not None and comment.author_id == person.user_id
        return {"edit": own, "delete": own or moderates}

    return of


def _answer(access: Access, comment: Comment, *, status: int = 200) -> Response:
    context = {"permissions": permissions(access)}
    return Response(CommentSerializer(comment, context=context).data, status=status)
