"""The text of a search: what it means, and what is said of what it cannot mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.query import (
    FILTERS,
    MAX_WORDS,
    Query,
    active,
    from_parameters,
    parse,
    with_filter,
    without,
    write,
)

KEYS = ("org", "is", "arch", "os", "platform", "kind", "updated", "sort", "type", "nonsense")
VALUES = ("acme", "private", "arm64", "linux/arm64", "<30d", "chart", "pulls", "", '"x y"', "a:b")
TERMS = st.one_of(
    st.text(max_size=12),
    st.builds("{}:{}".format, st.sampled_from(KEYS), st.sampled_from(VALUES)),
    st.builds('"{}"'.format, st.text(max_size=12)),
)
TEXTS = st.lists(TERMS, max_size=6).map(" ".join).filter(lambda text: len(text) <= 100)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", {}),
        ("   ", {}),
        ("API web api", {"words": ("api", "web")}),
        ('"base  image" x', {"words": ("base image", "x")}),
        ('"unclosed words', {"words": ("unclosed words",)}),
        ("org:Acme", {"namespace": "acme"}),
        ("user:acme", {"namespace": "acme"}),
        ("is:private is:starred", {"visibility": "private", "show": "starred"}),
        ("is:official", {"namespace": "library"}),
        ("os:linux arch:arm64", {"os": "linux", "arch": "arm64"}),
        ("platform:linux/arm/v7", {"platform": "linux/arm/v7"}),
        ("kind:chart type:sbom", {"kind": "sbom"}),
        ("updated:<30d", {"within": "30d"}),
        ("updated:12h sort:pulls", {"within": "12h", "sort": "pulls"}),
        ("nginx:1.25", {"words": ("nginx:1.25",)}),
        ("http://x", {"words": ("http://x",)}),
        ('"is:private"', {"words": ("is:private",)}),
        ("org:acme org:other", {"namespace": "other"}),
        ("a\0b", {"words": ("ab",)}),
        ('other:"x y"', {"words": ("other:x y",)}),
        ("_ %", {"words": ("_", "%")}),
    ],
)
def test_what_a_text_means(text: str, meaning: dict[str, Any]) -> None:
    assert parse(text) == Query(**meaning)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("is:good", "is:public"),
        ("org:", "org:acme"),
        ("org:-x", "org:acme"),
        ("kind:thing", "kind:chart"),
        ("arch:a/b", "arch:arm64"),
        ("platform:linux", "platform:linux/arm64"),
        ("updated:>30d", "updated:<30d"),
        ("updated:0d", "updated:<30d"),
        ("updated:99999d", "updated:<30d"),
        ("sort:size", "sort:pulls"),
    ],
)
def test_what_is_no_filter_is_told_and_filters_nothing(text: str, says: str) -> None:
    query = parse(f"word {text}")
    assert query.words == ("word",)
    assert not list(active(query))
    (note,) = query.notes
    assert text in note
    assert says in note


def test_many_words_are_told() -> None:
    query = parse(" ".join(f"w{n}" for n in range(MAX_WORDS + 3)))
    assert len(query.words) == MAX_WORDS
    assert len(query.notes) == 1


def test_derived_facts() -> None:
    query = parse("os:linux kind:chart updated:<2w")
    assert query.facts == ("os:linux", "kind:chart")
    assert query.age == timedelta(days=14)
    assert (Query().age, query.order, parse("x").order) == (None, "recent", "match")
    assert parse("x sort:name").order == "name"
    assert not parse("sort:name").is_filtered
    assert parse("is:mine").is_filtered


@pytest.mark.parametrize(
    ("values", "meaning"),
    [
        ({"q": "api", "platform": "linux/arm64"}, {"words": ("api",), "platform": "linux/arm64"}),
        ({"platform": "ARM64"}, {"arch": "arm64"}),
        ({"namespace": "acme", "kind": "sbom", "updated": "1w"}, None),
        ({"show": "mine", "visibility": "private", "sort": "stars", "x": "y"}, None),
        ({"platform": "", "kind": "\0 "}, {}),
    ],
)
def test_addresses(values: dict[str, str], meaning: dict[str, Any] | None) -> None:
    query = from_parameters(values)
    assert not query.notes
    if meaning is not None:
        assert query == Query(**meaning)
    else:
        told = {value for _, value in active(query)} | {query.sort} - {""}
        assert told >= {v for k, v in values.items() if k in ("namespace", "kind", "show")}


def test_a_wrong_parameter_leaves_a_note() -> None:
    assert len(from_parameters({"kind": "x" * 500, "sort": "size"}).notes) == 2


@given(TEXTS)
def test_any_text_is_read_and_written_and_read_the_same(text: str) -> None:
    query = parse(text)
    assert parse(write(query)) == replace(query, notes=())


@given(TEXTS, st.sampled_from(sorted(FILTERS)))
def test_taking_a_filter_away_leaves_the_others(text: str, name: str) -> None:
    query = parse(text)
    left = without(query, name)
    assert dict(active(left)) == {k: v for k, v in active(query) if k != name}
    assert left.words == query.words


@given(st.sampled_from(sorted(FILTERS)), st.text(max_size=30))
def test_any_value_of_a_filter_is_taken_or_told(name: str, value: str) -> None:
    query = with_filter(Query(), name, value)
    assert bool(query.notes) != (replace(query, notes=()) != Query())
