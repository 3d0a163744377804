"""Deleting tags and manifests: first what it means, then the deed, then a way back."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import HubError
from oci.digest import Digest
from oci.names import is_tag
from registry.errors import InUse, ManifestUnknown, TagImmutable, TagTaken
from registry.forms import ConfirmForm
from registry.impact import Impact, impact_of_manifest, impact_of_tags
from registry.models import Manifest, Tag, TagMove
from registry.services.grace import undo_until
from registry.services.locking import Recheck
from registry.services.manifests import delete_manifest as delete_by_digest
from registry.services.tags import delete_tags
from registry.services.undo import list_deleted, undo_deletions
from repos.access import Access, enter
from repos.models import Repository
from repos.permissions import Action, require

ROWS = 50
MAX_AT_ONCE = 100  # tags
_MAX_DIGITS = 18


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, path: str, tag: str) -> HttpResponse:
    """Say what it means, then take a tag away; what other tags name stays."""
    access = enter(request, path, "delete")
    if request.method == "POST":
        return _delete_tags(request, access, [tag])
    row = _tags(access.repository, [tag])
    if not row:
        raise ManifestUnknown("There is no such tag.", detail={"tag": tag})
    return _ask_tags(request, access, row)


@require_http_methods(["GET", "HEAD", "POST"])
def delete_several(request: HttpRequest, path: str) -> HttpResponse:
    """The same for the tags that were chosen, all or none, once the repository's name is typed."""
    access = enter(request, path, "delete")
    given = request.POST if request.method == "POST" else request.GET
    names = list(dict.fromkeys(name for name in given.getlist("tag") if is_tag(name)))
    rows = _tags(access.repository, names[:MAX_AT_ONCE])
    if not rows:
        messages.warning(request, _("Choose the tags that are to go."))
        return redirect("tags", path)
    form = ConfirmForm(request.POST or None, path=path) if len(rows) > 1 else None
    if request.method != "POST" or (form is not None and not form.is_valid()):
        return _ask_tags(request, access, rows, form)
    return _delete_tags(request, access, [row.name for row in rows])


@require_http_methods(["GET", "HEAD", "POST"])
def delete_manifest(request: HttpRequest, path: str, digest: str) -> HttpResponse:
    """Say what it means, then take a manifest away with every tag on it, for good."""
    access = enter(request, path, "delete")
    rows = Manifest.objects.filter(repository=access.repository, digest=digest)
    manifest = rows.defer("payload").first()
    if manifest is None:
        raise ManifestUnknown("There is no such manifest.", detail={"digest": digest})
    several = Tag.objects.filter(manifest=manifest).count() > 1
    form = ConfirmForm(request.POST or None, path=path) if several else None
    if request.method != "POST" or (form is not None and not form.is_valid()):
        return _ask_manifest(request, access, manifest, form)
    try:
        delete_by_digest(
            access.repository,
            Digest.parse(digest),
            actor=access.principal.actor,
            recheck=_recheck(access, "delete"),
        )
    except (InUse, TagImmutable) as error:
        return _ask_manifest(request, access, manifest, form, error)
    messages.success(request, _("The image was deleted, for good."))
    return redirect("tags", path)


@require_safe
def deleted(request: HttpRequest, path: str) -> HttpResponse:
    """Tags that were deleted lately and can come back."""
    return _show_deleted(request, enter(request, path, "push"))


@require_POST
def undo(request: HttpRequest, path: str) -> HttpResponse:
    """Have deleted tags back; over something else that has the name only if that is said."""
    access = enter(request, path, "push")
    try:
        names = undo_deletions(
            access.repository,
            _moves(request),
            actor=access.principal.actor,
            replace=request.POST.get("replace") == "1",
            recheck=_recheck(access, "push"),
        )
    except (TagTaken, TagImmutable) as error:
        return _show_deleted(request, access, error)
    words = {"tags": ", ".join(names)}
    text = ngettext("The tag %(tags)s is back.", "The tags %(tags)s are back.", len(names))
    messages.success(request, text % words)
    return redirect("tags", path)


def _tags(repository: Repository, names: list[str]) -> list[Tag]:
    rows = Tag.objects.filter(repository=repository, name__in=names).order_by("name")
    return list(rows.select_related("manifest").defer("manifest__payload"))


def _delete_tags(request: HttpRequest, access: Access, names: list[str]) -> HttpResponse:
    """All or none, with the way back in the message."""
    moves = delete_tags(
        access.repository,
        names,
        actor=access.principal.actor,
        recheck=_recheck(access, "delete"),
    )
    text = ngettext(
        "The tag %(tags)s was deleted.", "The tags %(tags)s were deleted.", len(names)
    ) % {"tags": ", ".join(names)}
    messages.success(request, text, extra_tags=_way_back(access.repository, moves))
    return redirect("tags", access.repository.path)


