"""The trash of a namespace: what was deleted in it, bringing it back, deleting it for good."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.authentication import principal_from
from accounts.models import Namespace
from accounts.reauthentication import require_recent_sign_in
from accounts.selectors import manager_facts
from accounts.types import Principal
from core.errors import HubError, Invalid
from repos.api.repositories import sizes_of
from repos.errors import RepositoryExists
from repos.forms import PurgeForm, RestoreForm
from repos.models import Repository
from repos.services.renaming import owns
from repos.services.trash import (
    enter_trash,
    get_trashed,
    list_trash,
    purge_repository,
    restore_repository,
)

ROWS = 50


@require_safe
def trash(request: HttpRequest, name: str) -> HttpResponse:
    """What can come back, the last deleted first."""
    principal = principal_from(request)
    namespace = enter_trash(principal, name)
    rows = list_trash(principal, namespace).order_by("-deleted_at", "-pk")
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    found = list(page.object_list)
    sizes = sizes_of(found)
    context = {
        **_head(principal, namespace),
        "rows": [(row, sizes.get(row.pk, 0)) for row in found],
        "page": page,
        "days": settings.HUB.trash_days,
    }
    return render(request, "repos/trash.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def restore(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """Bring one back under its old name, or ask for another where that is taken."""
    principal = principal_from(request)
    namespace = enter_trash(principal, name)
    row = get_trashed(principal, namespace, pk)
    form = RestoreForm(request.POST or None, initial={"name": row.former_name})
    if request.method != "POST" or ("name" in request.POST and not form.is_valid()):
        return _ask(request, principal, row, "repos/trash_restore.html", form)
    try:
        back = restore_repository(
            row, principal=principal, name=request.POST.get("name", "").strip().strip("/")
        )
    except (RepositoryExists, Invalid) as error:
        return _ask_again(request, principal, row, error)
    messages.success(request, _("%(path)s is back.") % {"path": back.path})
    return redirect("repository", back.path)


@require_http_methods(["GET", "HEAD", "POST"])
def purge(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """Delete one for good, if its name was typed."""
    principal = principal_from(request)
    namespace = enter_trash(principal, name)
    row = get_trashed(principal, namespace, pk)
    form = PurgeForm(request.POST or None, path=f"{name}/{row.former_name}")
    if request.method != "POST" or not form.is_valid():
        return _ask(request, principal, row, "repos/trash_purge.html", form)
    require_recent_sign_in(request)
    path = purge_repository(row, principal=principal)
    messages.success(request, _("%(path)s was deleted for good.") % {"path": path})
    return redirect("trash", name)


def _ask_again(
    request: HttpRequest, principal: Principal, row: Repository, error: HubError
) -> HttpResponse:
    """With the name that was refused in the field, and why."""
    given = request.POST.get("name", row.former_name)
    form = RestoreForm({"name": given})
    form.is_valid()
    form.add_error("name", error.message)
    return _ask(request, principal, row, "repos/trash_restore.html", form)


def _ask(
    request: HttpRequest,
    principal: Principal,
    row: Repository,
    template: str,
    form: RestoreForm | PurgeForm,
) -> HttpResponse:
    context = {
        **_head(principal, row.namespace),
        "row": row,
        "size": sizes_of([row]).get(row.pk, 0),
        "form": form,
    }
    return render(request, template, context, status=422 if form.errors else 200)


def _head(principal: Principal, namespace: Namespace) -> dict[str, object]:
    owner = owns(principal, namespace)
    facts = manager_facts(namespace, "trash") if owner else {}
    return {**facts, "namespace": namespace, "owns": owner}
