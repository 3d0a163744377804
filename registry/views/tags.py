"""The tags of a repository: a list to filter and sort, and taking one away."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from core.db import byte_order
from registry.errors import ManifestUnknown
from registry.models import Tag
from registry.pictures import Picture, pictures_of
from registry.selectors import tag_rows
from registry.services.tags import delete_tag, is_immutable
from repos.access import Access, enter, wants_part
from repos.models import Repository
from repos.permissions import require

ROWS = 25
NAMED_OTHERS = 5
# Up to here names are put in version order, which no database does.
MAX_VERSIONS = 5_000
SORTS = {
    "newest": gettext_lazy("Newest"),
    "name": gettext_lazy("Name"),
    "size": gettext_lazy("Largest"),
}
_NUMBER = re.compile(r"(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Row:
    """A tag as the list shows it."""

    tag: Tag
    picture: Picture
    is_immutable: bool
    warning: str


@require_safe
def tags(request: HttpRequest, path: str) -> HttpResponse:
    """Every tag with its layers, platforms and history in short."""
    access = enter(request, path)
    repository = access.repository
    text = request.GET.get("q", "").replace("\0", "").strip()[:128]
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "newest"
    rows = tag_rows(repository).prefetch_related(None)  # pictures fetch what they draw
    if text:
        rows = rows.filter(name__icontains=text.strip("*"))
    page = _page(rows, sort, request.GET.get("page"))
    context = {
        "access": access,
        "repository": repository,
        "tab": "tags",
        "filter": text,
        "sort": sort,
        "sorts": SORTS,
        "page": page,
        "rows": _rows(repository, list(page.object_list), access.can_write),
    }
    template = "registry/_tags.html" if wants_part(request) else "registry/tags.html"
    return render(request, template, context)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, path: str, tag: str) -> HttpResponse:
    """Ask, then take a tag away; what other tags name stays."""
    access = enter(request, path, "delete")
    if request.method != "POST":
        return _ask(request, access, tag)

    def recheck(row: Repository) -> None:
        require(access.principal, "delete", row)

    delete_tag(access.repository, tag, actor=access.principal.actor, recheck=recheck)
    messages.success(request, _("The tag %(tag)s was deleted.") % {"tag": tag})
    return redirect("tags", path)


def _ask(request: HttpRequest, access: Access, name: str) -> HttpResponse:
    row = Tag.objects.filter(repository=access.repository, name=name).first()
    if row is None:
        raise ManifestUnknown("There is no such tag.", detail={"tag": name})
    others = Tag.objects.filter(manifest_id=row.manifest_id).exclude(pk=row.pk).order_by("name")
    context = {
        "access": access,
        "repository": access.repository,
        "tab": "tags",
        "tag": row,
        "warning": delete_warning(list(others.values_list("name", flat=True))),
    }
    return render(request, "registry/tag_delete.html", context)


def version_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts `1.9` before `1.10`."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in _NUMBER.split(name)
        if part
    ]


def _page(rows: QuerySet[Tag], sort: str, number: str | None) -> Page[Tag]:
    if sort == "size":
        rows = rows.order_by("-manifest__total_size", "-pk")
    elif sort == "name":
        names = list(rows.order_by("pk").values_list("pk", "name")[: MAX_VERSIONS + 1])
        if len(names) <= MAX_VERSIONS:
            return _in_version_order(rows, names, number)
        rows = rows.alias(sort_key=byte_order("name")).order_by("sort_key")
    return Paginator(rows, ROWS).get_page(number)


def _in_version_order(
    rows: QuerySet[Tag], names: list[tuple[int, str]], number: str | None
) -> Page[Tag]:
    keys = [pk for pk, _name in sorted(names, key=lambda pair: version_key(pair[1]))]
    page = Paginator(keys, ROWS).get_page(number)
    found = {tag.pk: tag for tag in rows.filter(pk__in=list(page.object_list))}
    ordered = [found[pk] for pk in page.object_list if pk in found]
    return Page(ordered, page.number, page.paginator)  # type: ignore[arg-type]  # only its numbers


def _rows(repository: Repository, found: list[Tag], with_warning: bool) -> list[Row]:
    pictures = pictures_of(tag.manifest for tag in found)
    others = _names_by_manifest(found) if with_warning else {}
    return [
        Row(
            tag,
            pictures[tag.manifest_id],
            is_immutable(repository, tag.name),
            delete_warning([n for n in others.get(tag.manifest_id, ()) if n != tag.name]),
        )
        for tag in found
    ]


def _names_by_manifest(found: list[Tag]) -> dict[int, list[str]]:
    names: dict[int, list[str]] = {}
    rows = Tag.objects.filter(manifest_id__in={tag.manifest_id for tag in found}).order_by("name")
    for manifest_id, name in rows.values_list("manifest_id", "name"):
        names.setdefault(manifest_id, []).append(name)
    return names


def delete_warning(others: list[str]) -> str:
    """What stays and what does not when a tag goes."""
    if not others:
        return _(
            "No other tag names this image. It can still be pulled by digest for a while; then "
            "its layers are removed."
        )
    shown = ", ".join(others[:NAMED_OTHERS])
    if len(others) > NAMED_OTHERS:
        return _("The same image stays under %(names)s and %(more)d more tags.") % {
            "names": shown,
            "more": len(others) - NAMED_OTHERS,
        }
    return ngettext(
        "The same image stays under the tag %(names)s.",
        "The same image stays under the tags %(names)s.",
        len(others),
    ) % {"names": shown}
