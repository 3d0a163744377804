"""The two halves of every search: what is public, and what is private and the caller's.

Each half has conditions, and for some of them an index tells the ids of what meets them. If that
are few, only those rows are looked at (*gathered*); if every condition is met by many, the rows
are *walked* in the order asked for until enough are found, which is soon then. So either way a page
costs little, and no statement has to be planned well: there is only one good way to run it.

The ids never decide: each row is asked about by `repos.permissions`, and compared as it is now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.expressions import BaseExpression
from django.db.models.fields import BigIntegerField, BooleanField
from django.db.models.functions import Coalesce, Lower, StrIndex
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual
from django.utils import timezone

from accounts.models import Namespace
from accounts.types import ANONYMOUS, Principal
from repos.models import Repository, Star, Visibility
from repos.permissions import member_ids, visible_each, visible_to
from search.index import Sql, index
from search.models import Fact
from search.query import Query
from search.reach import near, reach

FEW = 1_000  # ids; more are many
FRESH = Coalesce("last_pushed_at", "created_at")


@dataclass(frozen=True, slots=True)
class Condition:
    """What an index can tell: the ids are those of all `parts` together."""

    parts: tuple[Sql, ...]


@dataclass(slots=True)
class Branch:
    """One half: its rows with every filter, and conditions; `ids` are set once probed."""

    rows: QuerySet[Repository]
    public: bool
    conditions: list[Condition] = field(default_factory=list)
    ids: set[int] | None = None

    def narrowed(self, ids: set[int] | None) -> QuerySet[Repository]:
        """The rows among these ids, or all."""
        return self.rows if ids is None else self.rows.filter(Among(F("pk"), sorted(ids)))


class Among(Func):
    """Whether a column is one of many numbers, which are one parameter."""

    output_field = BooleanField()

    def __init__(self, column: BaseExpression | F, ids: list[int]) -> None:
        super().__init__(column)
        self.ids = ids

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        """`column = ANY(…)`, or whatever the database says for it."""
        column, params = compiler.compile(self.source_expressions[0])
        test, ids = index().among(self.ids)
        return f"{column} {test}", [*params, *ids]


class _Unindexed(Func):
    """A number as it is, which no planner looks up: the rows are got by their ids or in order."""

    template = "+%(expressions)s"
    output_field = BigIntegerField()


class _Near(Func):
    """Whether a row is where the caller's roles are."""

    output_field = BooleanField()

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> Sql:  # type: ignore[override]
        """SQL for the row's own columns."""
        column, _params = compiler.compile(self.source_expressions[0])
        return near(self.extra["principal"], column.rpartition(".")[0])


def branches(principal: Principal, query: Query, *, filled: bool) -> list[Branch]:
    """The halves that can hold anything. `filled`: only what something was pushed to."""
    if query.show and principal.is_anonymous:
        return []
    halves = []
    if query.visibility != Visibility.PRIVATE:
        halves.append(Branch(visible_to(ANONYMOUS), public=True))
    if query.visibility != Visibility.PUBLIC and not principal.is_anonymous:
        mine = visible_each(principal).filter(visibility=Visibility.PRIVATE)
        halves.append(Branch(mine, public=False))
    for half in halves:
        _restrict(half, principal, query)
        if filled:
            half.rows = half.rows.filter(last_pushed_at__isnull=False)
    _probe(halves)
    for half in halves:
        if half.public and query.show in ("mine", "shared"):  # the other half is seen by a role
            half.rows = half.rows.filter(pk__in=_held(principal, half.ids))
        if not half.public and half.ids is None:
            half.rows = half.rows.filter(_Near(F("pk"), principal=principal))
    return [half for half in halves if half.ids is None or half.ids]


def holds(word: str) -> Q:
    """Whether a word is in the path or the description, as they are now."""
    return Q(in_path(word)) | Q(_has(Lower("description"), word))


def in_path(word: str) -> GreaterThan:
    """Whether a word is in the path."""
    return _has(F("path"), word)


