"""The tags of a repository: a list to filter, to sort and to group by image."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from registry.attachments import signed_digests
from registry.models import Tag
from registry.pictures import Picture, pictures_of
from registry.services.tags import is_immutable
from registry.taglist import NEWEST, SIZE, VERSION, Names, TagPage, list_tags
from repos.access import enter, wants_part
from repos.models import Repository

ORDERS = {
    NEWEST: gettext_lazy("Newest"),
    VERSION: gettext_lazy("Version"),
    SIZE: gettext_lazy("Largest"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A tag as the list shows it; `aliases` are the other tags of its image."""

    tag: Tag
    picture: Picture
    aliases: Names
    is_immutable: bool
    is_signed: bool


@require_safe
def tags(request: HttpRequest, path: str) -> HttpResponse:
    """Every tag with its layers, platforms and history in short."""
    access = enter(request, path)
    repository = access.repository
    text = request.GET.get("q", "").replace("\0", "").strip()[:128]
    sort = request.GET.get("sort", "")
    sort = sort if sort in ORDERS else NEWEST
    grouped = request.GET.get("group") == "digest"
    found = list_tags(
        repository, text=text, sort=sort, grouped=grouped, number=request.GET.get("page")
    )
    context = {
        "access": access,
        "repository": repository,
        "tab": "tags",
        "filter": text,
        "sort": sort,
        "sorts": ORDERS,
        "grouped": grouped,
        "page": found.page,
        "rows": _rows(repository, found),
    }
    template = "registry/_tags.html" if wants_part(request) else "registry/tags.html"
    return render(request, template, context)


def _rows(repository: Repository, found: TagPage) -> list[Row]:
    pictures = pictures_of(tag.manifest for tag in found.tags)
    signed = signed_digests(repository, {tag.manifest.digest for tag in found.tags})
    return [
        Row(
            tag,
            pictures[tag.manifest_id],
            found.names.get(tag.manifest_id, Names()).without(tag.name),
            is_immutable(repository, tag.name),
            tag.manifest.digest in signed,
        )
        for tag in found.tags
    ]
