"""Every repository by name, and the one way into a private one: open, recorded, with a reason."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import principal_from
from accounts.models import User
from accounts.reauthentication import require_recent_sign_in
from core.errors import HubError, NotFound
from core.paging import page_by_name
from hubsite.site.entrance import ROWS, administrators_only, note_view, show
from hubsite.site.forms import OpenForm
from repos.models import Opening, Repository
from repos.services.openings import close_repository, open_repository, open_until


@administrators_only
@require_safe
def repositories(request: HttpRequest) -> HttpResponse:
    """Names, and who may see them; nothing of what is inside."""
    return _list(request, OpenForm(initial={"path": request.GET.get("open", "")}))


@administrators_only
@require_POST
def open_one(request: HttpRequest) -> HttpResponse:
    """Open a private repository for an hour."""
    principal = principal_from(request)
    form = OpenForm(request.POST)
    if not form.is_valid():
        return _list(request, form, 422)
    path = form.cleaned_data["path"].strip().lower()
    rows = Repository.objects.select_related("namespace__user", "namespace__organization")
    repository = rows.filter(path=path, state=Repository.State.ACTIVE).first()
    if repository is None:
        form.add_error("path", _("There is no such repository."))
        return _list(request, form, 422)
    require_recent_sign_in(request)
    try:
        open_repository(
            repository,
            User.objects.get(pk=principal.account_id),
            reason=form.cleaned_data["reason"],
            actor=principal.actor,
        )
    except HubError as error:
        form.add_error("reason" if error.code == "REASON_INVALID" else "path", error.message)
        return _list(request, form, 422)
    messages.success(request, _("%(path)s is open to you for an hour.") % {"path": path})
    return redirect("repository", path)


@administrators_only
@require_POST
def close_one(request: HttpRequest, pk: int) -> HttpResponse:
    """Close what one has opened, before its time."""
    principal = principal_from(request)
    openings = Opening.objects.filter(repository_id=pk, user_id=principal.account_id)
    found = list(openings.select_related("repository"))
    if not found:
        raise NotFound("There is nothing here that you may see.")
    for opening in found:
        close_repository(opening, actor=principal.actor)
    messages.success(request, _("%(path)s is closed.") % {"path": found[0].repository.path})
    return redirect("site-repositories")


def _list(request: HttpRequest, form: OpenForm, status: int = 200) -> HttpResponse:
    principal = principal_from(request)
    query = request.GET.get("q", "").replace("\0", "").strip()[:100]
    rows = Repository.objects.filter(state=Repository.State.ACTIVE, path__icontains=query)
    rows = rows.only("path", "visibility", "created_at", "last_pushed_at", "state")
    page = page_by_name(rows, field="path", limit=ROWS, cursor=request.GET.get("cursor") or None)
    opened = open_until(principal.account_id)
    note_view(principal, "repositories")
    context = {
        "rows": [{"repository": row, "until": opened.get(row.pk)} for row in page.rows],
        "next_cursor": page.next_cursor,
        "query": query,
        "form": form,
    }
    return show(request, "repositories", "repositories", context, status)
