"""Atom (RFC 4287) out of entries. Every link leads to `HUB_EXTERNAL_URL`, and none has a key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import feedgenerator

CONTENT_TYPE = "application/atom+xml; charset=utf-8"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # nothing that XML can hold


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened; `path` leads there, `html` says more, `uid` is for ever."""

    uid: str
    title: str
    path: str
    author: str
    moment: datetime
    category: str
    html: str = ""


@dataclass(frozen=True, slots=True)
class Feed:
    """Entries, newest first; `since` is its age while it has none."""

    title: str
    path: str  # of the page that it is about
    self_path: str
    since: datetime
    entries: Sequence[Entry]

    @property
    def changed_at(self) -> datetime:
        """When the newest thing happened."""
        return max((entry.moment for entry in self.entries), default=self.since)


class _Atom(feedgenerator.Atom1Feed):
    """Django's, dated by what is in it: the same text for as long as nothing happens."""

    changed_at: datetime

    def latest_post_date(self) -> datetime:
        """As the feed says."""
        return self.changed_at


def to_xml(feed: Feed) -> bytes:
    """The document."""
    outer = settings.HUB.external_url
    made = _Atom(
        title=_clean(feed.title),
        link=outer + feed.path,
        description=None,
        feed_url=outer + feed.self_path,
        feed_guid=outer + feed.self_path,
        language="en",
    )
    made.changed_at = feed.changed_at
    for entry in feed.entries:
        made.add_item(
            title=_clean(entry.title),
            link=outer + entry.path,
            description=_absolute(_clean(entry.html), outer),
            author_name=_clean(entry.author) or "hub",
            pubdate=entry.moment,
            updateddate=entry.moment,
            unique_id=f"urn:uuid:{entry.uid}",
            categories=[entry.category],
        )
    return made.writeString("utf-8").encode()


def _absolute(html: str, outer: str) -> str:
    """Links within the hub, as mentions are, with its address: a reader stands elsewhere."""
    return html.replace('href="/', f'href="{outer}/')


def _clean(text: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
