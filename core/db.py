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
def alone(name: str, *, at_most_s: float | None = None) -> Iterator[None]:
    """A transaction that waits for every other one of this name; others are not held up.

    SQLite has one writer at a time anyway: transactions take its lock when they begin. For
    `at_most_s` see `wait_for`.
    """
    with transaction.atomic():
        wait_for(name, at_most_s=at_most_s)
        yield


class Counted(Subquery):
    """How many rows a queryset has, as a value of a row: several counts for one query."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) _counted)"
    output_field = IntegerField()


def wait_for(name: str, *, at_most_s: float | None = None) -> None:
    """The same for a transaction that is under way already, from here to its end.

    With `at_most_s` PostgreSQL ends the transaction when it waits longer for this or any further
    lock, and when its client says nothing for three times as long: one whose machine has vanished
    would hold up the others for hours. Raises OperationalError then.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        if at_most_s is None:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
            return
        wait_ms = int(at_most_s * 1000)
        # The list is worked off from left to right.
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, true),"
            " set_config('idle_in_transaction_session_timeout', %s, true),"
            " pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [str(wait_ms), str(3 * wait_ms), name],
        )


def byte_order(field: str) -> Any:
    """The field for ordering and comparing by bytes, whatever the database's own collation.

    SQLite's default is by bytes; PostgreSQL needs to be told.
    """
    return Collate(F(field), "C") if connection.vendor == "postgresql" else F(field)
