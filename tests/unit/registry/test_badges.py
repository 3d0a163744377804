"""Badges are well-formed, say what they show, and have room for it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.badges import MAX_CHARS, PAD, draw, text_width

NAMESPACE = "{http://www.w3.org/2000/svg}"
PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")))


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


@given(PRINTABLE, PRINTABLE)
def test_any_text_stays_text_and_has_room(label: str, value: str) -> None:
    root = parse(draw(label, value))
    assert root.get("role") == "img"
    title = root.find(f"{NAMESPACE}title")
    assert title is not None
    assert title.text == f"{label}: {value}"
    assert (root.get("aria-label") or "").split() == f"{label}: {value}".split()
    left, right = root.iter(f"{NAMESPACE}text")
    assert (left.text or "") == label
    assert len(right.text or "") <= MAX_CHARS
    end = int(right.get("x", "")) + int(right.get("textLength", ""))
    assert end + PAD == int(root.get("width", ""))
    assert int(left.get("x", "")) + int(left.get("textLength", "")) < int(right.get("x", ""))
    assert {element.tag.removeprefix(NAMESPACE) for element in root.iter()} == {
        *("svg", "title", "clipPath", "rect", "g", "text")
    }


def test_a_long_value_is_cut_in_the_picture_and_whole_in_its_name() -> None:
    svg = draw("version", "v" * 128)
    assert f">{'v' * (MAX_CHARS - 1)}…</text>" in svg
    assert f"<title>version: {'v' * 128}</title>" in svg


@pytest.mark.parametrize(
    ("text", "width"),
    [("", 0), ("1.4.2", 29), ("version", 41), ("WWW", 33), ("iii", 10), ("版", 12)],
)
def test_widths_are_those_of_the_font(text: str, width: int) -> None:
    assert text_width(text) == width


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)), st.text())
def test_more_text_is_never_narrower(one: str, more: str) -> None:
    assert text_width(one) <= text_width(one + more) <= text_width(one) + text_width(more)
