"""The index of words follows the repositories, whoever changes them."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from repos.models import Repository
from search import index, postgres, services, sqlite
from search.branches import ids_of
from search.models import Fact
from search.query import parse
from search.selectors import find_ids
from tests.unit.repos import people

pytestmark = pytest.mark.django_db


def indexed(word: str) -> tuple[set[int], set[int]]:
    """Ids of what is public and of what is not."""
    known = [ids_of(index.index().holding((word,), public=public)) for public in (True, False)]
    assert known[0] is not None
    assert known[1] is not None
    return known[0], known[1]


@pytest.fixture
def row(db: None) -> Repository:
    space = people.person("alice").namespace
    people.repository(space, "other", visibility="public")
    made = people.repository(space, "needle", description="Sharp thing")
    connection.check_constraints()  # PostgreSQL changes no table while some are still to be checked
    return made


def test_there_is_an_index() -> None:
    assert index.index().has_words()


@pytest.mark.parametrize("word", ["needle", "eedl", "ice/nee", "sharp", "arp th", "ne", "p"])
def test_parts_of_words(row: Repository, word: str) -> None:
    public, private = indexed(word)
    assert row.pk in private
    assert row.pk not in public


def test_every_change_is_followed(row: Repository) -> None:
    rows = Repository.objects.filter(pk=row.pk)
    rows.update(visibility="public")
    assert indexed("needle") == ({row.pk}, set())
    rows.update(path="alice/pin", name="pin")
    assert indexed("needle") == (set(), set())
    assert indexed("alice/pin") == ({row.pk}, set())
    rows.update(description="Blunt now")
    assert indexed("sharp") == (set(), set())
    assert indexed("blunt") == ({row.pk}, set())
    rows.update(state=Repository.State.TRASHED)
    assert indexed("blunt") == (set(), set())
    rows.update(state=Repository.State.ACTIVE, visibility="private")
    assert indexed("blunt") == (set(), {row.pk})
    Fact.objects.create(repository_id=row.pk, word="kind:image")
    with connection.cursor() as cursor:  # past every service
        cursor.execute("DELETE FROM repos_repository WHERE id = %s", [row.pk])
    assert indexed("blunt") == (set(), set())
    assert not Fact.objects.exists()


def test_what_is_rolled_back_was_not(row: Repository) -> None:
    with transaction.atomic():
        Repository.objects.filter(pk=row.pk).update(path="alice/pin")
        transaction.set_rollback(True)
    assert indexed("needle") == (set(), {row.pk})
    assert indexed("pin") == (set(), set())


def test_stars_pulls_and_pushes_do_not_touch_it(row: Repository) -> None:
    def changes() -> int:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("SELECT count(*) FROM search_private_data")
                return int(cursor.fetchone()[0])
            cursor.execute(
                "SELECT xmin::text::bigint FROM search_text WHERE repository_id = %s", [row.pk]
            )
            return int(cursor.fetchone()[0])

    before = changes()
    for _ in range(3):
        Repository.objects.filter(pk=row.pk).update(star_count=1, pull_count=2)
        row.save()
    assert changes() == before


def test_lost_triggers_come_back_with_what_was_missed(row: Repository) -> None:
    """A migration that makes the table anew on SQLite drops them."""
    with connection.cursor() as cursor:
        on = " ON repos_repository" if connection.vendor == "postgresql" else ""
        name = "search_follows" if on else "search_changed"
        cursor.execute(f"DROP TRIGGER {name}{on}")
    Repository.objects.filter(pk=row.pk).update(path="alice/pin")
    assert indexed("pin") == (set(), set())
    connection.check_constraints()
    index.ensure()
    assert indexed("pin") == (set(), {row.pk})
    Repository.objects.filter(pk=row.pk).update(path="alice/nail")
    assert indexed("nail") == (set(), {row.pk})


def test_it_can_go_and_come_back(row: Repository) -> None:
    index.index().remove()
    Repository.objects.filter(pk=row.pk).update(path="alice/pin")
    connection.check_constraints()
    index.ensure()
    assert indexed("pin") == (set(), {row.pk})


@pytest.mark.skipif("connection.vendor != 'sqlite'")
def test_sqlite_without_trigrams(row: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    index.index().remove()
    monkeypatch.setattr(sqlite, "TABLES", {True: "search_none", False: "search_none"})
    assert not sqlite._is_indexed()
    found = find_ids(people.principal(row.namespace.user), parse("eedl sharp"), most=5)
    sqlite._is_indexed.cache_clear()
    assert found == [row.pk]


@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_postgresql_without_the_extension(row: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(postgres.log, "warning", lambda text, *_: said.append(text))
    with connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION pg_trgm CASCADE")
        cursor.execute("CREATE ROLE nobody_special")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO nobody_special")
        cursor.execute("SET ROLE nobody_special")
    try:
        assert not postgres._add_trigrams()
        assert "CREATE EXTENSION pg_trgm" in said[0]
        assert not postgres.has_words()
        assert indexed("needle") == (set(), {row.pk})
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")


def test_made_anew_by_command(row: Repository) -> None:
    Fact.objects.create(repository_id=row.pk, word="kind:chart")
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM search_private"
            if connection.vendor == "sqlite"
            else "DELETE FROM search_text"
        )
    assert indexed("needle") == (set(), set())
    said = io.StringIO()
    call_command("reindex", stdout=said)
    assert indexed("needle") == (set(), {row.pk})
    assert "1 facts were not" in said.getvalue()
    assert services.refresh_all() == 0


def test_the_halves_are_asked_by_themselves(row: Repository) -> None:
    """What is hidden is not even counted for a visitor."""
    with CaptureQueriesContext(connection) as asked:
        find_ids(people.principal(None), parse("needle"), most=5)
    text = " ".join(query["sql"] for query in asked.captured_queries)
    assert "search_private" not in text
    assert "NOT is_public" not in text
