"""Text to safe HTML, through one allow-list. Raw HTML in the source is text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

MAX_NESTING = 500
# Not in addresses, paths and words; possessive, so that no part of a longer word is taken.
_MENTION = re.compile(
    r"(?<![\w@/.+-])@([a-z0-9]++(?:[._-]++[a-z0-9]++)*+)(?![\w@/+])", re.IGNORECASE
)
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
    parser.core.ruler.push("mentions", _link_mentions)
    return parser


def _link_mentions(state: StateCore) -> None:
    """Note every `@name` outside code and links, and link those that are somebody's."""
    for block in state.tokens:
        if block.type == "inline" and block.children:
            block.children = list(_with_mentions(block.children, state.env))


def _with_mentions(tokens: Sequence[Token], env: EnvType) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type == "text" and not depth:
            yield from _split(token, env)
        else:
            yield token


def _split(token: Token, env: EnvType) -> Iterator[Token]:
    end = 0
    for match in _MENTION.finditer(token.content):
        name = match[1].lower()
        env.setdefault("seen", []).append(name)
        if name not in env.get("mentions", ()):
            continue
        yield _text(token, token.content[end : match.start()])
        yield Token("link_open", "a", 1, attrs={"href": f"/{name}"}, level=token.level)
        yield _text(token, match[0])
        yield Token("link_close", "a", -1, level=token.level)
        end = match.end()
    yield _text(token, token.content[end:])


def _text(token: Token, content: str) -> Token:
    return Token("text", "", 0, content=content, level=token.level)


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


def mentioned(source: str) -> list[str]:
    """The names that a text calls with `@`, lower case, each once, in their order."""
    if "[" * MAX_NESTING in source:
        return []
    env: dict[str, list[str]] = {}
    _parser().parse(source, env)
    return list(dict.fromkeys(env.get("seen", ())))


def to_html(source: str, mentions: Collection[str] = ()) -> str:
    """Safe HTML of Markdown. Pictures become links; deep bracket nests stay plain text.

    `@name` becomes a link to the page of that name if it is one of `mentions`.
    """
    if "[" * MAX_NESTING in source:
        return f"<pre>{nh3.clean_text(source)}</pre>"
    return nh3.clean(
        _parser().render(source, {"mentions": mentions}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow ugc noopener noreferrer",
    )
