"""The index on SQLite: two FTS5 tables of trigrams, of what is public and of what is not, kept in
step by triggers; and indexes for the orders of lists.

Without FTS5 or its trigrams (SQLite before 3.34) words are looked for row by row.
"""

from __future__ import annotations

import json
import logging
from functools import cache
from typing import Any

from django.db import connection
from django.db.utils import OperationalError

log = logging.getLogger(__name__)
Sql = tuple[str, list[Any]]
TRIGRAM = 3  # letters
_LAST = "\U0010ffff"  # comes after every letter
_KINDS = (("public", "="), ("private", "<>"))
TABLES = {True: "search_public", False: "search_private"}
_IN = "; ".join(
    f"INSERT INTO search_{kind} (rowid, path, about) SELECT new.id, new.path, new.description"
    f" WHERE new.state = 'active' AND new.visibility {test} 'public'"
    for kind, test in _KINDS
)
_OUT = "; ".join(f"DELETE FROM search_{kind} WHERE rowid = old.id" for kind, _ in _KINDS)  # noqa: S608
_CHANGED = " OR ".join(
    f"old.{name} IS NOT new.{name}" for name in ("path", "description", "visibility", "state")
)
TRIGGERS = {
    "search_added": f"AFTER INSERT ON repos_repository BEGIN {_IN}; END",
    "search_changed": "AFTER UPDATE OF path, description, visibility, state ON repos_repository"
    f" WHEN {_CHANGED} BEGIN {_OUT}; {_IN}; END",
    "search_removed": f"AFTER DELETE ON repos_repository BEGIN {_OUT}; END",
}
# Facts go with their repository, whether or not there is an index of words.
FACTS = (
    "CREATE TRIGGER IF NOT EXISTS search_facts_removed AFTER DELETE ON repos_repository"
    " BEGIN DELETE FROM search_fact WHERE repository_id = old.id; END"
)
_FRESH = "COALESCE(last_pushed_at, created_at) DESC"
ORDERS = {
    "search_by_stars": f"visibility, star_count DESC, pull_count DESC, {_FRESH}, id DESC",
    "search_by_pulls": f"visibility, pull_count DESC, star_count DESC, {_FRESH}, id DESC",
    "search_by_time": f"visibility, {_FRESH}, id DESC",
    "search_by_path": "visibility, path",
    "search_by_name": "visibility, name",
}


def ensure() -> bool:
    """Make what is missing; returns whether there is an index of words.

    A migration that changes the table of repositories makes it anew, without all this.
    """
    _is_indexed.cache_clear()
    with connection.cursor() as cursor:
        there = _there(cursor)
        for name, columns in ORDERS.items():
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON repos_repository ({columns})")
        cursor.execute(FACTS)
        if {*TABLES.values(), *TRIGGERS} <= there:
            return True
        try:
            for table in TABLES.values():
                cursor.execute(
                    f"CREATE VIRTUAL TABLE IF NOT EXISTS {table}"
                    " USING fts5(path, about, tokenize='trigram')"
                )
        except OperationalError as error:
            log.warning("search has no index, and is slow on a large hub: %s", error)
            return False
        for name, body in TRIGGERS.items():
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            cursor.execute(f"CREATE TRIGGER {name} {body}")
    rebuild()
    return True


def remove() -> None:
    """Leave nothing behind."""
    _is_indexed.cache_clear()
    with connection.cursor() as cursor:
        for name in (*TRIGGERS, "search_facts_removed"):
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
        for name in ORDERS:
            cursor.execute(f"DROP INDEX IF EXISTS {name}")
        for name in TABLES.values():
            cursor.execute(f"DROP TABLE IF EXISTS {name}")


def rebuild() -> None:
    """Fill the index anew from the repositories."""
    with connection.cursor() as cursor:
        for kind, test in _KINDS:
            cursor.execute(f"DELETE FROM search_{kind}")  # noqa: S608 - our own names
            cursor.execute(
                f"INSERT INTO search_{kind} (rowid, path, about)"  # noqa: S608
                " SELECT id, path, description FROM repos_repository"
                f" WHERE state = 'active' AND visibility {test} 'public'"
            )


def has_words() -> bool:
    """Whether there is an index of words."""
    with connection.cursor() as cursor:
        return set(TABLES.values()) <= _there(cursor)


def holding(words: tuple[str, ...], *, public: bool, in_path: bool = False) -> Sql:
    """SQL for the ids of what holds all the words; may name some that do not."""
    table = TABLES[public]
    long = [word for word in words if len(word) >= TRIGRAM]
    if not _is_indexed():
        return _read(words, "path", "description", in_path, _live(public))
    if long:
        match = " AND ".join('"{}"'.format(word.replace('"', '""')) for word in long)
        match = f"{{path}} : ({match})" if in_path else match
        return f"SELECT rowid FROM {table} WHERE {table} MATCH %s", [match]  # noqa: S608
    # Less than three letters have no trigram: read the texts, which are short.
    return _read(words, "c0", "c1", in_path, f"{table}_content WHERE TRUE")


def named(name: str, *, public: bool, whole: bool) -> Sql:
    """SQL for the ids of what has this name, or one that begins with it."""
    test = "name = %s" if whole else "name >= %s AND name < %s"
    values = [name] if whole else [name, f"{name}{_LAST}"]
    return f"SELECT id FROM {_live(public)} AND {test}", values  # noqa: S608 - our own names


def beginning(texts: list[str]) -> Sql:
    """SQL for those of the texts that begin public names, and whether one is the whole name."""
    public = f"{_live(True)} AND state = 'active'"
    begins = f"SELECT 1 FROM {public} AND name >= value AND name < value || %s"  # noqa: S608
    whole = f"SELECT 1 FROM {public} AND name = value"  # noqa: S608
    return (
        f"SELECT value, EXISTS ({whole}) FROM json_each(%s) WHERE EXISTS ({begins})",  # noqa: S608
        [json.dumps(texts), _LAST],
    )


def among(ids: list[int]) -> Sql:
    """SQL that follows a column: one parameter for any number of ids."""
    return "IN (SELECT value FROM json_each(%s))", [json.dumps(ids)]


def _live(public: bool) -> str:
    visibility = "public" if public else "private"
    return f"repos_repository WHERE visibility = '{visibility}'"


def _read(words: tuple[str, ...], path: str, about: str, in_path: bool, where: str) -> Sql:
    test = f"instr({path}, %s) > 0"
    if not in_path:
        test = f"({test} OR instr(lower({about}), %s) > 0)"
    params = [word for word in words for _ in range(1 if in_path else 2)]
    return f"SELECT id FROM {where}{f' AND {test}' * len(words)}", params  # noqa: S608


@cache
def _is_indexed() -> bool:
    return has_words()


def _there(cursor: Any) -> set[str]:
    cursor.execute("SELECT name FROM sqlite_master WHERE name LIKE 'search%%'")
    return {name for (name,) in cursor.fetchall()}
