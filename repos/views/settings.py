"""A repository's settings: each section saves alone."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.reauthentication import require_recent_sign_in
from core.errors import Invalid
from registry.impact import impact_of_repository
from repos.access import Access, enter
from repos.forms import (
    CommentsOpenForm,
    DeleteForm,
    DescriptionForm,
    RenameForm,
    VisibilityForm,
)
from repos.services.aliases import list_aliases
from repos.services.renaming import owns
from repos.services.repositories import delete_repository, update_repository


@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest, path: str) -> HttpResponse:
    """Everything there is to set; a post saves the description."""
    access = enter(request, path, "administer")
    if request.method != "POST":
        return show(request, access)
    return _save(request, access, "description", DescriptionForm(request.POST))


@require_POST
def visibility(request: HttpRequest, path: str) -> HttpResponse:
    """Who may see it."""
    access = enter(request, path, "administer")
    if request.POST.get("visibility") == "public":
        require_recent_sign_in(request)
    return _save(request, access, "visibility", VisibilityForm(request.POST))


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, path: str) -> HttpResponse:
    """Say what goes with it, then delete it, if its name was typed."""
    access = enter(request, path, "administer")
    repository = access.repository
    form = DeleteForm(request.POST or None, repository=repository)
    if request.method != "POST" or not form.is_valid():
        return _ask(request, access, form)
    require_recent_sign_in(request)
    namespace = repository.namespace.name
    recheck = access.recheck("administer")
    if delete_repository(repository, actor=access.principal.actor, recheck=recheck):
        text = _("%(path)s was deleted. It can be restored for %(days)d days.")
        way_back = reverse("trash-restore", args=[namespace, repository.pk])
    else:
        text, way_back = _("%(path)s was deleted."), ""
    words = {"path": path, "days": settings.HUB.trash_days}
    messages.success(request, text % words, extra_tags=way_back)
    return redirect("namespace", namespace)


def _ask(request: HttpRequest, access: Access, form: DeleteForm) -> HttpResponse:
    repository, days = access.repository, settings.HUB.trash_days
    address = f"{settings.HUB.external_url}/api/repositories/{repository.path}"
    context = {
        "access": access,
        "repository": repository,
        "tab": "settings",
        "form": form,
        "impact": impact_of_repository(repository, access.principal),
        "undo_until": timezone.now() + timedelta(days=days) if days else None,
        "commands": [f"curl -X DELETE -H 'Authorization: Bearer TOKEN' {address}"],
    }
    return render(request, "repos/delete.html", context, status=422 if form.errors else 200)


@require_POST
def comments(request: HttpRequest, path: str) -> HttpResponse:
    """Whether people may comment."""
    access = enter(request, path, "administer")
    return _save(request, access, "comments_open", CommentsOpenForm(request.POST))


def _save(request: HttpRequest, access: Access, section: str, form: forms.Form) -> HttpResponse:
    if form.is_valid():
        try:
            update_repository(
                access.repository,
                actor=access.principal.actor,
                recheck=access.recheck("administer"),
                **{section: form.cleaned_data[section]},
            )
        except Invalid as error:
            form.add_error(section, error.message)
        else:
            messages.success(request, _("Saved."))
            return redirect("settings", access.repository.path)
    return show(request, access, **{f"{section}_form": form})


def show(request: HttpRequest, access: Access, **bound: forms.Form) -> HttpResponse:
    """The page, with the forms that were not accepted."""
    repository = access.repository
    context = {
        "access": access,
        "repository": repository,
        "tab": "settings",
        "description_form": DescriptionForm(initial={"description": repository.description}),
        "comments_open_form": CommentsOpenForm(initial={"comments_open": repository.comments_open}),
        "visibility_form": VisibilityForm(initial={"visibility": repository.visibility}),
        "rename_form": RenameForm(initial={"name": repository.name}),
        "is_owner": owns(access.principal, repository.namespace),
        "aliases": list_aliases(repository),
        **bound,
    }
    failed = any(form.errors for form in bound.values())
    return render(request, "repos/settings.html", context, status=422 if failed else 200)