def _way_back(repository: Repository, moves: Iterable[TagMove]) -> str:
    """The address that a button in the message posts to; nothing where there is no trash."""
    keys = [("move", move.pk) for move in moves if move.keep_until is not None]
    address = reverse("tags-restore", args=[repository.path])
    return f"{address}?{urlencode(keys)}" if keys else ""


def _moves(request: HttpRequest) -> list[int]:
    """Which deletions: fields of a form, or in the address that a message has."""
    given = [*request.GET.getlist("move"), *request.POST.getlist("move")]
    digits = [key for key in given if key.isascii() and key.isdigit() and len(key) <= _MAX_DIGITS]
    return [int(key) for key in digits[:MAX_AT_ONCE]]


def _recheck(access: Access, action: Action) -> Recheck:
    """Decides again inside the transaction that commits: a role may be gone by then."""

    def check(row: Repository) -> None:
        require(access.principal, action, row)

    return check


def _ask_tags(
    request: HttpRequest, access: Access, rows: list[Tag], form: ConfirmForm | None = None
) -> HttpResponse:
    path = access.repository.path
    several = len(rows) > 1
    words = {"total": len(rows), "name": rows[0].name, "path": path}
    impact = impact_of_tags(
        access.repository, rows, access.principal, with_hooks=access.can_administer
    )
    single = reverse("tag-delete", args=[path, rows[0].name])
    context = {
        "heading": (
            _("Delete %(total)d tags of %(path)s?") if several else _("Delete the tag %(name)s?")
        )
        % words,
        "action": reverse("tags-delete", args=[path]) if several else single,
        "names": [row.name for row in rows] if several else [],
        "button": _("Delete %(total)d tags") % words if several else _("Delete tag"),
        "form": (form or ConfirmForm(path=path)) if several else None,
        "commands": _commands_for_tags(path, [row.name for row in rows]),
        "undo_until": undo_until(),
    }
    return _ask(request, access, impact, context)


def _ask_manifest(
    request: HttpRequest,
    access: Access,
    manifest: Manifest,
    form: ConfirmForm | None,
    error: HubError | None = None,
) -> HttpResponse:
    path, digest = access.repository.path, manifest.digest
    impact = impact_of_manifest(
        access.repository, manifest, access.principal, with_hooks=access.can_administer
    )
    reference = f"{settings.EXTERNAL_HOST}/{path}@{digest}"
    address = f"{settings.HUB.external_url}/v2/{path}/manifests/{digest}"
    context = {
        "heading": _("Delete this image, with all its tags?"),
        "digest": digest,
        "action": reverse("manifest-delete", args=[path, digest]),
        "button": _("Delete image for good"),
        "form": form,
        "error": error,
        "is_final": True,
        "commands": [
            f"curl -X DELETE -u {access.principal.username}:TOKEN {address}",
            f"crane delete {reference}",
            f"skopeo delete docker://{reference}",
        ],
    }
    return _ask(request, access, impact, context)


def _ask(
    request: HttpRequest, access: Access, impact: Impact, context: dict[str, Any]
) -> HttpResponse:
    form = context.get("form")
    failed = context.get("error") or (form is not None and form.errors)
    page = {
        "access": access,
        "repository": access.repository,
        "tab": "tags",
        "impact": impact,
        **context,
    }
    return render(request, "registry/tag_delete.html", page, status=422 if failed else 200)


def _commands_for_tags(path: str, names: list[str]) -> list[str]:
    """The same by REST and by the registry's protocol; `TOKEN` stands for an access token."""
    bearer = shlex.quote("Authorization: Bearer TOKEN")
    tags = f"{settings.HUB.external_url}/api/repositories/{path}/tags"
    repository = f"{settings.EXTERNAL_HOST}/{path}"
    if len(names) == 1:
        return [
            f"curl -X DELETE -H {bearer} {tags}/{names[0]}",
            f"crane delete {repository}:{names[0]}",
        ]
    loop = f"for tag in {' '.join(names)}; do"
    return [
        f"{loop} curl -X DELETE -H {bearer} {tags}/$tag; done",
        f"{loop} crane delete {repository}:$tag; done",
    ]


def _show_deleted(
    request: HttpRequest, access: Access, error: HubError | None = None
) -> HttpResponse:
    page = Paginator(list_deleted(access.repository), ROWS).get_page(request.GET.get("page"))
    context = {
        "access": access,
        "repository": access.repository,
        "tab": "tags",
        "page": page,
        "moves": list(page.object_list),
        "error": error,
        "days": settings.HUB.trash_days,
    }
    status = 409 if error else 200
    return render(request, "registry/tags_deleted.html", context, status=status)
