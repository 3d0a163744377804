"""The index on PostgreSQL: a narrow table of texts with trigrams (pg_trgm), kept in step by
triggers, so that pushes, pulls and stars do not touch it; and indexes for the orders of lists.

Without pg_trgm, which an administrator of the server may have to allow, the narrow table is read
row by row.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import connection, transaction
from django.db.utils import Error

log = logging.getLogger(__name__)
Sql = tuple[str, list[Any]]
TRIGRAM = 3  # letters
_TABLE = """CREATE TABLE IF NOT EXISTS search_text (repository_id bigint PRIMARY KEY,
 is_public boolean NOT NULL, path text NOT NULL, body text NOT NULL)"""
# The function compares, not the trigger: a trigger that names columns forbids to alter them.
_FUNCTION = """CREATE OR REPLACE FUNCTION search_follow() RETURNS trigger AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    DELETE FROM search_text;
    DELETE FROM search_fact;
    RETURN NULL;
  ELSIF TG_OP = 'DELETE' THEN
    DELETE FROM search_text WHERE repository_id = OLD.id;
    DELETE FROM search_fact WHERE repository_id = OLD.id;
    RETURN NULL;
  ELSIF TG_OP = 'UPDATE' THEN
    IF (OLD.path, OLD.description, OLD.visibility, OLD.state) IS NOT DISTINCT FROM
       (NEW.path, NEW.description, NEW.visibility, NEW.state) THEN
      RETURN NULL;
    END IF;
  END IF;
  IF NEW.state = 'active' THEN
    INSERT INTO search_text VALUES (NEW.id, NEW.visibility = 'public', NEW.path,
      lower(NEW.path || E'\\n' || NEW.description))
    ON CONFLICT (repository_id) DO UPDATE
      SET is_public = excluded.is_public, path = excluded.path, body = excluded.body;
  ELSE
    DELETE FROM search_text WHERE repository_id = NEW.id;
  END IF;
  RETURN NULL;
END $$ LANGUAGE plpgsql"""
TRIGGERS = {
    "search_follows": "AFTER INSERT OR UPDATE OR DELETE ON repos_repository FOR EACH ROW",
    "search_forgets": "AFTER TRUNCATE ON repos_repository FOR EACH STATEMENT",
}
TRIGRAMS = {"search_text_public": "is_public", "search_text_private": "NOT is_public"}
_FRESH = "(COALESCE(last_pushed_at, created_at)) DESC"
ORDERS = {
    "search_by_stars": f"visibility, star_count DESC, pull_count DESC, {_FRESH}, id DESC",
    "search_by_pulls": f"visibility, pull_count DESC, star_count DESC, {_FRESH}, id DESC",
    "search_by_time": f"visibility, {_FRESH}, id DESC",
    "search_by_path": "visibility, path",
    "search_by_name": "visibility, name text_pattern_ops",
}


def ensure() -> bool:
    """Make what is missing; returns whether there is an index of words."""
    with transaction.atomic(), connection.cursor() as cursor:
        there = _indexes(cursor)
        for name in ORDERS.keys() - there:
            cursor.execute(f"CREATE INDEX {name} ON repos_repository ({ORDERS[name]})")
        cursor.execute(_TABLE)
        cursor.execute(_FUNCTION)
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = 'repos_repository'::regclass")
        missing = TRIGGERS.keys() - {name for (name,) in cursor.fetchall()}
        for name in missing:
            body = f"{TRIGGERS[name]} EXECUTE FUNCTION search_follow()"
            cursor.execute(f"CREATE TRIGGER {name} {body}")
    if missing:
        rebuild()
    return has_words() or _add_trigrams()


def _add_trigrams() -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            for name, which in TRIGRAMS.items():
                cursor.execute(
                    f"CREATE INDEX IF NOT EXISTS {name} ON search_text"
                    f" USING gin (path gin_trgm_ops, body gin_trgm_ops) WHERE {which}"
                )
    except Error as error:
        log.warning(
            "search has no index, and is slow on a large hub; let an administrator of the database"
            " run CREATE EXTENSION pg_trgm, then start again: %s",
            str(error).strip().partition("\n")[0],
        )
        return False
    return True


def remove() -> None:
    """Leave nothing behind but the extension, which others may use."""
    with connection.cursor() as cursor:
        for name in TRIGGERS:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON repos_repository")
        cursor.execute("DROP FUNCTION IF EXISTS search_follow()")
        cursor.execute("DROP TABLE IF EXISTS search_text")
        for name in ORDERS:
            cursor.execute(f"DROP INDEX IF EXISTS {name}")


def rebuild() -> None:
    """Fill the index anew from the repositories, while nobody changes them."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE repos_repository IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("DELETE FROM search_text")
        cursor.execute(
            "INSERT INTO search_text SELECT id, visibility = 'public', path,"
            " lower(path || E'\\n' || description) FROM repos_repository WHERE state = 'active'"
        )


def has_words() -> bool:
    """Whether there is an index of words."""
    with connection.cursor() as cursor:
        return TRIGRAMS.keys() <= _indexes(cursor)


def holding(words: tuple[str, ...], *, public: bool, in_path: bool = False) -> Sql:
    """SQL for the ids of what holds all the words."""
    column = "path" if in_path else "body"
    tests = [TRIGRAMS["search_text_public" if public else "search_text_private"]]
    params = []
    for word in words:
        # Less than three letters have no trigram: LIKE would read the whole index, and then rows.
        is_long = len(word) >= TRIGRAM
        tests.append(f"{column} LIKE %s" if is_long else f"strpos({column}, %s) > 0")
        params.append(f"%{_literal(word)}%" if is_long else word)
    return f"SELECT repository_id FROM search_text WHERE {' AND '.join(tests)}", params  # noqa: S608


def named(name: str, *, public: bool, whole: bool) -> Sql:
    """SQL for the ids of what has this name, or one that begins with it."""
    visibility = "public" if public else "private"
    return (
        f"SELECT id FROM repos_repository WHERE visibility = '{visibility}'"  # noqa: S608
        " AND name::text LIKE %s",
        [_literal(name) if whole else f"{_literal(name)}%"],
    )


def beginning(texts: list[str]) -> Sql:
    """SQL for those of the texts that begin public names, and whether one is the whole name."""
    # These signs compare by bytes, as the index does; no letter of a name comes after "~".
    public = "SELECT 1 FROM repos_repository WHERE visibility = 'public' AND state = 'active'"
    begins = f"{public} AND name::text ~>=~ t AND name::text ~<~ (t || '~')"
    return (
        f"SELECT t, EXISTS ({public} AND name::text = t)"  # noqa: S608 - made by us
        f" FROM unnest(%s::text[]) t WHERE EXISTS ({begins})",
        [texts],
    )


def among(ids: list[int]) -> Sql:
    """SQL that follows a column: one parameter for any number of ids."""
    return "= ANY(%s)", [ids]


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _indexes(cursor: Any) -> set[str]:
    cursor.execute(
        "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
        " AND indexname LIKE 'search%%'"
    )
    return {name for (name,) in cursor.fetchall()}
