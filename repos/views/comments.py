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

from core.errors import Denied, Invalid, RateLimited
from repos.access import Access, enter, wants_part
from repos.comments import comment_for, comments_for, page_of
from repos.forms import CommentForm, NewCommentForm
from repos.limits import refuse_often
from repos.models import Comment
from repos.services.comments import (
    add_comment,
    body_to_html,
    check_open,
    delete_comment,
    edit_comment,
    hide_comment,
    unhide_comment,
)
from repos.views.about import about_of

ROWS = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A comment and what the reader may do with it."""

    comment: Comment
    may_edit: bool
    may_delete: bool
    may_hide: bool

    @property
    def dialog(self) -> str:
        """Id of the dialog that asks before deleting."""
        return f"delete-{self.comment.pk}"


@require_http_methods(["GET", "HEAD", "POST"])
def comments(request: HttpRequest, path: str) -> HttpResponse:
    """Newest first; a new one is posted to the same address.

    `?tag=` leaves those about a tag or digest, `?at=` shows the page that a comment is on.
    """
    if request.method != "POST":
        about = _about(request)
        return _show(request, enter(request, path), NewCommentForm(initial={"tag": about}))
    access = enter(request, path, "comment")
    check_open(access.repository)
    form = NewCommentForm(request.POST)
    if not form.is_valid():
        return _show(request, access, form)
    comment = _add(access, form)
    if comment is None:
        return _show(request, access, form)
    access.repository.refresh_from_db(fields=["comment_count"])
    if wants_part(request):
        return _show(request, access, NewCommentForm())
    return redirect(f"{reverse('comments', args=[path])}#comment-{comment.pk}")


@require_POST
def preview(request: HttpRequest, path: str) -> HttpResponse:
    """Show a comment as it would look; nothing is kept."""
    access = enter(request, path, "comment")
    check_open(access.repository)
    form = NewCommentForm(request.POST)
    if not form.is_valid() and not wants_part(request):
        return _show(request, access, form)
    shown = body_to_html(form.cleaned_data.get("body", ""))
    if wants_part(request):
        return render(request, "repos/_preview.html", {"preview": shown})
    return _show(request, access, form, preview=shown)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Change one's own words, on a page or in place."""
    access = enter(request, path)
    comment = _find(access, pk)
    if comment.author_id is None or comment.author_id != access.principal.user_id:
        access = enter(request, path, "comment")
        raise Denied(_("Only the author can edit a comment."), code="not_author")
    check_open(access.repository)
    form = CommentForm(
        request.POST if request.method == "POST" else None, initial={"body": comment.body}
    )
    form.fields["body"].label = _("Edit your comment")
    shown = None
    if request.method == "POST" and form.is_valid():
        if "preview" in request.POST:
            shown = body_to_html(form.cleaned_data["body"])
        elif _edit(access, comment, form):
            return _after(request, access, comment)
    template = "repos/_comment_edit.html" if wants_part(request) else "repos/comment_edit.html"
    status = 422 if form.errors else 200
    return _part(request, template, access, comment, status=status, form=form, preview=shown)


@require_POST
def delete(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Take a comment away: its author or an administrator."""
    access = enter(request, path, "comment")
    delete_comment(_find(access, pk), principal=access.principal)
    messages.success(request, _("The comment was deleted."))
    return redirect("comments", path)


@require_POST
def hide(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Keep a comment from others, or with `hidden=0` show it again."""
    access = enter(request, path, "administer")
    comment = _find(access, pk)
    change = unhide_comment if request.POST.get("hidden") == "0" else hide_comment
    change(comment, actor=access.principal.actor)
    return _after(request, access, comment)


def _about(request: HttpRequest) -> str:
    return request.GET.get("tag", "").replace("\0", "").strip()[:140]


def _find(access: Access, pk: int) -> Comment:
    moderates = access.can_administer
    return comment_for(access.principal, access.repository, pk, moderates=moderates)


def _add(access: Access, form: NewCommentForm) -> Comment | None:
    """The new comment, or None with the reason in the form."""
    field = "tag"
    try:
        about = about_of(access.repository, form.cleaned_data["tag"])
        field = "body"
        body = form.cleaned_data["body"]
        refuse_often(access.principal, "comment.added")
        return add_comment(access.repository, principal=access.principal, body=body, **about)
    except (Invalid, RateLimited) as error:
        form.add_error(field, error.message)
        return None


def _show(
    request: HttpRequest, access: Access, form: NewCommentForm, preview: str | None = None
) -> HttpResponse:
    about = _about(request)
    moderates = access.can_administer
    rows = comments_for(access.principal, access.repository, moderates=moderates, about=about)
    at = request.GET.get("at", "")
    number: Any = request.GET.get("page")
    if at.isascii() and at.isdigit() and len(at) <= 18:
        number = page_of(rows, int(at), ROWS)
    page = Paginator(rows.order_by("-pk"), ROWS).get_page(number)
    context = {
        "access": access,
        "repository": access.repository,
        "tab": "comments",
        "form": form,
        "preview": preview,
        "about": about,
        "page": page,
        "lines": [_line(access, comment) for comment in page.object_list],
    }
    template = "repos/_comments.html" if wants_part(request) else "repos/comments.html"
    return render(request, template, context, status=422 if form.errors else 200)


def _line(access: Access, comment: Comment) -> Line:
    """`may_edit` and `may_delete` of the services, from the one decision of the page."""
    own = comment.author_id is not None and comment.author_id == access.principal.user_id
    moderates = access.can_administer
    return Line(comment, own and access.repository.comments_open, own or moderates, moderates)


def _edit(access: Access, comment: Comment, form: CommentForm) -> bool:
    try:
        edit_comment(comment, principal=access.principal, body=form.cleaned_data["body"])
    except Invalid as error:
        form.add_error("body", error.message)
        return False
    return True


def _after(request: HttpRequest, access: Access, comment: Comment) -> HttpResponse:
    """The comment as it is now: in place, or in the list."""
    if wants_part(request):
        return _part(request, "repos/_comment.html", access, comment)
    address = reverse("comments", args=[access.repository.path])
    return redirect(f"{address}?at={comment.pk}#comment-{comment.pk}")


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
