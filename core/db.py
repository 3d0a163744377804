"""What differs between the two databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.models import F, IntegerField, Subquery
from django.db.models.functions import Collate


@contextmanager
def relaxed() -> Iterator[None]:
    """A transaction whose commit need not reach the disk at once: a power cut may undo it.

    For what only prepares an acknowledged change. Neither database tears it or anything else, and
    the next ordinary commit makes it last.
    """
    with connection.cursor() as cursor:
        if connection.vendor != "sqlite" or connection.in_atomic_block:
            with transaction.atomic():
                if connection.vendor == "postgresql":
                    cursor.execute("SET LOCAL synchronous_commit = off")
                yield
            return
        cursor.execute("PRAGMA synchronous=NORMAL")
    try:
        with transaction.atomic():
            yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=FULL")


@contextmanager
def alone(name: str) -> Iterator[None]:
    """A transaction that waits for every other one of this name; others are not held up.

    SQLite has one writer at a time anyway: transactions take its lock when they begin.
    """
    with transaction.atomic():
        wait_for(name)
        yield


class Counted(Subquery):
    """How many rows a queryset has, as a value of a row: several counts for one query."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) _counted)"
    output_field = IntegerField()


def wait_for(name: str) -> None:
    """The same for a transaction that is under way already, from here to its end."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def byte_order(field: str) -> Any:
    """The field for ordering and comparing by bytes, whatever the database's own collation.

    SQLite's default is by bytes; PostgreSQL needs to be told.
    """
    return Collate(F(field), "C") if connection.vendor == "postgresql" else F(field)
