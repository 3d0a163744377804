"""The order of tags: what people expect of usual names, and what must hold for any text."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.versions import Kind, newest_first, oldest_first, parse, version_key

# Each line is in ascending order.
LADDERS = [
    "1 1.4 1.4.2 1.9 1.10 1.10.1 2",
    "v1.9 v1.10 v1.10.1",
    "1.9 v1.10 1.11 release-1.12 version1.13",
    "1.10-dev 1.10-alpha.1 1.10-alpha.2 1.10-beta.2 1.10-beta.10 1.10-rc1 1.10-rc.2 1.10",
    "3.13.0a7 3.13.0b1 3.13.0b10 3.13.0rc2 3.13.0 3.13.0.post1",
    "1.0.0-SNAPSHOT 1.0.0-RC1 1.0.0 1.0.0-r1 1.0.0-2 1.0.1",
    "1.0.2 1.0.2a 1.0.2b 1.0.3",
    "8u292-jdk 8u302-jdk 11-jdk",
    "1.21 1.21-alpine 1.21-alpine3.9 1.21-alpine3.20 1.21-bookworm 1.22",
    "1.0-alpine-rc1 1.0-alpine",
    "20251231 20260101 2026-01-02 2026_01_03 2026-02",
    "99.9 20260101 latest",
    "bookworm bookworm-20260101 bookworm-20260201 edge latest",
    "2024.9.3 2024.10.1 2025.1.0",
]
TAG = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,20}\Z")
LIKELY = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "v", "release-"]),
    st.lists(st.integers(0, 20).map(str), min_size=1, max_size=4).map(".".join),
    st.sampled_from(["", "-rc.1", "-rc2", "b3", "-r1", "-7", "a", "-snapshot"]),
    st.sampled_from(["", "-alpine", "-alpine3.20", "-slim", "_x"]),
)


@pytest.mark.parametrize("ladder", LADDERS)
def test_usual_names_are_in_the_order_people_expect(ladder):
    names = ladder.split()
    mixed = random.Random(ladder).sample(names, len(names))
    assert oldest_first(mixed) == names


def test_newest_first_keeps_variants_behind_their_version_and_words_last():
    names = "latest edge 1.9 1.10-alpine 1.10 1.10-rc1 1.10-alpine3.9 1.10-alpine3.20 20260101"
    assert newest_first(names.split()) == [
        *("1.10", "1.10-alpine", "1.10-alpine3.20", "1.10-alpine3.9", "1.10-rc1", "1.9"),
        *("20260101", "edge", "latest"),
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("1", Kind.VERSION),
        ("v0.0.1-rc.1", Kind.VERSION),
        ("2024.01.31", Kind.VERSION),
        ("20261301", Kind.VERSION),  # there is no thirteenth month
        ("2026-01-31-slim", Kind.DATE),
        ("20260131.2", Kind.DATE),
        ("1a2b3c4", Kind.WORD),  # a short commit hash
        ("1234567", Kind.VERSION),
        ("2fast", Kind.WORD),
        ("v2ray", Kind.WORD),
        ("latest", Kind.WORD),
        ("", Kind.WORD),
    ],
)
def test_a_name_is_a_version_a_date_or_a_word(name, kind):
    assert parse(name).kind is kind


@pytest.mark.parametrize(
    ("name", "variant", "is_release"),
    [
        ("1.4", "", True),
        ("1.4-alpine3.20", "alpine3.20", True),
        ("1.4-rc.1-alpine", "alpine", False),
        ("1.4-r3", "", True),
        ("1.4-debian-12-r3", "debian-12-r3", True),
        ("1.4-slim-dev", "slim-dev", True),
        ("1.4-beta", "", False),
        ("latest", "latest", False),
    ],
)
def test_pre_releases_and_variants_are_told_apart(name, variant, is_release):
    found = parse(name)
    assert (found.variant, found.is_release) == (variant, is_release)


@given(st.lists(TAG | LIKELY, unique=True), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_where_one_starts(names, shuffler):
    mixed = list(names)
    shuffler.shuffle(mixed)
    assert oldest_first(mixed) == oldest_first(names)
    assert newest_first(mixed) == newest_first(names)
    assert sorted(newest_first(names)) == sorted(names)


@given(TAG | LIKELY, TAG | LIKELY)
def test_different_names_have_different_keys_and_both_directions_agree_on_versions(one, other):
    assert (version_key(one) == version_key(other)) == (one == other)
    left, right = parse(one), parse(other)
    if left.kind is right.kind and left.release < right.release:
        assert oldest_first([other, one]) == [one, other]
        assert newest_first([one, other]) == [other, one]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5), st.sampled_from("vV"))
def test_a_leading_v_and_trailing_zeros_make_no_other_version(numbers, prefix):
    name = ".".join(map(str, numbers))
    assert parse(name).release == parse(f"{prefix}{name}").release
    if parse(name).kind is Kind.VERSION:
        assert parse(name).release == parse(f"{name}.0").release


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5), st.integers(0, 99))
def test_a_release_candidate_is_older_than_its_release_and_newer_than_the_one_before(numbers, n):
    release = ".".join(map(str, [1, *numbers]))
    before = ".".join(map(str, [0, *numbers]))
    assert oldest_first([release, f"{release}-rc.{n}", before]) == [
        before,
        f"{release}-rc.{n}",
        release,
    ]


@given(st.text(max_size=128))
def test_any_text_is_something(text):
    assert parse(text).name == text
    assert version_key(text) == version_key(text)
