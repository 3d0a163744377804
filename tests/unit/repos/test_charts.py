"""Pulls by day without gaps, and bars that fit their drawing."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from repos.charts import DAYS, Day, bars, pulls_by_day
from repos.models import PullCount
from repos.templatetags.charts import in_words, pull_chart, total
from tests.unit.repos import people


@pytest.mark.django_db
def test_days_without_pulls_are_zero_and_old_ones_are_left_out(
    django_assert_num_queries: object,
) -> None:
    alice = people.person("alice")
    repository = people.repository(alice.namespace, "app")
    other = people.repository(alice.namespace, "other")
    today = timezone.now().date()
    for ago, pulls in ((0, 3), (2, 5), (DAYS - 1, 7), (DAYS, 11)):
        day = today - timedelta(days=ago)
        PullCount.objects.create(repository=repository, day=day, pulls=pulls)
        PullCount.objects.create(repository=other, day=day, pulls=100)
    days = pulls_by_day(repository)
    assert [day.day for day in days] == [today - timedelta(days=n) for n in range(DAYS - 1, -1, -1)]
    assert [days[-1].pulls, days[-2].pulls, days[-3].pulls, days[0].pulls] == [3, 0, 5, 7]
    assert total(days) == 15


@given(st.lists(st.integers(0, 10**12), max_size=120), st.integers(4, 200))
def test_bars_stand_on_the_ground_and_the_highest_fills_the_drawing(
    values: list[int], height: int
) -> None:
    shapes = bars(values, height=height)
    assert len(shapes) == len(values)
    for index, (value, bar) in enumerate(zip(values, shapes, strict=True)):
        assert (bar is None) == (value == 0)
        if bar is None:
            continue
        assert bar.y + bar.height == height
        assert 2 <= bar.height <= height
        assert index * 10 <= bar.x < bar.x + bar.width < (index + 1) * 10
        if value == max(values):
            assert bar.height == height


def test_a_chart_says_in_words_what_it_shows() -> None:
    first = date(2026, 11, 1)
    days = [Day(first + timedelta(days=n), pulls) for n, pulls in enumerate((0, 1, 40))]
    svg = pull_chart(days)
    assert 'role="img"' in svg
    assert 'aria-label="41 pulls in 3 days; most on' in svg
    assert svg.count("<rect") == 2
    assert re.search(r"<title>[^<]+: 1 pull</title>", svg)
    assert " style=" not in svg
    assert in_words([Day(first, 0)]) == "No pulls in 1 days"
    assert in_words([]) == "No pulls in 0 days"
