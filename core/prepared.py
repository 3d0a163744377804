"""Queries compiled once: on the hot paths making the SQL costs ten times what running it does."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any, Generic, TypeVar

from django.db import connection, models
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=models.Model)


class _Slot:
    """Where an argument goes; `field` prepares it for the database."""

    def __init__(self, number: int, field: models.Field[Any, Any]) -> None:
        self.number = number
        self.field = field


class _Parameter(models.Expression):
    """Stands for an argument in a queryset that is only compiled."""

    def __init__(self, number: int, field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.slot = _Slot(number, field)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self.slot]


class Prepared(Generic[M]):
    """A queryset whose filters compare with arguments that come later.

    `build` gets one stand-in for each of `fields`, which say of what kind the arguments are.
    Model instances come out as from the queryset, `select_related` and `only` included; no
    prefetching, no annotations. For both databases, for every thread.
    """

    def __init__(
        self, build: Callable[..., models.QuerySet[M]], *fields: models.Field[Any, Any]
    ) -> None:
        self._build = build
        self._fields = fields
        self._lock = Lock()
        self._compiled: _Compiled[M] | None = None

    def all(self, *arguments: Any) -> list[M]:
        """Every row."""
        return self._ready().run(arguments)

    def first(self, *arguments: Any) -> M | None:
        """The first row; a query for one had better end at one (`[:1]`)."""
        rows = self._ready().run(arguments)
        return rows[0] if rows else None

    def _ready(self) -> _Compiled[M]:
        compiled = self._compiled
        if compiled is None:
            with self._lock:
                compiled = self._compiled = _Compiled(self._build, self._fields)
        return compiled


class _Compiled(Generic[M]):
    def __init__(
        self,
        build: Callable[..., models.QuerySet[M]],
        fields: tuple[models.Field[Any, Any], ...],
    ) -> None:
        rows = build(*(_Parameter(number, field) for number, field in enumerate(fields)))
        self._database = rows.db
        self._compiler = rows.query.get_compiler(rows.db)
        self._sql, self._params = self._compiler.as_sql()
        info = self._compiler.klass_info
        assert info is not None
        select = self._compiler.select
        self._model: type[M] = info["model"]
        first, last = info["select_fields"][0], info["select_fields"][-1] + 1
        self._part = slice(first, last)
        self._names = [column[0].target.attname for column in select[first:last]]
        self._related = get_related_populators(info, select, rows.db)  # type: ignore[call-arg]

    def run(self, arguments: tuple[Any, ...]) -> list[M]:
        params = [
            p.field.get_db_prep_value(arguments[p.number], connection)
            if isinstance(p, _Slot)
            else p
            for p in self._params
        ]
        with connection.cursor() as cursor:
            cursor.execute(self._sql, params)
            fetched = cursor.fetchall()
        found = []
        for row in self._compiler.results_iter([fetched]):
            made = self._model.from_db(self._database, self._names, row[self._part])
            for populator in self._related:
                populator.populate(row, made)
            found.append(made)
        return found


def insert(row: models.Model) -> None:
    """Save a new row and set its key: `save()` without the signals, compiled once a model."""
    sql, fields = _insert_of(type(row))
    values = [f.get_db_prep_save(f.pre_save(row, add=True), connection) for f in fields]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row.pk = cursor.fetchone()[0]
    row._state.adding = False
    row._state.db = connection.alias


@cache
def _insert_of(model: type[models.Model]) -> tuple[str, list[models.Field[Any, Any]]]:
    fields = [f for f in model._meta.local_concrete_fields if not f.primary_key]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(f.column)) for f in fields)
    key = model._meta.pk
    assert key is not None
    holes = ", ".join(["%s"] * len(fields))
    return (
        f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({holes}) "  # noqa: S608
        f"RETURNING {quote(str(key.column))}",
        fields,
    )
