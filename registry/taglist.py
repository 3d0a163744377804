"""A page of a repository's tags: filtered, in an order, one by one or by the image they name.

Names are put in version order here, which no database does; the rest is left to it. Nothing is
read for tags that are not on the page but their names and ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import CharField, Count, F, Lookup, Max, QuerySet, Window
from django.db.models.functions import RowNumber

from core.db import byte_order
from registry.models import Tag
from registry.selectors import tag_rows
from registry.versions import newest_first
from repos.models import Repository

ROWS = 25
ALIASES = 8  # named with an image; the rest is counted
# Up to here names are put in version order.
MAX_VERSIONS = 10_000
NEWEST, VERSION, SIZE = "newest", "version", "size"
SORTS = (NEWEST, VERSION, SIZE)


@CharField.register_lookup
class Glob(Lookup):
    """Whole names in LIKE's own wildcards, whatever their case; neither database backtracks."""

    lookup_name = "glob"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """For both databases."""
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        params = (*left_params, *right_params, "\\")
        return f"UPPER({left}) LIKE UPPER({right}) ESCAPE %s", params


@dataclass(frozen=True, slots=True)
class Names:
    """The newest of an image's tags, in version order, and how many there are in all."""

    shown: Sequence[str] = ()
    total: int = 0

    def without(self, name: str) -> Names:
        """The other ones."""
        return Names([other for other in self.shown if other != name], max(self.total - 1, 0))

    @property
    def more(self) -> int:
        """How many are not named."""
        return max(self.total - len(self.shown), 0)


@dataclass(frozen=True, slots=True)
class TagPage:
    """Tags with their manifests, as `tag_rows` has them, and the names of each manifest by its id.

    Grouped, there is one tag for each manifest.
    """

    page: Page[Any]
    tags: Sequence[Tag]
    names: dict[int, Names] = field(default_factory=dict)


def list_tags(
    repository: Repository, *, text: str = "", sort: str = NEWEST, grouped: bool, number: str | None
) -> TagPage:
    """One page; as many queries for one tag as for ever so many.

    `text` is part of a name or, with `*` or `?` in it, a pattern of whole names.
    """
    whole = tag_rows(repository).prefetch_related(None)  # pictures fetch what they draw
    rows = filter_tags(whole, text)
    if grouped:
        page, keys = _images(rows, sort, number)
        names = names_of(keys)
        return TagPage(page, _first_of_each(whole, keys, names), names)
    page, tags = _single(rows, sort, number)
    return TagPage(page, tags, names_of({tag.manifest_id for tag in tags}))


def filter_tags(rows: QuerySet[Tag], text: str) -> QuerySet[Tag]:
    """Those whose names have the text in them or fit the pattern; case does not count."""
    if not text:
        return rows
    if "*" in text or "?" in text:
        return rows.filter(name__glob=_like(text))
    return rows.filter(name__icontains=text)


def names_of(manifest_ids: Iterable[int]) -> dict[int, Names]:
    """Names by manifest. One query, which reads no more than ALIASES of each."""
    keys = list(manifest_ids)
    of = F("manifest_id")
    newest = Window(RowNumber(), partition_by=of, order_by=["-moved_at", "-pk"])
    total = Window(Count("pk"), partition_by=of)
    rows = Tag.objects.filter(manifest_id__in=keys).annotate(place=newest, total=total)
    found: dict[int, list[str]] = {}
    totals: dict[int, int] = {}
    for key, name, count in rows.filter(place__lte=ALIASES).values_list(
        "manifest_id", "name", "total"
    ):
        found.setdefault(key, []).append(name)
        totals[key] = count
    return {key: Names(newest_first(names), totals[key]) for key, names in found.items()}


def _like(pattern: str) -> str:
    """`*` and `?` as LIKE has them, anything else as it is."""
    for sign in ("\\", "%", "_"):
        pattern = pattern.replace(sign, f"\\{sign}")
    return pattern.replace("*", "%").replace("?", "_")


def _single(rows: QuerySet[Tag], sort: str, number: str | None) -> tuple[Page[Any], list[Tag]]:
    if sort == SIZE:
        rows = rows.order_by("-manifest__total_size", "-pk")
    elif sort == VERSION:
        pairs = _names(rows)
        if pairs is not None:
            ordered = in_version_order(tuple(name for _, name in pairs))
            key_of = {name: key for key, name in pairs}
            page, keys = _cut([key_of[name] for name in ordered], number)
            found = rows.in_bulk(keys)
            return page, [found[key] for key in keys if key in found]
        rows = rows.alias(sort_key=byte_order("name")).order_by("sort_key")
    return _cut(rows, number)


def _images(rows: QuerySet[Tag], sort: str, number: str | None) -> tuple[Page[Any], list[int]]:
    """Ids of manifests."""
    pairs = _names(rows, "manifest_id") if sort == VERSION else None
    if pairs is not None:
        manifest_of = {name: key for key, name in pairs}
        ordered = in_version_order(tuple(manifest_of))
        return _cut(list(dict.fromkeys(manifest_of[name] for name in ordered)), number)
    groups = rows.order_by().values("manifest_id").annotate(newest=Max("moved_at"))
    order = ["-manifest__total_size"] if sort == SIZE else ["-newest"]
    return _cut(
        groups.order_by(*order, "-manifest_id").values_list("manifest_id", flat=True), number
    )


def _cut(rows: Any, number: str | None) -> tuple[Page[Any], list[Any]]:
    """A page and what is on it."""
    page = Paginator(rows, ROWS).get_page(number)
    return page, list(page.object_list)


def _first_of_each(
    whole: QuerySet[Tag], manifest_ids: Sequence[int], names: dict[int, Names]
) -> list[Tag]:
    """For each manifest the tag that is named first, whether the filter fits it or not."""
    firsts = [names[key].shown[0] for key in manifest_ids if key in names]
    found = {
        tag.manifest_id: tag
        for tag in whole.filter(manifest_id__in=manifest_ids, name__in=firsts)
        if tag.name == names[tag.manifest_id].shown[0]
    }
    return [found[key] for key in manifest_ids if key in found]


def _names(rows: QuerySet[Tag], key: str = "pk") -> list[tuple[int, str]] | None:
    """(id, name) of every tag, or None for too many."""
    found = list(rows.order_by("pk").values_list(key, "name")[: MAX_VERSIONS + 1])
    return found if len(found) <= MAX_VERSIONS else None


@lru_cache(maxsize=16)
def in_version_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """Newest version first. The names of a repository stay the same from page to page."""
    return tuple(newest_first(names))
