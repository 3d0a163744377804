"""Searching: what is found by whom, in which order, page by page, however the rows are got."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.types import Principal
from core.errors import Invalid
from core.paging import encode_cursor
from repos.models import Repository, Star
from repos.permissions import member_ids, visible_to
from search.models import Fact
from search.query import SORTS, parse
from search.selectors import find, find_ids, load
from tests.unit.repos import people
from tests.unit.search.conftest import NAMES, Hub

pytestmark = pytest.mark.django_db
CALLERS = (*NAMES, "nobody", "token", "robot")


def paths(principal: Principal, text: str = "", **more: Any) -> list[str]:
    """All pages, three rows each."""
    found: list[str] = []
    cursor = None
    while True:
        page = find(principal, parse(text), limit=3, cursor=cursor, **more)
        found += [row.path for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.rows) == 3


@pytest.mark.parametrize("who", CALLERS)
def test_finds_what_may_be_seen_and_nothing_else(hub: Hub, plan: str, who: str) -> None:
    caller = hub.callers[who]
    seen = set(visible_to(caller).values_list("path", flat=True))
    assert seen
    for text in ("", "e", "sort:name", *(f"sort:{sort}" for sort in SORTS)):
        found = paths(caller, text)
        assert len(found) == len(set(found))
        assert set(found) == seen
    assert set(paths(caller, "web sort:stars")) == {path for path in seen if "web" in path}
    private = {path for path in seen if "private" in path}
    assert set(paths(caller, "is:private")) == private
    assert set(paths(caller, "is:public")) == seen - private
    assert set(paths(caller, "org:acme")) == {path for path in seen if path.startswith("acme/")}


@pytest.mark.parametrize("who", CALLERS)
def test_what_is_ones_own(hub: Hub, plan: str, who: str) -> None:
    caller = hub.callers[who]
    held = visible_to(caller).filter(pk__in=member_ids(caller))
    mine = set(held.values_list("path", flat=True)) if not caller.is_anonymous else set()
    assert set(paths(caller, "is:mine")) == mine
    others = {path for path in mine if not path.startswith((f"{caller.username}/", "library/"))}
    assert set(paths(caller, "is:shared")) == others


def test_a_second_factor_that_is_demanded(hub: Hub, plan: str) -> None:
    olga = hub.callers["olga"]
    assert "acme/api-private" in paths(olga, "is:mine")
    Repository.objects.get(path="acme/api-private").namespace.organization.__class__.objects.filter(
        name="acme"
    ).update(second_factor_required=True)
    assert paths(olga, "is:mine") == []
    assert paths(olga, "is:private") == []


def test_stars(hub: Hub, plan: str) -> None:
    olga, row = hub.callers["olga"], Repository.objects.get(path="acme/web-public")
    Star.objects.create(user=hub.users["olga"], repository=row)
    Star.objects.create(
        user=hub.users["olga"], repository=Repository.objects.get(path="lent/api-private")
    )
    assert paths(olga, "is:starred") == ["acme/web-public"]
    assert (
        paths(hub.callers["member"], "is:starred")
        == paths(hub.callers["nobody"], "is:starred")
        == []
    )


def test_facts_and_time(hub: Hub, plan: str) -> None:
    for path, word in (
        ("acme/api-public", "arch:arm64"),
        ("acme/api-private", "arch:arm64"),
        ("acme/web-public", "kind:chart"),
        ("acme/api-public", "kind:chart"),
    ):
        Fact.objects.create(repository=Repository.objects.get(path=path), word=word)
    nobody, olga = hub.callers["nobody"], hub.callers["olga"]
    assert paths(nobody, "arch:arm64") == ["acme/api-public"]
    assert set(paths(olga, "arch:arm64")) == {"acme/api-public", "acme/api-private"}
    assert paths(olga, "arch:arm64 kind:chart") == ["acme/api-public"]
    assert paths(nobody, "api kind:chart") == ["acme/api-public"]
    assert paths(nobody, "arch:s390x") == []
    Repository.objects.update(
        created_at=timezone.now() - timedelta(days=60),
        last_pushed_at=timezone.now() - timedelta(days=40),
    )
    Repository.objects.filter(path="acme/web-public").update(last_pushed_at=timezone.now())
    assert paths(nobody, "updated:<30d") == ["acme/web-public"]
    assert len(paths(nobody, "updated:<50d")) == len(paths(nobody))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis", ["a/redis", "b/redis", "a/redis-tools", "a/my-redis", "redis/x", "c/cache"]),
        ("a/redis", ["a/redis", "a/redis-tools"]),
        ("redis my", ["a/my-redis", "c/cache"]),
        ("REDIS tools", ["a/redis-tools"]),
        (
            "redis sort:stars",
            ["c/cache", "a/redis", "b/redis", "a/my-redis", "a/redis-tools", "redis/x"],
        ),
        ('"my redis"', ["c/cache"]),
        ("re", ["a/redis-tools", "a/redis", "b/redis", "a/my-redis", "redis/x", "c/cache"]),
        ("%", ["d/percent"]),
        ("_", ["d/percent"]),
        ("café", ["d/percent"]),
        ("' OR 1=1 --", []),
        ('a"b', []),
        ("* NOT", []),
        ("path:", []),
    ],
)
def test_the_best_match_comes_first(db: None, plan: str, text: str, expected: list[str]) -> None:
    spaces = {name: people.person(name).namespace for name in ("a", "b", "c", "d", "redis")}
    for path, stars, about in (
        ("a/redis", 5, ""),
        ("b/redis", 4, ""),
        ("a/redis-tools", 2, ""),
        ("a/my-redis", 3, ""),
        ("redis/x", 1, ""),
        ("c/cache", 9, "Keeps my Redis warm"),
        ("d/percent", 0, "100% café, snake_case"),
    ):
        space, _, name = path.partition("/")
        people.repository(
            spaces[space], name, visibility="public", star_count=stars, description=about
        )
    if text == "re":  # names that begin so come first, by stars
        expected = ["a/redis", "b/redis", "a/redis-tools", "a/my-redis", "redis/x", "c/cache"]
    assert paths(people.principal(None), text) == expected


def test_orders(hub: Hub, plan: str) -> None:
    def rows(text: str) -> list[Repository]:
        return load(find_ids(hub.callers["olga"], parse(text), most=50))

    for text, key in (
        ("sort:stars", lambda r: (-r.star_count, -r.pull_count)),
        ("sort:pulls", lambda r: (-r.pull_count, -r.star_count)),
        ("sort:recent", lambda r: -r.last_pushed_at.timestamp()),
        ("sort:name", lambda r: r.path),
    ):
        assert all(key(a) <= key(b) for a, b in pairwise(rows(text))), text


def test_only_what_has_content(hub: Hub, plan: str) -> None:
    Repository.objects.filter(path="acme/api-public").update(last_pushed_at=None)
    caller = hub.callers["olga"]
    assert set(paths(caller)) - set(paths(caller, filled=True)) == {"acme/api-public"}


def test_what_goes_is_found_no_more(hub: Hub, plan: str) -> None:
    nobody, olga = hub.callers["nobody"], hub.callers["olga"]
    row = Repository.objects.get(path="acme/api-public")
    Repository.objects.filter(pk=row.pk).update(visibility="private")
    assert row.path not in paths(nobody, "api")
    assert row.path in paths(olga, "api")
    Repository.objects.filter(pk=row.pk).update(state=Repository.State.TRASHED)
    assert row.path not in paths(olga, "api")


def test_few_and_many_give_the_same_pages(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("api", "e", "web of", *(f"sort:{sort}" for sort in SORTS)):
        for who in CALLERS:
            few = paths(hub.callers[who], text)
            with monkeypatch.context() as patch:
                patch.setattr("search.branches.FEW", -1)
                assert paths(hub.callers[who], text) == few, (text, who)


@pytest.mark.parametrize(
    "position",
    [
        "nonsense",
        '["stars"]',
        '["stars", 1, 2, 3, 4]',
        '["recent", "yesterday", 4]',
        '["recent", "2020-01-01", "4"]',
        '["recent", "2020-01-01", true]',
        '["recent", "2020-01-01", 9999999999999999999999]',
        '["recent", 5, 5]',
        '["recent", "2020-01-01", 4, 5]',
        '{"recent": 1}',
        "[" * 20000,
    ],
)
def test_positions_that_are_none(hub: Hub, position: str) -> None:
    with pytest.raises(Invalid):
        find(hub.callers["olga"], parse(""), limit=3, cursor=encode_cursor(position))


@pytest.mark.parametrize("who", ["olga", "token", "robot", "nobody"])
@pytest.mark.parametrize("text", ["", "api", "api kind:image org:acme is:mine updated:<1y"])
def test_the_number_of_queries_is_fixed(hub: Hub, who: str, text: str) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as asked:
            find(hub.callers[who], parse(text), limit=50)
        return len(asked)

    count()  # what is looked up once
    before = count()
    for number in range(10):
        row = people.repository(
            hub.users["olga"].namespace, f"api{number}", visibility="private", description="api"
        )
        Fact.objects.create(repository=row, word="kind:image")
    assert count() <= max(before, 3) <= 5
