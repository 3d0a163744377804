"""The whole table; a URL or a method without its rows fails, and says what to add."""

from __future__ import annotations

import pytest

from tests.matrix.decisions import wrong_decisions
from tests.matrix.play import ROWS, problems, unlisted
from tests.matrix.rules import Surface
from tests.matrix.table import all_patterns, cells
from tests.matrix.world import World

pytestmark = pytest.mark.django_db
PATTERNS = all_patterns()


def play(world: World, surface: Surface, pattern: str) -> None:
    wrong = [*unlisted(world, surface, pattern), *problems(world, surface, pattern)]
    if wrong:
        pytest.fail("\n".join([pattern, *wrong]), pytrace=False)


class TestPages:
    @pytest.mark.parametrize("pattern", PATTERNS["page"])
    def test_page(self, world: World, pattern: str) -> None:
        play(world, "page", pattern)


class TestRest:
    @pytest.mark.parametrize("pattern", PATTERNS["rest"])
    def test_rest(self, world: World, pattern: str) -> None:
        play(world, "rest", pattern)


class TestRegistry:
    @pytest.mark.parametrize("pattern", PATTERNS["registry"])
    def test_registry(self, world: World, pattern: str) -> None:
        play(world, "registry", pattern)


class TestDecisions:
    def test_decide_says_the_same(self, world: World) -> None:
        wrong = list(wrong_decisions(world))
        if wrong:
            pytest.fail("\n".join(wrong), pytrace=False)


class TestTable:
    def test_every_row_is_of_a_pattern(self) -> None:
        listed = {
            (surface, row.pattern)
            for surface, rows in ROWS.items()
            for row in rows
            if not row.pattern.endswith("/*")
        }
        known = {(surface, p) for surface, found in PATTERNS.items() for p in found}
        gone = sorted(listed - known)
        assert not gone, f"rows of no URL: {gone}"

    def test_the_table_is_as_large_as_it_should_be(self) -> None:
        count = sum(
            1
            for surface, found in PATTERNS.items()
            for pattern in found
            for _ in cells(ROWS[surface], pattern)
        )
        assert count >= 5000, count
