"""Lists of tags: what a filter fits, every order, groups by image, and queries that do not grow."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry import taglist
from registry.models import Tag
from registry.taglist import ALIASES, Names, filter_tags, list_tags, names_of
from tests.images import image, multi
from tests.unit.registry.pushing import push

pytestmark = pytest.mark.django_db
NAMES = ("1.0", "1.2", "1.10", "1.10-alpine", "latest", "v1_x", "a%b")


def named(repository, manifest, *names, age=0):
    """Tags on a manifest, each a minute older than the one before."""
    for place, name in enumerate(names):
        moved = timezone.now() - timedelta(minutes=age + place)
        Tag.objects.create(repository=repository, name=name, manifest=manifest, moved_at=moved)


def listed(repository, **how):
    found = list_tags(repository, **{"grouped": False, "number": None, **how})
    return [tag.name for tag in found.tags]


@pytest.fixture
def stored(repository):
    return [push(repository, image(str(n), size=1000 * (n + 1))) for n in range(3)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", set(NAMES)),
        ("1.10", {"1.10", "1.10-alpine"}),
        ("ALPINE", {"1.10-alpine"}),
        ("%", {"a%b"}),
        ("_", {"v1_x"}),
        ("1.*", {"1.0", "1.2", "1.10", "1.10-alpine"}),
        ("1.?", {"1.0", "1.2"}),
        ("*-Alpine", {"1.10-alpine"}),
        ("*%*", {"a%b"}),
        ("v1_*", {"v1_x"}),
        ("?1_x", {"v1_x"}),
        ("\\*", set()),
        ("[a-z]*", set()),
        ("**", set(NAMES)),
        ("1", {"1.0", "1.2", "1.10", "1.10-alpine", "v1_x"}),
        ("1*0", {"1.0", "1.10"}),
    ],
)
def test_a_text_is_part_of_a_name_and_a_pattern_is_the_whole_of_it(
    repository, stored, text, expected
):
    named(repository, stored[0], *NAMES)
    rows = filter_tags(Tag.objects.filter(repository=repository), text)
    assert set(rows.values_list("name", flat=True)) == expected


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12))
def test_any_text_is_a_filter(repository, stored, text):
    assert isinstance(listed(repository, text=text), list)


def test_a_pattern_of_many_stars_takes_no_longer(repository, stored):
    named(repository, stored[0], "a" * 128)
    assert listed(repository, text="*a" * 60 + "*b") == []


def test_orders(repository, stored):
    named(repository, stored[1], "1.2", age=0)
    named(repository, stored[2], "1.10", age=1)
    named(repository, stored[0], "1.9", age=2)
    assert listed(repository) == ["1.2", "1.10", "1.9"]
    assert listed(repository, sort="version") == ["1.10", "1.9", "1.2"]
    assert listed(repository, sort="size") == ["1.10", "1.2", "1.9"]


@pytest.mark.parametrize(
    ("sort", "expected"), [("", [0, 1, 2]), ("version", [1, 0, 2]), ("size", [2, 1, 0])]
)
def test_grouped_there_is_one_row_for_each_image_in_the_order_of_its_best_tag(
    repository, stored, sort, expected
):
    named(repository, stored[1], "latest", "2.0", age=5)
    named(repository, stored[0], "1.4", "1.4.2", age=1)
    named(repository, stored[2], "edge", age=9)
    found = list_tags(repository, sort=sort, grouped=True, number=None)
    assert [stored.index(tag.manifest) for tag in found.tags] == expected
    assert found.names[stored[1].pk].shown == ["2.0", "latest"]
    assert [tag.name for tag in found.tags if tag.manifest == stored[1]] == ["2.0"]


def test_a_group_is_there_if_the_filter_fits_any_of_its_tags(repository, stored):
    named(repository, stored[0], "1.4", "stable")
    named(repository, stored[1], "1.3")
    found = list_tags(repository, text="stab", grouped=True, number=None)
    assert [tag.manifest for tag in found.tags] == [stored[0]]
    assert found.names[stored[0].pk].shown == ["1.4", "stable"]


def test_of_many_aliases_the_newest_are_named_and_the_rest_counted(repository, stored):
    named(repository, stored[0], *(f"1.{n}" for n in range(20)))
    found = names_of([stored[0].pk])[stored[0].pk]
    assert found.shown == [f"1.{n}" for n in reversed(range(ALIASES))]
    assert (found.total, found.more) == (20, 20 - ALIASES)
    others = found.without("1.3")
    assert "1.3" not in others.shown
    assert (others.total, others.more) == (19, 20 - ALIASES)
    assert Names().without("x") == Names([], 0)


def test_tags_of_other_repositories_are_not_there(repository, other, stored):
    named(repository, stored[0], "1")
    named(other, push(other, image("0")), "2")
    for grouped in (False, True):
        for sort in taglist.SORTS:
            assert listed(repository, sort=sort, grouped=grouped) == ["1"]


def test_pages_join_without_gap_or_repeat_in_every_order(repository, stored):
    named(repository, stored[0], *(f"1.{n}" for n in range(60)))
    for sort in taglist.SORTS:
        pages = [listed(repository, sort=sort, number=str(n)) for n in (1, 2, 3)]
        assert [len(page) for page in pages] == [25, 25, 10]
        assert len({name for page in pages for name in page}) == 60
    assert listed(repository, number="nonsense") == listed(repository, number="1")
    assert listed(repository, number="999") == listed(repository, number="3")


def test_too_many_names_for_version_order_come_in_byte_order(repository, stored, monkeypatch):
    monkeypatch.setattr(taglist, "MAX_VERSIONS", 2)
    named(repository, stored[0], "1.9", "1.10", "a")
    assert listed(repository, sort="version") == ["1.10", "1.9", "a"]
    assert len(listed(repository, sort="version", grouped=True)) == 1


@pytest.mark.parametrize("sort", taglist.SORTS)
@pytest.mark.parametrize("grouped", [False, True])
def test_few_tags_cost_as_many_queries_as_many(
    repository, sort, grouped, django_assert_num_queries
):
    most = 4 if grouped else 3
    for count in (1, 30):
        for n in range(count):
            if not Tag.objects.filter(name=f"{n}.0").exists():
                push(repository, multi(str(n), ("amd64", "arm64")), f"{n}.0")
        with django_assert_num_queries(most - (sort == "version" and grouped)):
            list_tags(repository, sort=sort, grouped=grouped, number=None)
