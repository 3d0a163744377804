"""What people say about a repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.errors import Denied, Invalid
from core.markdown import to_html
from repos.access import Access, enter, wants_part
from repos.forms import CommentForm
from repos.models import Comment
from repos.selectors import comments_of, get_comment
from repos.services.comments import add_comment, delete_comment, edit_comment

ROWS = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A comment and what the reader may do with it."""

    comment: Comment
    may_edit: bool
    may_delete: bool

    @property
    def dialog(self) -> str:
        """Id of the dialog that asks before deleting."""
        return f"delete-{self.comment.pk}"


@require_http_methods(["GET", "HEAD", "POST"])
def comments(request: HttpRequest, path: str) -> HttpResponse:
    """Newest first; a new one is posted to the same address, or shown with `preview`."""
    if request.method != "POST":
        return _show(request, enter(request, path), CommentForm())
    access = enter(request, path, "comment")
    form = CommentForm(request.POST)
    if not form.is_valid():
        return _show(request, access, form)
    body = form.cleaned_data["body"]
    if "preview" in request.POST:
        return _show(request, access, form, preview=to_html(body))
    try:
        comment = add_comment(access.repository, principal=access.principal, body=body)
    except Invalid as error:
        form.add_error("body", error.message)
        return _show(request, access, form)
    access.repository.refresh_from_db(fields=["comment_count"])
    if wants_part(request):
        return _show(request, access, CommentForm())
    return redirect(f"{reverse('comments', args=[path])}#comment-{comment.pk}")


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Change one's own words, on a page or in place."""
    access = enter(request, path)
    comment = get_comment(access.repository, pk)
    if comment.author_id is None or comment.author_id != access.principal.user_id:
        access = enter(request, path, "comment")
        raise Denied(_("Only the author can edit a comment."), code="not_author")
    form = CommentForm(
        request.POST if request.method == "POST" else None, initial={"body": comment.body}
    )
    form.fields["body"].label = _("Edit your comment")
    if request.method == "POST" and form.is_valid() and _edit(access, comment, form):
        if wants_part(request):
            return _part(request, "repos/_comment.html", access, comment)
        return redirect(f"{reverse('comments', args=[path])}#comment-{comment.pk}")
    template = "repos/_comment_edit.html" if wants_part(request) else "repos/comment_edit.html"
    status = 422 if form.errors else 200
    return _part(request, template, access, comment, status=status, form=form)


@require_POST
def delete(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Take a comment away: its author or an administrator."""
    access = enter(request, path, "comment")
    delete_comment(get_comment(access.repository, pk), principal=access.principal)
    messages.success(request, _("The comment was deleted."))
    return redirect("comments", path)


def _show(
    request: HttpRequest, access: Access, form: CommentForm, preview: str | None = None
) -> HttpResponse:
    rows = comments_of(access.repository).order_by("-pk")
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    context = {
        "access": access,
        "repository": access.repository,
        "tab": "comments",
        "form": form,
        "preview": preview,
        "page": page,
        "lines": [_line(access, comment) for comment in page.object_list],
    }
    template = "repos/_comments.html" if wants_part(request) else "repos/comments.html"
    return render(request, template, context, status=422 if form.errors else 200)


def _line(access: Access, comment: Comment) -> Line:
    """`may_edit` and `may_delete` of the services, from the one decision of the page."""
    own = comment.author_id is not None and comment.author_id == access.principal.user_id
    return Line(comment, own, own or access.can_administer)


def _edit(access: Access, comment: Comment, form: CommentForm) -> bool:
    try:
        edit_comment(comment, principal=access.principal, body=form.cleaned_data["body"])
    except Invalid as error:
        form.add_error("body", error.message)
        return False
    return True


def _part(
    request: HttpRequest,
    template: str,
    access: Access,
    comment: Comment,
    *,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    context = {
        "access": access,
        "repository": access.repository,
        "tab": "comments",
        "line": _line(access, comment),
        **more,
    }
    return render(request, template, context, status=status)
