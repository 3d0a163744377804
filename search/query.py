"""What somebody looks for: words and filters, and the text they are typed as.

api "two words" org:acme is:private arch:arm64 kind:chart updated:<30d sort:pulls
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from search.facts import KINDS

MAX_CHARS = 200
MAX_WORDS = 8
SORTS = ("match", "stars", "pulls", "recent", "name")
SHOWS = ("mine", "shared", "starred")
VISIBILITIES = ("public", "private")
OFFICIAL = "library"
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24}
_WITHIN = re.compile(r"<?=?([1-9][0-9]{0,3})([hdwmy])")
_TERM = re.compile(r'(?:([A-Za-z]+):)?(?:"([^"]*)"?|(\S+))')
_NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*")
_PART = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_PLATFORM = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}(?:/[a-z0-9][a-z0-9._-]{0,39}){1,2}")


@dataclass(frozen=True, slots=True)
class Query:
    """Empty values filter nothing. `within` is how long ago the last push may be, as `30d`; `notes`
    are sentences on what was not understood."""

    words: tuple[str, ...] = ()
    namespace: str = ""
    visibility: str = ""
    show: str = ""
    os: str = ""
    arch: str = ""
    platform: str = ""
    kind: str = ""
    within: str = ""
    sort: str = ""
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> tuple[str, ...]:
        """The facts asked for, as `search.models.Fact` has them."""
        names = ("os", "arch", "platform", "kind")
        return tuple(f"{name}:{value}" for name in names if (value := getattr(self, name)))

    @property
    def age(self) -> timedelta | None:
        """How long ago the last push may be."""
        match = _WITHIN.fullmatch(self.within)
        return timedelta(hours=int(match[1]) * _HOURS[match[2]]) if match else None

    @property
    def order(self) -> str:
        """One of SORTS: what was asked for, or what makes sense."""
        return self.sort or ("match" if self.words else "recent")

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the order was asked for."""
        return replace(self, sort="", notes=()) != Query()


@dataclass(frozen=True, slots=True)
class _Filter:
    """A kind of filter: the values it may have, made plain, or None for one it may not."""

    field: str
    read: Callable[[str], str | None]
    example: str


def _one_of(allowed: tuple[str, ...]) -> Callable[[str], str | None]:
    return lambda value: value if value in allowed else None


