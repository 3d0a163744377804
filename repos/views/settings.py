"""A repository's settings: each section saves alone."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.errors import Invalid
from repos.access import Access, enter
from repos.forms import DeleteForm, DescriptionForm, VisibilityForm
from repos.services.repositories import delete_repository, update_repository


@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest, path: str) -> HttpResponse:
    """Everything there is to set; a post saves the description."""
    access = enter(request, path, "administer")
    if request.method != "POST":
        return _show(request, access)
    return _save(request, access, "description", DescriptionForm(request.POST))


@require_POST
def visibility(request: HttpRequest, path: str) -> HttpResponse:
    """Who may see it."""
    access = enter(request, path, "administer")
    return _save(request, access, "visibility", VisibilityForm(request.POST))


@require_POST
def delete(request: HttpRequest, path: str) -> HttpResponse:
    """Delete it, if its name was typed."""
    access = enter(request, path, "administer")
    form = DeleteForm(request.POST, repository=access.repository)
    if not form.is_valid():
        return _show(request, access, delete_form=form)
    delete_repository(access.repository, actor=access.principal.actor)
    messages.success(request, _("%(path)s was deleted.") % {"path": path})
    return redirect("namespace", access.repository.namespace.name)


def _save(request: HttpRequest, access: Access, section: str, form: forms.Form) -> HttpResponse:
    if form.is_valid():
        try:
            update_repository(
                access.repository,
                actor=access.principal.actor,
                **{section: form.cleaned_data[section]},
            )
        except Invalid as error:
            form.add_error(section, error.message)
        else:
            messages.success(request, _("Saved."))
            return redirect("settings", access.repository.path)
    return _show(request, access, **{f"{section}_form": form})


def _show(request: HttpRequest, access: Access, **bound: forms.Form) -> HttpResponse:
    repository = access.repository
    context = {
        "access": access,
        "repository": repository,
        "tab": "settings",
        "description_form": DescriptionForm(initial={"description": repository.description}),
        "visibility_form": VisibilityForm(initial={"visibility": repository.visibility}),
        "delete_form": DeleteForm(repository=repository),
        **bound,
    }
    failed = any(form.errors for form in bound.values())
    return render(request, "repos/settings.html", context, status=422 if failed else 200)