def ids_of(part: Sql) -> set[int] | None:
    """The ids one statement tells; None if they are many."""
    return _ids({"": part})[""]


def compiled(rows: QuerySet[Any], column: str = "pk") -> Sql | None:
    """A queryset's ids as SQL; None if it cannot hold any."""
    try:
        sql, params = rows.order_by().values(column).query.sql_with_params()
    except EmptyResultSet:
        return None
    return sql, list(params)


def _has(text: Any, word: str) -> GreaterThan:
    # Not LIKE: planners think that long words are rare, and then read everything.
    return GreaterThan(StrIndex(text, Value(word)), 0)


def _probe(halves: Sequence[Branch]) -> None:
    """Set the ids of each half by one statement."""
    found = _ids({_key(p): p for half in halves for c in half.conditions for p in c.parts})
    for half in halves:
        for condition in half.conditions:
            sets = [found[_key(part)] for part in condition.parts]
            if None not in sets:
                ids = {pk for some in sets for pk in some or ()}
                half.ids = ids if half.ids is None else half.ids & ids


def _ids(parts: dict[str, Sql]) -> dict[str, set[int] | None]:
    """The ids of each statement, or None if they are many."""
    if not parts:
        return {}
    asked = [
        f"SELECT {number}, x.* FROM ({sql} LIMIT {FEW + 1}) x"  # noqa: S608 - made by us
        for number, (sql, _) in enumerate(parts.values())
    ]
    found: list[set[int]] = [set() for _ in parts]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(asked), [p for _, more in parts.values() for p in more])
        for number, pk in cursor.fetchall():
            found[number].add(pk)
    return {key: ids if len(ids) <= FEW else None for key, ids in zip(parts, found, strict=True)}


def _key(part: Sql) -> str:
    return repr(part)


def _condition(rows: QuerySet[Any], column: str = "pk") -> Condition:
    part = compiled(rows, column)
    return Condition((part,) if part else ())


def _restrict(half: Branch, principal: Principal, query: Query) -> None:
    """Every filter, and what an index knows of it."""
    rows, conditions = half.rows, half.conditions
    visibility = Visibility.PUBLIC if half.public else Visibility.PRIVATE
    all_ = Repository.objects.filter(visibility=visibility)
    if query.words:
        rows = rows.filter(*map(holds, query.words))
        if found := index().holding(query.words, public=half.public):
            conditions.append(Condition((found,)))
    if query.namespace:
        named = Namespace.objects.filter(name=query.namespace).values("pk")[:1]
        rows = rows.filter(Exact(_Unindexed("namespace_id"), Subquery(named)))
        conditions.append(_condition(all_.filter(namespace=Subquery(named))))
    for word in query.facts:
        facts = Fact.objects.filter(word=word)
        rows = rows.filter(Exists(facts.filter(repository=OuterRef("pk"))))
        conditions.append(_condition(facts, "repository_id"))
    if query.age is not None:
        since = GreaterThanOrEqual(FRESH, timezone.now() - query.age)
        rows = rows.filter(since)
        conditions.append(_condition(all_.filter(since)))
    if query.show == "starred":
        stars = Star.objects.filter(user_id=principal.account_id)
        rows = rows.filter(Exists(stars.filter(repository=OuterRef("pk"))))
        conditions.append(_condition(stars, "repository_id"))
    elif query.show == "shared":
        rows = rows.exclude(namespace__user_id=principal.account_id)
        rows = rows.exclude(namespace__kind=Namespace.Kind.LIBRARY)
    if not half.public or query.show in ("mine", "shared"):
        conditions.append(Condition(tuple(reach(principal, visibility, query.namespace))))
    half.rows = rows


def _held(principal: Principal, ids: set[int] | None) -> QuerySet[Repository, int]:
    """What the caller has a role on, asked of these only."""
    held = member_ids(principal)
    return held if ids is None else held.filter(Among(F("pk"), sorted(ids)))