def _like(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    return lambda value: value if pattern.fullmatch(value) else None


def _within(value: str) -> str | None:
    match = _WITHIN.fullmatch(value)
    return f"{match[1]}{match[2]}" if match else None


FILTERS = {
    "org": _Filter("namespace", _like(_NAME), "org:acme"),
    "visibility": _Filter("visibility", _one_of(VISIBILITIES), "is:public, is:private"),
    "show": _Filter("show", _one_of(SHOWS), "is:mine, is:shared, is:starred"),
    "os": _Filter("os", _like(_PART), "os:linux"),
    "arch": _Filter("arch", _like(_PART), "arch:arm64"),
    "platform": _Filter("platform", _like(_PLATFORM), "platform:linux/arm64"),
    "kind": _Filter("kind", _one_of(KINDS), ", ".join(f"kind:{kind}" for kind in KINDS)),
    "updated": _Filter("within", _within, "updated:<12h, updated:<30d, updated:<1y"),
    "sort": _Filter("sort", _one_of(SORTS), ", ".join(f"sort:{sort}" for sort in SORTS)),
}
_ALSO = {"user": "org", "namespace": "org", "type": "kind", "architecture": "arch"}
# Parameters of addresses, and the filters they are.
PARAMETERS = {
    "namespace": "org",
    "visibility": "visibility",
    "show": "show",
    "platform": "platform",
    "kind": "kind",
    "updated": "updated",
    "sort": "sort",
}
# What `is:` means, in words of the filters above.
_IS = {
    **{value: ("visibility", value) for value in VISIBILITIES},
    **{value: ("show", value) for value in SHOWS},
    "official": ("org", OFFICIAL),
}
_IS_EXAMPLE = ", ".join(f"is:{value}" for value in _IS)


def parse(text: str) -> Query:
    """Read what was typed. Never fails: a filter with a value that it has not leaves a note."""
    query = Query()
    for key, value, typed in _terms(text[:MAX_CHARS].replace("\0", "")):
        name = _ALSO.get(key, key)
        if name == "is":
            name, value = _IS.get(value, ("is", value))
        if name == "is" or (name in FILTERS and FILTERS[name].read(value) is None):
            example = _IS_EXAMPLE if name == "is" else FILTERS[name].example
            query = _noted(
                query,
                _("%(term)s is no filter. Try %(example)s.") % {"term": typed, "example": example},
            )
        elif name in FILTERS:
            query = with_filter(query, name, value)
        elif len(query.words) == MAX_WORDS:
            query = _noted(
                query, _("Only the first %(number)s words were looked for.") % {"number": MAX_WORDS}
            )
        elif value and value not in query.words:
            query = replace(query, words=(*query.words, value))
    return query


def with_filter(query: Query, name: str, value: str) -> Query:
    """The query with one more filter, named as in FILTERS; a value that is none leaves a note."""
    found = FILTERS[name].read(value.lower())
    if found is None:
        note = _("%(term)s is no filter. Try %(example)s.")
        return _noted(
            query, note % {"term": f"{name}:{value}"[:80], "example": FILTERS[name].example}
        )
    return _set(query, name, found)


def from_parameters(values: Mapping[str, str]) -> Query:
    """The query of an address: `q` is read as text, the other parameters filter besides."""
    query = parse(values.get("q", ""))
    for parameter, name in PARAMETERS.items():
        value = values.get(parameter, "").replace("\0", "").strip()
        if value:
            is_arch = parameter == "platform" and "/" not in value
            query = with_filter(query, "arch" if is_arch else name, value)
    return query


def without(query: Query, name: str) -> Query:
    """The query without a filter, named as in FILTERS."""
    return _set(query, name, "")


def active(query: Query) -> Iterator[tuple[str, str]]:
    """The filters that were asked for, by name and value; the order is none of them."""
    for name, kind in FILTERS.items():
        value = getattr(query, kind.field)
        if value and name != "sort":
            yield name, value


def write(query: Query) -> str:
    """The text that is read as this query, without its notes."""
    terms = [f'"{word}"' if _must_quote(word) else word for word in query.words]
    terms += [term(name, value) for name, value in active(query)]
    if query.sort:
        terms.append(f"sort:{query.sort}")
    return " ".join(terms)


def term(name: str, value: str) -> str:
    """One filter as people type it."""
    begin = {"visibility": "is:", "show": "is:", "updated": "updated:<"}.get(name, f"{name}:")
    return f"{begin}{value}"


def _must_quote(word: str) -> bool:
    """Whether a word would be read as something else, or as several."""
    return bool(re.search(r"\s", word)) or _is_term(word)


def _is_term(word: str) -> bool:
    key, colon, _value = word.partition(":")
    return bool(colon) and (key in FILTERS or key in _ALSO or key == "is")


def _terms(text: str) -> Iterator[tuple[str, str, str]]:
    """Key, value and the text itself of each term, in lower case; a word has no key."""
    for match in _TERM.finditer(text.lower()):
        typed = match[0]
        if _is_term(typed):
            key, _colon, value = typed.partition(":")
            yield key, value.strip('" '), typed[:80]
        elif match[2] is not None:
            key = f"{match[1]}:" if match[1] else ""
            yield "", " ".join(f"{key}{match[2]}".split()), typed
        else:
            yield "", typed.strip('"'), typed


def _set(query: Query, name: str, value: str) -> Query:
    change: dict[str, Any] = {FILTERS[name].field: value}
    return replace(query, **change)


def _noted(query: Query, note: str) -> Query:
    return query if note in query.notes else replace(query, notes=(*query.notes, note))
