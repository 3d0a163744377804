"""Formatting of sizes, counts, digests, times and layer strip widths."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import text

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (-1, "0 B"),
        (0, "0 B"),
        (7, "7 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (12_400, "12 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (197_100_000, "197 MB"),
        (4_200_000_000, "4.2 GB"),
        (10**21, "1000 EB"),
    ],
)
def test_human_bytes(size: int, expected: str) -> None:
    assert text.human_bytes(size) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0"),
        (999, "999"),
        (1234, "1,234"),
        (9999, "9,999"),
        (10_000, "10k"),
        (12_345, "12.3k"),
        (99_949, "99.9k"),
        (99_950, "100k"),
        (123_456, "123k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (4_211_230, "4.2M"),
        (5_000_000_000_000, "5000G"),
    ],
)
def test_compact_count(count: int, expected: str) -> None:
    assert text.compact_count(count) == expected


@pytest.mark.parametrize(
    ("digest", "expected"),
    [
        ("sha256:9f2c41bb0d5e77aa", "9f2c41bb0d5e"),
        ("9f2c41bb0d5e77aa", "9f2c41bb0d5e"),
        ("sha512:abc", "abc"),
        ("", ""),
    ],
)
def test_short_digest(digest: str, expected: str) -> None:
    assert text.short_digest(digest) == expected


def test_stable_index_never_changes() -> None:
    assert [text.stable_index(name) for name in ("team/api", "library/centos", "")] == [5, 3, 2]


@given(st.text(), st.integers(1, 50))
def test_stable_index_is_in_range(name: str, size: int) -> None:
    assert 0 <= text.stable_index(name, size) < size


@pytest.mark.parametrize(
    ("name", "expected"),
    [("alice", "AL"), ("ci-bot", "CB"), ("a", "A"), ("", "?"), ("--", "?"), ("org+ci", "OC")],
)
def test_initials(name: str, expected: str) -> None:
    assert text.initials(name) == expected


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=45), "45 days ago"),
        (timedelta(days=100), "3 months ago"),
        (timedelta(days=400), "1 year ago"),
        (timedelta(seconds=-5), "in a moment"),
        (timedelta(minutes=-3), "in 3 minutes"),
        (timedelta(hours=-2), "in 2 hours"),
        (timedelta(days=-30), "in 30 days"),
        (timedelta(days=-90), "in 2 months"),
        (timedelta(days=-800), "in 2 years"),
    ],
)
def test_relative_time(delta: timedelta, expected: str) -> None:
    assert text.relative_time(NOW - delta, NOW) == expected


def test_utc_stamp_converts() -> None:
    moment = datetime(2026, 11, 25, 14, 35, tzinfo=timezone(timedelta(hours=8)))
    assert text.utc_stamp(moment) == "2026-11-25 06:35 UTC"


def test_strip_widths_of_nothing() -> None:
    assert text.strip_widths([]) == []


def test_strip_widths_are_even_for_empty_layers() -> None:
    assert text.strip_widths([0, 0], total=103) == [50, 50]


def test_strip_widths_refuse_too_many_layers() -> None:
    with pytest.raises(ValueError, match="too many"):
        text.strip_widths([1] * 300)


@given(st.lists(st.integers(-5, 10**12), min_size=1, max_size=180))
def test_strip_widths_fill_the_strip(sizes: list[int]) -> None:
    widths = text.strip_widths(sizes)
    assert sum(widths) + 3 * (len(sizes) - 1) == 1000
    assert min(widths) >= 2
    pairs = list(zip(sizes, widths, strict=True))
    assert all(a[1] >= b[1] - 1 for a in pairs for b in pairs if a[0] >= b[0])
