"""Rows and the cells they unfold to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from django.urls import URLResolver, get_resolver

from hubsite.roles import HUB
from tests.matrix.rules import (
    COLUMNS,
    FARTHER,
    MAIN,
    NOBODY,
    PLACES,
    Caller,
    Surface,
    matters,
)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What stands for the parts of an address unless a row says otherwise.
FILL = {
    "path": "{path}",
    "org": "acme",
    "team": "pushers",
    "username": "member",
    "robot": "ci",
    "tag": "1",
    "digest": "{digest}",
    "uid": "{uid}",
    "delivery": "{delivery}",
}
_BELOW = "<namespace:namespace>/<name:name>"
_PART = re.compile(r"<(?:\w+:)?(\w+)>")
# A HEAD is asked by these alone: it is a GET to everything that decides.
_HEADS = ("nobody", "reader")
# Django's own administration, many addresses of few views.
_FEW = ("nobody", "stranger", "olga", "root")


@dataclass(frozen=True)
class Row:
    """A method of a URL pattern: what it needs, and how it ends where that is there.

    `but` names other endings by caller ("olga" or "olga, no csrf") or by "signed in" for
    everybody but nobody. `everywhere` asks it at every place by more people. `at` is the address
    where the pattern is no plain one; `*` in a pattern stands for many.
    """

    surface: Surface
    method: str
    pattern: str
    need: str
    ok: int
    data: Any = None
    but: Mapping[str, int] = field(default_factory=dict)
    at: str = ""
    query: str = ""
    everywhere: bool = False
    fill: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.pattern}{self.query}{self.note}"

    @property
    def places(self) -> tuple[str, ...]:
        """Where it is asked; one empty place if it is of no repository."""
        address = self.at or self.pattern
        if "<repository:path>" in address or _BELOW in address or "{path}" in address:
            return tuple(PLACES) if self.everywhere and self.method != "HEAD" else MAIN
        return ("",)

    def address(self) -> str:
        """The address, with `{words}` for the world to fill in."""
        if self.at:
            return f"/{self.at}{self.query}"
        return f"/{fill_pattern(self.pattern, self.fill)}{self.query}"

    def callers(self, place: str = "") -> tuple[Caller, ...]:
        """Its columns at a place."""
        everybody = COLUMNS[self.surface]
        if self.everywhere:
            everybody += FARTHER[self.surface]
        if self.method == "HEAD":
            everybody = tuple(c for c in everybody if c.person in _HEADS)
        if self.pattern.startswith("admin/django/"):
            everybody = tuple(c for c in everybody if c.person in _FEW)
        return tuple(c for c in everybody if matters(c, place))


def fill_pattern(pattern: str, fill: Mapping[str, str] = FILL) -> str:
    """A plain pattern with its parts filled in."""
    parts = {**FILL, **fill}
    whole = pattern.replace(_BELOW, "{path}")
    return _PART.sub(lambda m: parts.get(m[1], "acme" if "namespace:" in m[0] else "1"), whole)


def page(method: str, pattern: str, need: str, ok: int = 200, **more: Any) -> Row:
    """A row of the pages."""
    return _row("page", method, pattern, need, ok, **more)


def rest(method: str, pattern: str, need: str, ok: int = 200, **more: Any) -> Row:
    """A row of the REST API; the pattern without `api/`, `~` for a repository's."""
    whole = pattern.replace("~", f"repositories/{_BELOW}")
    return _row("rest", method, f"api/{whole}", need, ok, **more)


def lane(method: str, pattern: str, need: str, ok: int = 200, **more: Any) -> Row:
    """A row of the registry lane."""
    return _row("registry", method, pattern, need, ok, **more)


def _row(surface: Surface, method: str, pattern: str, need: str, ok: int, **more: Any) -> Row:
    known = {name: more.pop(name) for name in list(more) if name in Row.__dataclass_fields__}
    return Row(surface, method, pattern, need, ok, fill=more, **known)


def with_heads(rows: list[Row]) -> list[Row]:
    """The rows, and a HEAD for each GET."""
    headed = {(r.surface, r.pattern) for r in rows if r.method == "HEAD"}
    return rows + [
        Row(**{**{n: getattr(r, n) for n in Row.__dataclass_fields__}, "method": "HEAD"})
        for r in rows
        if r.method == "GET" and (r.surface, r.pattern) not in headed and r.pattern != "token"
    ]


# --- what the product has


def patterns_of(urlconf: str | None = None) -> list[str]:
    """Every address pattern, in the order they are tried."""
    return list(dict.fromkeys(_walk(get_resolver(urlconf).url_patterns, "")))


def all_patterns() -> dict[Surface, list[str]]:
    """The same by surface; two patterns of one text are one address."""
    whole = patterns_of()
    return {
        "page": [p for p in whole if not p.startswith("api/") or p == "api/docs"],
        "rest": [p for p in whole if p.startswith("api/") and p != "api/docs"],
        "registry": patterns_of(HUB.registry),
    }


def _walk(entries: Any, before: str) -> Iterator[str]:
    for entry in entries:
        whole = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, whole)
        else:
            yield whole


def rows_of(rows: list[Row], pattern: str) -> list[Row]:
    """The rows of one pattern; one that stands for many becomes its own."""
    exact = [row for row in rows if row.pattern == pattern]
    if exact:
        return exact
    return [
        replace(row, pattern=pattern, at=_sample(pattern))
        for row in rows
        if row.pattern.endswith("/*") and fnmatchcase(pattern, row.pattern)
    ]


def _sample(pattern: str) -> str:
    """Some address of a pattern, also of one that is a regular expression."""
    plain = re.sub(r"\(\?P<\w+>([\w.]+)[^)]*\)", r"\1", fill_pattern(pattern))
    return plain.replace("^", "").replace("$", "").replace(".", "nothing")


def cells(rows: list[Row], pattern: str) -> Iterator[tuple[Row, str, Caller]]:
    """Row, place and caller of each cell of one pattern."""
    for row in rows_of(rows, pattern):
        for place in row.places:
            for caller in row.callers(place):
                yield row, place, caller


__all__ = [
    "METHODS",
    "NOBODY",
    "Row",
    "all_patterns",
    "cells",
    "fill_pattern",
    "lane",
    "page",
    "rest",
    "rows_of",
    "with_heads",
]
