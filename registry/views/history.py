"""The history of a tag, and going back in it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from core.text import short_digest
from oci.digest import Digest
from oci.errors import DigestInvalid
from registry.errors import ManifestUnknown
from registry.history import list_places
from registry.selectors import find_tag
from registry.services.retag import roll_back
from registry.services.tags import is_immutable
from repos.access import enter
from repos.models import Repository
from repos.permissions import require

_MAX_DIGITS = 18  # what a 64-bit number holds


@require_safe
def history(request: HttpRequest, path: str, tag: str) -> HttpResponse:
    """Every place a tag has been, also of one that is gone."""
    access = enter(request, path)
    repository = access.repository
    before = request.GET.get("before", "")
    known = before.isascii() and before.isdigit() and len(before) <= _MAX_DIGITS
    places, has_more = list_places(
        repository,
        tag,
        before=int(before) if known else None,
        with_client=access.can_write,
    )
    current = find_tag(repository, tag)
    if current is None and not places:
        raise ManifestUnknown("There is no such tag.", detail={"tag": tag})
    context = {
        "access": access,
        "repository": repository,
        "tab": "tags",
        "name": tag,
        "current": current.manifest.digest if current else "",
        "places": places,
        "older": places[-1].move.pk if has_more else None,
        "is_first": not known,
        "is_immutable": current is not None and is_immutable(repository, tag),
    }
    return render(request, "registry/history.html", context)


@require_POST
def rollback(request: HttpRequest, path: str, tag: str) -> HttpResponse:
    """Point a tag back to where it was."""
    access = enter(request, path, "push")

    def recheck(row: Repository) -> None:
        require(access.principal, "push", row)

    try:
        digest = str(Digest.parse(request.POST.get("digest", "")))
    except DigestInvalid as error:
        raise ManifestUnknown("There is no such image.", detail={"tag": tag}) from error
    moved = roll_back(access.repository, tag, digest, actor=access.principal.actor, recheck=recheck)
    values = {"tag": tag, "digest": short_digest(digest)}
    said = _("%(tag)s points at %(digest)s again.") if moved else _("%(tag)s is there already.")
    messages.success(request, said % values)
    return redirect("tag-history", path, tag)
