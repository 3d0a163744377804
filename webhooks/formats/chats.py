"""Messages for people in a chat: Slack, Mattermost, Microsoft Teams.

Names, tags, comments and actors come from anybody who may push or write. They are put where the
chat reads no markup at all, or with every sign of its markup disarmed, and an `@` never stands
before a word, so that nothing in them formats, links, or calls a person or a channel.
"""

from __future__ import annotations

import re
from typing import Any

from webhooks.formats.common import Shape
from webhooks.news import News

MAX_TEXT = 500  # Slack takes 3000 characters after escaping
_SENTENCES = {
    "push": "{actor} pushed {reference}",
    "tag.deleted": "{actor} deleted the tag {reference}",
    "manifest.deleted": "{actor} deleted the image {reference}",
    "repository.created": "{actor} made the repository {path}",
    "repository.renamed": "{actor} renamed a repository to {path}",
    "repository.transferred": "{actor} handed a repository over: {path}",
    "repository.deleted": "{actor} deleted the repository {path}",
    "repository.restored": "{actor} restored the repository {path}",
    "repository.visibility": "{actor} made {path} {visibility}",
    "star": "{actor} gave {path} a star",
    "comment": "{actor} commented on {path}",
    "collaborator": "{actor} gave somebody a role on {path}",
    "collaborator.removed": "{actor} took a role on {path} away",
    "build.finished": "A build of {reference} finished",
    "mirror.synced": "The mirror {path} was synced",
    "quota.warning": "A quota is nearly used up",
    "token.expiring": "An access token is about to expire",
    "result": "A result came in for {reference}",
    "ping": "{actor} tests this webhook",
}
# Of a result, a quota, a token.
_ALSO = ("state", "context", "description", "namespace", "percent", "token")
_JOINER = "\N{WORD JOINER}"
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#!|~<>&])")
CARD_TYPE = "application/vnd.microsoft.card.adaptive"


def sentence(news: News) -> str:
    """What happened, in one line of plain text without mentions."""
    about = news.repository
    pattern = _SENTENCES.get(news.name, "{event} by {actor}: {reference}")
    text = pattern.format(
        actor=news.actor or "The hub",
        reference=news.reference,
        path=news.path,
        event=news.name,
        visibility="public" if about and about.is_public else "private",
    )
    return _inert(text.strip().rstrip(":"))


def facts(news: News) -> list[tuple[str, str]]:
    """Label and value of what a reader, or a search, needs; only what there is."""
    found = [
        ("Repository", news.path),
        ("Tag", news.tag),
        ("Digest", news.digest),
        ("By", news.actor),
        *((key.capitalize(), _said(news, key)) for key in _ALSO),
        ("Event", f"{news.name} {news.uid}"),
    ]
    return [(label, _inert(value)) for label, value in found if value]


def slack(news: News) -> Shape:
    """`text` for notifications, blocks of `plain_text` for the channel; markup only in the link,
    which is an address of the hub's own."""
    line = _slack_text(sentence(news))
    about = [f"{label}: {_slack_text(value)}" for label, value in facts(news)]
    return Shape(
        {
            "text": line,
            "mrkdwn": False,
            "blocks": [
                {"type": "section", "text": _plain(line)},
                {"type": "context", "elements": [_plain(text) for text in about]},
                {"type": "section", "text": {"type": "mrkdwn", "text": f"<{news.url}|Open>"}},
            ],
        }
    )


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _slack_text(text: str) -> str:
    """The three signs that Slack reads anywhere, in its own spelling."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mattermost(news: News) -> Shape:
    """`text` in Markdown, with what others wrote escaped."""
    lines = [f"**{_markdown(sentence(news))}** ([open](<{news.url}>))"]
    lines += [f"{label}: {_markdown(value)}" for label, value in facts(news)]
    return Shape({"text": "\n".join(lines)})


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


def teams(news: News) -> Shape:
    """A message with one Adaptive Card of text runs, which know no Markdown, and no mentions."""
    body = [_runs(("", sentence(news)), bold=True)]
    body += [_runs((f"{label}: ", value)) for label, value in facts(news)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": news.url}],
    }
    attachment = {"contentType": CARD_TYPE, "contentUrl": None, "content": card}
    return Shape({"type": "message", "attachments": [attachment]})


def _runs(pair: tuple[str, str], *, bold: bool = False) -> dict[str, Any]:
    label, value = pair
    run = {"type": "TextRun", "text": f"{label}{value}", "wrap": True}
    if bold:
        run["weight"] = "Bolder"
    return {"type": "RichTextBlock", "inlines": [run]}


def _said(news: News, key: str) -> str:
    value = news.payload.get(key, "")
    return str(value) if isinstance(value, str | int) else ""


def _inert(text: str) -> str:
    """One line of bounded length in which no `@` calls anybody and no sign turns the line about."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    short = line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 1]}…"
    return short.replace("@", f"@{_JOINER}")
