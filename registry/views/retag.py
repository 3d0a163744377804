"""Another tag for an image that is already there."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from registry.errors import ManifestUnknown, TagImmutable, TagTaken
from registry.models import Manifest
from registry.selectors import tags_of
from registry.services.retag import retag
from registry.views.tag_forms import RetagForm
from repos.access import Access, enter
from repos.models import Repository
from repos.permissions import require


@require_http_methods(["GET", "HEAD", "POST"])
def add_tag(request: HttpRequest, path: str, digest: str) -> HttpResponse:
    """Ask for a name, then tag the image as a push would."""
    access = enter(request, path, "push")
    manifest = (
        Manifest.objects.defer("payload").filter(repository=access.repository, digest=digest)
    ).first()
    if manifest is None:
        raise ManifestUnknown("There is no such manifest.", detail={"digest": digest})
    form = RetagForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        response = _tag(request, access, manifest, form)
        if response is not None:
            return response
    name = f"{settings.EXTERNAL_HOST}/{path}"
    context = {
        "access": access,
        "repository": access.repository,
        "tab": "tags",
        "manifest": manifest,
        "names": tags_of(manifest)[:30],
        "form": form,
        "command": f"crane tag {name}@{digest} NAME",
    }
    return render(request, "registry/retag.html", context, status=422 if form.errors else 200)


def _tag(
    request: HttpRequest, access: Access, manifest: Manifest, form: RetagForm
) -> HttpResponse | None:
    """Where the tag is now, or None with the reason in the form."""

    def recheck(row: Repository) -> None:
        require(access.principal, "push", row)

    name = form.cleaned_data["name"]
    try:
        moved = retag(
            access.repository,
            name,
            manifest.digest,
            actor=access.principal.actor,
            replace=form.cleaned_data["replace"],
            recheck=recheck,
        )
    except TagTaken:
        form.add_error("name", _("This tag names another image. Tick the box to move it here."))
        return None
    except TagImmutable:
        form.add_error("name", _("This tag is immutable and names another image; choose another."))
        return None
    said = _("%(tag)s names this image now.") if moved else _("%(tag)s names this image already.")
    messages.success(request, said % {"tag": name})
    return redirect("tag", access.repository.path, name)
