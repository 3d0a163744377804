"""Renaming a repository, moving it to another namespace, and giving its former names up."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import Namespace
from accounts.reauthentication import require_recent_sign_in
from core.errors import HubError
from repos.access import Access, enter
from repos.forms import RenameForm, TransferForm
from repos.models import Repository
from repos.services.aliases import remove_alias
from repos.services.renaming import (
    rename_repository,
    require_owner,
    roles_lost,
    transfer_repository,
)
from repos.views.namespaces import creatable
from repos.views.settings import show


@require_POST
def rename(request: HttpRequest, path: str) -> HttpResponse:
    """Another name in the same namespace."""
    access = _enter(request, path)
    form = RenameForm(request.POST)
    if form.is_valid():
        try:
            renamed = rename_repository(
                access.repository, form.cleaned_data["name"], principal=access.principal
            )
        except HubError as error:
            form.add_error("name", error.message)
        else:
            messages.success(request, _now_called(renamed))
            return redirect("settings", renamed.path)
    return show(request, access, rename_form=form)


@require_http_methods(["GET", "HEAD", "POST"])
def transfer(request: HttpRequest, path: str) -> HttpResponse:
    """Another namespace; what will be lost is listed before it happens."""
    access = _enter(request, path)
    repository, principal = access.repository, access.principal
    namespaces = [
        n
        for n in creatable(principal.account_id, principal.is_superuser)
        if n.pk != repository.namespace_id
    ]
    form = TransferForm(request.POST or None, repository=repository, namespaces=namespaces)
    if request.method == "POST" and form.is_valid():
        require_recent_sign_in(request)
        target = next(n for n in namespaces if n.name == form.cleaned_data["namespace"])
        response = _transfer(request, access, form, target)
        if response is not None:
            return response
    grants, robots = roles_lost(repository)
    context = {
        "access": access,
        "repository": repository,
        "tab": "settings",
        "form": form,
        "namespaces": namespaces,
        "grants": grants,
        "robots": robots,
    }
    return render(request, "repos/transfer.html", context, status=422 if form.errors else 200)


@require_POST
def remove(request: HttpRequest, path: str, pk: int) -> HttpResponse:
    """Give a former name up."""
    access = _enter(request, path)
    old = remove_alias(access.repository, pk, actor=access.principal.actor)
    messages.success(request, _("%(path)s leads here no longer.") % {"path": old})
    return redirect("settings", path)


def _now_called(repository: Repository) -> str:
    return _("This repository is now %(path)s.") % {"path": repository.path}


def _enter(request: HttpRequest, path: str) -> Access:
    access = enter(request, path, "administer")
    require_owner(access.principal, access.repository.namespace)
    return access


def _transfer(
    request: HttpRequest, access: Access, form: TransferForm, target: Namespace
) -> HttpResponse | None:
    """Where the repository is now, or None with the reason in the form."""
    try:
        moved = transfer_repository(access.repository, target, principal=access.principal)
    except HubError as error:
        form.add_error("namespace", error.message)
        return None
    messages.success(request, _now_called(moved))
    return redirect("repository", moved.path)
