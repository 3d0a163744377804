"""Searching what somebody may see: one index behind /explore, /search, REST and `docker search`.

Best match first, then stars, pulls and freshness; pages by position.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BooleanField, Case, F, Func, Q, QuerySet, Value, When

from accounts.types import Principal
from core.errors import Invalid
from core.paging import Page, decode_cursor, encode_cursor
from repos.models import Repository
from search.branches import FRESH, Branch, branches, compiled, ids_of, in_path
from search.index import Sql, index
from search.query import Query

EXACT, BEGINNING, IN_PATH, ELSEWHERE = 3, 2, 1, 0
# Columns of each order; all descend but a name. The last is the key of the row.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "match": ("star_count", "pull_count", "fresh", "pk"),
    "stars": ("star_count", "pull_count", "fresh", "pk"),
    "pulls": ("pull_count", "star_count", "fresh", "pk"),
    "recent": ("fresh", "pk"),
    "name": ("path", "pk"),
}
_MAX_NUMBER = 2**63 - 1
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Search:
    """What is asked of every branch."""

    query: Query
    most: int
    after: Key | None = None

    @property
    def is_ranked(self) -> bool:
        """Whether rows come by how well they match."""
        return self.query.order == "match" and bool(self.query.words)

    @property
    def columns(self) -> tuple[str, ...]:
        """What the order is made from."""
        return (("tier",) if self.is_ranked else ()) + _COLUMNS[self.query.order]

    @property
    def whole(self) -> str:
        """All words as one."""
        return " ".join(self.query.words)


def find(
    principal: Principal,
    query: Query,
    *,
    limit: int,
    cursor: str | None = None,
    filled: bool = False,
) -> Page[Repository]:
    """A page of what the caller may see; `filled`: only what something was pushed to.

    Raises Invalid for a cursor that is not of this order. The number of queries does not grow with
    the rows.
    """
    search = _Search(query, limit + 1)
    if cursor:
        search = replace(search, after=_position(cursor, search))
    keys = _keys(principal, search, filled=filled)
    rows = load([key[-1] for key in keys[:limit]])
    return Page(rows, _cursor(keys[limit - 1], search) if len(keys) > limit else None)


def find_ids(principal: Principal, query: Query, *, most: int) -> list[int]:
    """The ids of the first so many, for answers that count and number their pages."""
    return [key[-1] for key in _keys(principal, _Search(query, most), filled=False)]


def load(ids: Sequence[int]) -> list[Repository]:
    """The rows in this order; who may see them has been decided with the ids."""
    if not ids:
        return []
    rows = Repository.objects.filter(state=Repository.State.ACTIVE).select_related("namespace")
    found = rows.defer("readme", "readme_html").in_bulk(ids)
    return [found[pk] for pk in ids if pk in found]


class _Beyond(Func):
    """Whether a row of columns comes after a row of values."""

    output_field = BooleanField()

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        """`(a, b) < (1, 2)`, which both databases look up in an index."""
        made = [compiler.compile(source) for source in self.source_expressions]
        middle = len(made) // 2
        left, right = (", ".join(sql for sql, _ in half) for half in (made[:middle], made[middle:]))
        return f"({left}) < ({right})", [p for _, more in made for p in more]


def _keys(principal: Principal, search: _Search, *, filled: bool) -> list[Key]:
    """The keys of the first rows, in order: each half tells as many as are asked for."""
    halves = branches(principal, search.query, filled=filled)
    walked = [half for half in halves if search.is_ranked and half.ids is None]
    simple = [half for half in halves if half not in walked]
    found = _run([_ordered(half.narrowed(half.ids), search) for half in simple])
    for half in walked:
        found += _by_tiers(half, search)
    return sorted(found, reverse=search.query.order != "name")[: search.most]


def _by_tiers(half: Branch, search: _Search) -> list[Key]:
    """The best of many matches: the rows of each tier are gathered or walked by themselves."""
    found: list[Key] = []
    after = search.after
    tests = _tests(search)
    for tier in (*sorted(tests, reverse=True), ELSEWHERE):
        if len(found) >= search.most or (after is not None and after[0] < tier):
            continue
        part = replace(
            search,
            query=replace(search.query, words=(), sort="match"),
            most=search.most - len(found),
            after=after[1:] if after is not None and after[0] == tier else None,
        )
        better = Q(*(Q(tests[t]) for t in tests if t > tier), _connector=Q.OR)
        ids = _ids_of_tier(half, tier, search)
        if ids is not None and not ids:
            continue
        rows = half.narrowed(ids)
        rows = rows.filter(tests[tier]) if tier in tests else rows
        found += [(tier, *key) for key in _run([_ordered(rows.exclude(better), part)])]
    return found


def _tests(search: _Search) -> dict[int, Q]:
    """What a row of each tier fulfils, and of no lower one; no name has several words."""
    tests = {IN_PATH: Q(*map(in_path, search.query.words))}
    if " " not in search.whole:
        tests[BEGINNING] = Q(name__startswith=search.whole)
        tests[EXACT] = Q(path=search.whole) | Q(name=search.whole)
    return tests


def _ids_of_tier(half: Branch, tier: int, search: _Search) -> set[int] | None:
    """Ids of at least all rows of a tier, or None if they are many."""
    if tier == ELSEWHERE:
        return None
    part: Sql | None
    if tier == IN_PATH:
        part = index().holding(search.query.words, public=half.public, in_path=True)
    elif "/" in search.whole:
        part = compiled(Repository.objects.filter(path=search.whole)) if tier == EXACT else None
    else:
        part = index().named(search.whole, public=half.public, whole=tier == EXACT)
    return ids_of(part) if part else None


def _ordered(rows: QuerySet[Repository], search: _Search) -> QuerySet[Repository, Any]:
    """The keys of the first rows after the position."""
    if search.is_ranked:
        tests = sorted(_tests(search).items(), reverse=True)
        tier = Case(*(When(q, Value(t)) for t, q in tests), default=Value(ELSEWHERE))
        rows = rows.annotate(tier=tier)
    ascends = search.query.order == "name"
    rows = rows.annotate(fresh=FRESH)
    if search.after is not None:
        columns = [F(name) for name in search.columns]
        beyond = _Beyond(*columns, *map(Value, search.after))
        rows = rows.filter(Q(path__gt=search.after[0]) if ascends else beyond)
    # A path is unique: a second column would only keep SQLite from its index.
    order = ["path"] if ascends else [f"-{name}" for name in search.columns]
    return rows.order_by(*order).values_list(*search.columns)[: search.most]


def _run(parts: Sequence[QuerySet[Repository, Any]]) -> list[Key]:
    """The keys of every part, in one statement."""
    asked: list[str] = []
    params: list[Any] = []
    for number, part in enumerate(parts):
        try:
            sql, more = part.query.sql_with_params()
        except EmptyResultSet:
            continue
        asked.append(f"SELECT * FROM ({sql}) x{number}")  # noqa: S608 - made by us
        params += more
    if not asked:
        return []
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(asked), params)
        return [tuple(row) for row in cursor.fetchall()]


def _cursor(key: Key, search: _Search) -> str:
    """The position of a row, good for the same order."""
    values = [v.isoformat() if isinstance(v, datetime) else v for v in key]
    return encode_cursor(json.dumps([search.query.order, *values]))


def _position(cursor: str, search: _Search) -> Key:
    """The values of the columns; raises Invalid."""
    try:
        order, *values = json.loads(decode_cursor(cursor))
        if order != search.query.order:
            raise ValueError(order)
        return tuple(_value(c, v) for c, v in zip(search.columns, values, strict=True))
    except (ValueError, TypeError, RecursionError) as error:
        raise Invalid("This cursor is not one of ours.", code="CURSOR_INVALID") from error


def _value(column: str, value: Any) -> Any:
    """A value as this column has them; raises ValueError or TypeError."""
    if column == "fresh":
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if column == "path":
        if not isinstance(value, str) or "\0" in value:
            raise ValueError(value)
        return value
    if type(value) is not int or abs(value) > _MAX_NUMBER:
        raise ValueError(value)
    return value
