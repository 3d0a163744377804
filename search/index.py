"""The index of the database in use: `postgres.py` or `sqlite.py`, which have the same functions."""

from __future__ import annotations

from typing import Any, Protocol, cast

from django.db import connection

from search import postgres, sqlite

Sql = tuple[str, list[Any]]


class Index(Protocol):
    """What both modules do."""

    def ensure(self) -> bool: ...
    def remove(self) -> None: ...
    def rebuild(self) -> None: ...
    def has_words(self) -> bool: ...
    def holding(self, words: tuple[str, ...], *, public: bool, in_path: bool = False) -> Sql: ...
    def named(self, name: str, *, public: bool, whole: bool) -> Sql: ...
    def beginning(self, texts: list[str]) -> Sql: ...
    def among(self, ids: list[int]) -> Sql: ...


def index() -> Index:
    """The module for this database."""
    return cast(Index, postgres if connection.vendor == "postgresql" else sqlite)


def ensure(**_: Any) -> None:
    """After migrations: make what is missing, unless search itself is not there (any more)."""
    if "search_fact" in connection.introspection.table_names():
        index().ensure()
