"""Names called with @ in Markdown: found where they are words, linked where they are people."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.markdown import mentioned, to_html

NAMES = {"bob", "al.ice", "x-y"}
REL = ' rel="nofollow ugc noopener noreferrer"'


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@bob", ["bob"]),
        ("@Bob and @bob.", ["bob"]),
        ("(@al.ice), @x-y!", ["al.ice", "x-y"]),
        ("**@bob**'s", ["bob"]),
        ("> @bob\n\n- @x-y", ["bob", "x-y"]),
        ("# @bob", ["bob"]),
        ("| a |\n|---|\n| @bob |", ["bob"]),
        ("`@bob`", []),
        ("```\n@bob\n```", []),
        ("    @bob", []),
        ("[@bob](https://example.org)", []),
        ("![@bob](https://example.org/a.png)", []),
        ("bob@example.org", []),
        ("https://example.org/@bob", []),
        ("@bob/app", []),
        ("@al.ice/app", []),
        ("@bob@example.org", []),
        ("a@bob", []),
        ("@-bob", []),
        ("@", []),
        ("@bob" + "[" * 600, []),
    ],
)
def test_who_is_called(text: str, names: list[str]) -> None:
    assert mentioned(text) == names


def test_only_people_become_links() -> None:
    html = to_html("@Bob, @eve and <b>@x-y</b>", NAMES)
    assert html == (
        f'<p><a href="/bob"{REL}>@Bob</a>, @eve and &lt;b&gt;<a href="/x-y"{REL}>@x-y</a>'
        "&lt;/b&gt;</p>\n"
    )
    assert "<a" not in to_html("@bob")


@given(st.text(alphabet="@bobx-y.al ice`*[]()<>&\"'\n/:#!", max_size=80))
def test_a_mention_changes_nothing_but_its_link(text: str) -> None:
    plain, linked = to_html(text), to_html(text, NAMES)
    for name in NAMES:
        linked = re.sub(
            rf'<a href="/{re.escape(name)}"{REL}>(@{re.escape(name)})</a>',
            r"\1",
            linked,
            flags=re.IGNORECASE,
        )
    assert linked == plain
