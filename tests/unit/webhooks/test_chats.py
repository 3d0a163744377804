"""Messages in a chat: what others wrote neither formats nor links nor calls anybody."""

from __future__ import annotations

import json
import re

import pytest

from events.types import Actor
from tests.unit.webhooks.told import DIGEST, occur, owe
from webhooks.formats import render
from webhooks.formats.chats import _SENTENCES, _inert, _markdown
from webhooks.types import EVENTS, PING

pytestmark = pytest.mark.django_db

NASTY = [
    "@channel",
    "@here @all @everyone",
    "<!channel>",
    "<!here|here>",
    "<@U024BE7LH>",
    "<https://evil.example|Open>",
    "[Open](https://evil.example)",
    "*bold* _it_ ~gone~ `code`",
    "a|b & <b>&lt;",
    "<at>Everyone</at>",
    "\u202egpj.exe",
    "two\nlines\r\n# head",
    "x" * 5000,
]


def message(repository, text, format, kind="webhook.result"):
    """A message about an event in which everything that others can write is `text`."""
    event = occur(
        kind,
        repository,
        Actor(1, text[:150]),
        tag=text[:100],
        digest=DIGEST,
        state=text,
        description=text,
    )
    return json.loads(render(owe(event, repository, format=format)).body)


@pytest.mark.parametrize("text", NASTY)
def test_slack_reads_no_markup_in_what_others_wrote(repository, text):
    document = message(repository, text, "slack")
    assert document["mrkdwn"] is False
    plain, links = [document["text"]], []
    for block in document["blocks"]:
        for element in block.get("elements", [block.get("text")]):
            (plain if element["type"] == "plain_text" else links).append(element["text"])
            assert 0 < len(element["text"]) <= 3000
    assert len(document["blocks"][1]["elements"]) <= 10
    for line in plain:
        assert not re.search(r"[<>\n\r\u202e]|&(?!amp;|lt;|gt;)", line)
        assert not re.search(r"@\w", line)
    (link,) = links
    assert re.fullmatch(r"<https://hub\.example/alice/app:[^<>|\s]*\|Open>", link)


@pytest.mark.parametrize("text", NASTY)
def test_mattermost_reads_no_markup_in_what_others_wrote(repository, text):
    document = message(repository, text, "mattermost")
    assert set(document) == {"text"}
    first, *others = document["text"].split("\n")
    # Nothing but the hub's own bold and link is left when escaped signs are taken away.
    bare = [re.sub(r"\\.", "", line) for line in (first, *others)]
    assert re.fullmatch(
        r"\*\*[^*_`~|<>\[\]#]*\*\* \(\[open\]\(<https://hub\.example/[^<>|\s]*>\)\)", bare[0]
    )
    for line in bare[1:]:
        assert not re.search(r"[*_`~|<>\[\]()#&\u202e]", line)
    assert not re.search(r"@\w", re.sub(r"<https://[^>]*>", "", document["text"]))


@pytest.mark.parametrize("text", NASTY)
def test_teams_gets_text_runs_and_no_mentions(repository, text):
    document = message(repository, text, "teams")
    assert set(document) == {"type", "attachments"}
    (attachment,) = document["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert "msteams" not in card  # without entities, <at> is text
    for block in card["body"]:
        assert block["type"] == "RichTextBlock"
        for run in block["inlines"]:
            assert run["type"] == "TextRun"
            assert not re.search(r"[\n\r\u202e]|@\w", run["text"])
    (action,) = card["actions"]
    assert re.fullmatch(r"https://hub\.example/alice/app:[^<>|\s]*", action["url"])


def test_a_push_reads_well(repository, actor):
    event = occur("tag.moved", repository, actor)
    slack = json.loads(render(owe(event, repository, format="slack")).body)
    assert slack["text"] == "alice pushed alice/app:v1.2"
    assert [element["text"] for element in slack["blocks"][1]["elements"]] == [
        "Repository: alice/app",
        "Tag: v1.2",
        f"Digest: {DIGEST}",
        "By: alice",
        f"Event: push {event.uid}",
    ]
    mattermost = json.loads(render(owe(event, repository, format="mattermost")).body)["text"]
    assert mattermost.startswith(
        "**alice pushed alice/app:v1.2** ([open](<https://hub.example/alice/app:v1.2>))\n"
    )


def test_every_event_has_a_sentence():
    assert set(_SENTENCES) == {*EVENTS, PING}


def test_escapes():
    assert _markdown(r"a_b*c \ [x](y)") == r"a\_b\*c \\ \[x\]\(y\)"
    assert _inert("  a\tb@c  ") == "a b@\N{WORD JOINER}c"
    assert len(_inert("x" * 9999)) == 500
