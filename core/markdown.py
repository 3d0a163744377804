"""Text to safe HTML, through one allow-list. Raw HTML in the source is text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

MAX_NESTING = 500
_TAGS = {
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "dd",
    "del",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
}
_ATTRIBUTES = {"a": {"href", "title"}, "td": {"align"}, "th": {"align"}, "ol": {"start"}}


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("gfm-like", {"html": False, "linkify": True, "maxNesting": 40})
    parser.add_render_rule("image", _picture_as_link)
    return parser


def _picture_as_link(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    """Pages load nothing from elsewhere, so a picture is offered as a link."""
    token = tokens[index]
    source = escapeHtml(str(token.attrs.get("src", "")))
    text = renderer.renderInlineAsText(token.children or [], options, env) or source
    return f'<a href="{source}">{escapeHtml(text)}</a>'


def to_html(source: str) -> str:
    """Safe HTML of Markdown. Pictures become links; deep bracket nests stay plain text."""
    if "[" * MAX_NESTING in source:
        return f"<pre>{nh3.clean_text(source)}</pre>"
    return nh3.clean(
        _parser().render(source),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow ugc noopener noreferrer",
    )
