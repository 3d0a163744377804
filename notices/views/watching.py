"""Watching repositories and searches."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.authentication import principal_from
from core.errors import HubError
from notices.forms import SearchForm
from notices.selectors import get_search, searches_of, watched_by
from notices.services.searches import watch_search
from notices.services.watching import set_watch
from notices.tasks import find
from notices.templatetags.notices import button_of
from repos.access import enter, wants_part

MOST = 500


@require_POST
def watch(request: HttpRequest, path: str) -> HttpResponse:
    """Watch a repository to the `level` that is given; an empty one ends it."""
    access = enter(request, path, "star")
    set_watch(access.principal.account_id, access.repository, request.POST.get("level", ""))
    if wants_part(request):
        return render(request, "notices/_watch_button.html", button_of(access))
    if request.POST.get("back") == "watching":
        return redirect("watching")
    return redirect("repository", path)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def watching(request: HttpRequest) -> HttpResponse:
    """What the reader watches; a post watches another search."""
    form = SearchForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and _add(request, form):
        return redirect("watching")
    principal = principal_from(request)
    context = {
        "watches": list(watched_by(principal)[:MOST]),
        "searches": searches_of(principal.account_id),
        "form": form,
    }
    status = 422 if form.errors else 200
    return render(request, "notices/watching.html", context, status=status)


@login_required
@require_POST
def stop_search(request: HttpRequest, pk: int) -> HttpResponse:
    """Watch a search no more."""
    get_search(principal_from(request).account_id, pk).delete()
    messages.success(request, _("You do not watch this search any more."))
    return redirect("watching")


def _add(request: HttpRequest, form: SearchForm) -> bool:
    try:
        found = watch_search(principal_from(request), form.cleaned_data["q"], find)
    except HubError as error:
        form.add_error("q", error.message)
        return False
    messages.success(request, _("You watch the search “%(text)s” now.") % {"text": found.text})
    return True
