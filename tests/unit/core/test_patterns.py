"""Regular expressions of filters: the same answers as Python's own, at a cost that stays small."""

from __future__ import annotations

import re

import pytest

from core.patterns import PatternInvalid, _Chars, check, matches

TEXTS = ("", "latest", "v1", "v1.2.3", "V1", "release-2026", "1.0-rc1", "aaa", "a|b", "x_y", "a-z")
SOURCES = (
    *("v", "^v", r"^v\d+", r"^v\d+(\.\d+)*$", "^(latest|v1)$", "(?:rc|beta)[0-9]?$", "a{2,}"),
    *(
        "^a{3}$",
        "^a{4}$",
        "^[a-z]+$",
        "^[^a-z]",
        "[]x]",
        r"[\w-]+",
        r"\.",
        "^$",
        "x?y*z+",
        "a|",
        "",
    ),
    *(
        "^(a?){3}$",
        "(a*)*$",
        "^(a|b)+$",
        r"\D+",
        r"^\S+$",
        r"^[\d.]+-rc",
        "a{0,2}$",
        "^.{6}$",
        r"a\|b",
    ),
)


@pytest.mark.parametrize("source", [s for s in SOURCES if s])
@pytest.mark.parametrize("text", TEXTS)
def test_finds_what_python_finds(source, text):
    assert matches(f"/{source}/", text) == bool(re.search(source, text, re.ASCII))


@pytest.mark.parametrize(
    "source",
    [
        *(
            "(",
            ")",
            "a)",
            "(a",
            "[a",
            "*",
            "a**",
            "a{",
            "a{x}",
            "a{3,2}",
            "a{1000000}",
            "\\",
            r"\1",
        ),
        *("(?=a)", "(?<n>a)", "[z-a]", "(a{99}){99}", "(" * 50 + ")" * 50, r"[\d-", "x" * 200),
    ],
)
def test_refuses_what_it_does_not_understand(source):
    with pytest.raises(PatternInvalid) as caught:
        check(f"/{source}/")
    assert str(caught.value).endswith((".", "}."))


@pytest.mark.parametrize("source", ["(a+)+$", "(a|a)*b", "(a?){90}a{90}$", "(.*)*x", "(a*)*(a*)*b"])
def test_no_expression_explodes(source, monkeypatch):
    looks = 0
    holds = _Chars.holds

    def counted(self, char):
        nonlocal looks
        looks += 1
        return holds(self, char)

    monkeypatch.setattr(_Chars, "holds", counted)
    text = "a" * 128 + "!"
    matches(f"/{source}/", text)
    assert (
        looks <= len(text) * 2000
    )  # every state once for each character; Python's re takes 2**128


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("v*", "v1", True),
        ("v*", "V1", False),
        ("/", "/", True),
        ("//", "//", True),
        ("/v", "/v", True),
    ],
)
def test_without_two_slashes_it_is_a_glob(pattern, text, fits):
    check(pattern)
    assert matches(pattern, text) == fits


def test_one_printable_line():
    for pattern in ("v\n", "x" * 201, "\0"):
        with pytest.raises(PatternInvalid):
            check(pattern)


@pytest.mark.parametrize("source", ["(?:.{0,9}){0,60}Z", "(?:(?:(?:.?){9}){9}){5}Z"])
def test_an_expression_stays_small(source):
    """It is matched for every event while all others wait."""
    with pytest.raises(PatternInvalid):
        check(f"/{source}/")


def test_a_few_hundred_states_are_enough_for_versions():
    check(r"/^v?(\d{1,3}\.){2}\d{1,5}(-(rc|beta|alpha)\.?\d{0,3})?(\+[a-z0-9.]{1,20})?$/")
