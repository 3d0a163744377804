"""Globs of token scopes against the plain expression, on texts short enough for it."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from accounts.types import TokenScope

LETTERS = st.text("ab/*", max_size=8)


def covers(glob: str, path: str) -> bool:
    return TokenScope(glob, frozenset(["pull"])).covers(path)


@given(LETTERS, st.text("ab/", max_size=10))
@example("a*a", "a")
@example("ab*ab", "abab")
@example("*ab*b", "ab")
@example("a**", "a")
def test_a_glob_covers_what_the_expression_matches(glob, path):
    expression = ".*".join(re.escape(part) for part in glob.split("*"))
    assert covers(glob, path) is bool(re.fullmatch(expression, path, re.DOTALL))


@pytest.mark.parametrize("glob", ["alice/*a*a*a*a*a*a*b", "alice/" + "*a" * 90 + "*b"])
def test_many_stars_cost_no_time(glob):
    start = time.perf_counter()
    assert not covers(glob, "alice/" + "a" * 200)
    assert covers(glob, "alice/" + "a" * 200 + "b")
    assert time.perf_counter() - start < 0.1
