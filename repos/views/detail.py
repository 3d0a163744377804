"""A repository's overview, its star and its README."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import Invalid
from core.markdown import to_html
from repos.access import Access, enter, wants_part
from repos.forms import ReadmeForm
from repos.services.repositories import update_repository
from repos.services.stars import set_star


@require_safe
def overview(request: HttpRequest, path: str) -> HttpResponse:
    """What it is, how to pull it, what it holds."""
    access = enter(request, path)
    context = {"access": access, "repository": access.repository, "tab": "overview"}
    return render(request, "repos/overview.html", context)


@require_POST
def star(request: HttpRequest, path: str) -> HttpResponse:
    """Set or take away the reader's star: `starred` is 1 or 0."""
    access = enter(request, path, "star")
    starred = request.POST.get("starred") == "1"
    set_star(access.repository, actor=access.principal.actor, starred=starred)
    if wants_part(request):
        context = {"access": access, "repository": access.repository, "starred": starred}
        return render(request, "repos/_star.html", context)
    return redirect("repository", path)


@require_http_methods(["GET", "HEAD", "POST"])
def readme(request: HttpRequest, path: str) -> HttpResponse:
    """Write the README."""
    access = enter(request, path, "administer")
    form = _readme_form(request, access)
    if form.is_valid() and _save(form, access):
        messages.success(request, _("The README was saved."))
        return redirect("repository", path)
    return _editor(request, access, form)


@require_POST
def readme_preview(request: HttpRequest, path: str) -> HttpResponse:
    """Show a README as it would look; nothing is kept."""
    access = enter(request, path, "administer")
    form = _readme_form(request, access)
    preview = to_html(form.cleaned_data["readme"]) if form.is_valid() else None
    if wants_part(request) and preview is not None:
        return render(request, "repos/_preview.html", {"preview": preview})
    return _editor(request, access, form, preview)


def _readme_form(request: HttpRequest, access: Access) -> ReadmeForm:
    data = request.POST if request.method == "POST" else None
    return ReadmeForm(data, initial={"readme": access.repository.readme})


def _editor(
    request: HttpRequest, access: Access, form: ReadmeForm, preview: str | None = None
) -> HttpResponse:
    context = {
        "access": access,
        "repository": access.repository,
        "tab": "readme",
        "form": form,
        "preview": preview,
    }
    return render(request, "repos/readme.html", context, status=422 if form.errors else 200)


def _save(form: ReadmeForm, access: Access) -> bool:
    text = form.cleaned_data["readme"].replace("\r\n", "\n")
    try:
        update_repository(
            access.repository,
            actor=access.principal.actor,
            readme=text,
            recheck=access.recheck("administer"),
        )
    except Invalid as error:
        form.add_error("readme", error.message)
        return False
    return True
