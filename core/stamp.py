"""Has anything in the database changed? One value tells, whoever wrote it, on whichever machine.

SQLite: `PRAGMA data_version` differs after a commit by any other connection. PostgreSQL: two equal
snapshots (`pg_current_snapshot()`) see the same rows. Why this and no counter of our own:
docs/decisions/0005-remembered-answers.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Question = tuple[str, Any]
_STAMPS = {
    "sqlite": "PRAGMA data_version",
    "postgresql": "SELECT pg_current_snapshot()::text",
}


def read_stamp(cursor: Any, vendor: str) -> Any:
    """Equal to an earlier one of the same connection only if nothing was committed in between.

    `cursor` is the driver's own; commits of its own connection do not count on SQLite.
    """
    cursor.execute(_STAMPS[vendor])
    return cursor.fetchall()  # to the end: a statement left open would hold a snapshot


def ask(cursor: Any, questions: Sequence[Question]) -> list[Any]:
    """The rows each of the questions gets now."""
    rows = []
    for sql, params in questions:
        cursor.execute(sql, params)
        rows.append(cursor.fetchall())
    return rows
