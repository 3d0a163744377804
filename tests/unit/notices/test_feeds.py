"""Feeds: valid Atom, and in it what the reader may see at this moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from core.errors import NotFound
from events.models import Event
from notices.atom import Entry, Feed, to_xml
from notices.feeds import feed_of_namespace, feed_of_notices, feed_of_repository
from notices.models import FeedKey
from notices.services.feed_keys import PREFIX, make_key, reader_of, revoke_key
from repos.models import Collaborator, Comment
from repos.services.renaming import rename_repository
from tests.images import image
from tests.unit.notices.conftest import Town
from tests.unit.registry.pushing import push

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"
REQUIRED = ("id", "title", "updated", "author")


def parsed(feed: Feed) -> ElementTree.Element:
    """The document, with everything RFC 4287 asks for."""
    root = ElementTree.fromstring(to_xml(feed))
    assert root.tag == f"{ATOM}feed"
    for name in REQUIRED[:3]:
        assert len(root.findall(f"{ATOM}{name}")) == 1, name
    assert [link.get("rel") for link in root.findall(f"{ATOM}link")] == ["alternate", "self"]
    ids = []
    for entry in root.findall(f"{ATOM}entry"):
        for name in REQUIRED:
            assert len(entry.findall(f"{ATOM}{name}")) == 1, name
        assert entry.find(f"{ATOM}author/{ATOM}name").text
        ids.append(entry.find(f"{ATOM}id").text)
    assert len(ids) == len(set(ids))
    return root


def titles(feed: Feed) -> list[str | None]:
    return [e.find(f"{ATOM}title").text for e in parsed(feed).findall(f"{ATOM}entry")]


def test_tags_releases_and_comments(town: Town) -> None:
    push(town.open, image("1"), "1.0")
    push(town.open, image("1"), "latest")
    push(town.open, image("2"), "latest")
    comment = town.says("rita", "**Well** done, @olga.", town.open)
    root = parsed(feed_of_repository(town.open))
    entries = root.findall(f"{ATOM}entry")
    assert [e.find(f"{ATOM}title").text for e in entries] == [
        "rita commented on acme/open",
        "Updated: acme/open:latest",
        "New: acme/open:latest",
        "New: acme/open:1.0",
    ]
    terms = [e.find(f"{ATOM}category").get("term") for e in entries]
    assert terms == ["comment", "tag", "release", "release"]
    body = entries[0].find(f"{ATOM}summary").text or ""
    assert "<strong>Well</strong>" in body
    assert 'href="http://localhost:5000/olga"' in body
    links = [e.find(f"{ATOM}link").get("href") for e in entries]
    outer = "http://localhost:5000/acme/open/-/"
    assert links[0] == f"{outer}comments?at={comment.pk}#comment-{comment.pk}"
    assert links[3] == f"{outer}tags/1.0"
    newest = Event.objects.order_by("-pk").first()
    assert feed_of_repository(town.open).changed_at == newest.occurred_at


def test_the_same_as_long_as_nothing_happens(town: Town) -> None:
    empty = to_xml(feed_of_repository(town.open))
    assert titles(feed_of_repository(town.open)) == []
    assert to_xml(feed_of_repository(town.open)) == empty
    push(town.open, image("1"), "1.0")
    assert to_xml(feed_of_repository(town.open)) != empty


@pytest.mark.parametrize("field", ["hidden_at", "deleted_at"])
def test_comments_that_were_taken_away_are_out(town: Town, field: str) -> None:
    town.says("rita", "Hello.", town.open)
    assert len(titles(feed_of_repository(town.open))) == 1
    Comment.objects.update(**{field: timezone.now()})
    assert titles(feed_of_repository(town.open)) == []


def test_a_namespace_shows_each_reader_their_part(town: Town) -> None:
    town.says("olga", "Open.", town.open)
    town.says("olga", "Closed.", town.closed)
    namespace = town.open.namespace
    both = ["olga commented on acme/closed", "olga commented on acme/open"]
    assert titles(feed_of_namespace(namespace, town.principal("rita"))) == both
    assert titles(feed_of_namespace(namespace, town.principal("sven"))) == both[1:]
    Collaborator.objects.filter(user=town.users["rita"]).delete()
    assert titles(feed_of_namespace(namespace, town.principal("rita"))) == both[1:]


def test_only_present_names_are_told(town: Town) -> None:
    push(town.open, image("1"), "1.0")
    rename_repository(town.open, "fresh", principal=town.principal("olga"))
    town.open.refresh_from_db()
    xml = to_xml(feed_of_namespace(town.open.namespace, town.principal("sven"))).decode()
    assert "acme/fresh:1.0" in xml
    assert "acme/open" not in xml


def test_ones_own_notices(town: Town) -> None:
    town.says("olga", "@rita look")
    assert titles(feed_of_notices(town.principal("rita"))) == [
        "olga mentions you in a comment on acme/closed"
    ]
    assert titles(feed_of_notices(town.principal("sven"))) == []


def test_the_cost_does_not_grow(town: Town, django_assert_num_queries: Any) -> None:
    sven = town.principal("sven")
    for n in range(2):
        town.says("olga", f"{n}", town.open)
    with django_assert_num_queries(3):
        feed_of_namespace(town.open.namespace, sven)
    for n in range(10):
        town.says("rita", f"{n}", town.open)
    with django_assert_num_queries(3):
        feed_of_namespace(town.open.namespace, sven)


@given(
    st.text(max_size=20),
    st.text(max_size=20),
    st.text(max_size=40),
    st.text(max_size=10),
)
def test_any_text_makes_a_valid_document(title: str, author: str, html: str, name: str) -> None:
    now = timezone.now()
    entry = Entry("0" * 8, title, "/x", author, now, "tag", html)
    root = ElementTree.fromstring(to_xml(Feed(name, "/x", "/y", now - timedelta(1), [entry])))
    assert len(root.findall(f"{ATOM}entry")) == 1
    assert (root.findtext(f"{ATOM}updated") or "")[:19] == now.isoformat()[:19]


class TestKeys:
    def test_a_key_reads_until_it_is_replaced_or_revoked(self, town: Town) -> None:
        rita = town.users["rita"]
        first = make_key(rita, actor=town.actor("rita"))
        assert first.startswith(PREFIX)
        assert reader_of(first) == town.principal("rita")
        assert first not in str(FeedKey.objects.values())
        second = make_key(rita, actor=town.actor("rita"))
        with pytest.raises(NotFound):
            reader_of(first)
        assert reader_of(second).username == "rita"
        revoke_key(rita, actor=town.actor("rita"))
        revoke_key(rita, actor=town.actor("rita"))
        with pytest.raises(NotFound):
            reader_of(second)
        kinds = Event.objects.order_by("pk").values_list("kind", flat=True)
        assert list(kinds) == ["token.feed_made", "token.feed_made", "token.feed_revoked"]
        assert second not in str(list(Event.objects.values()))

    def test_not_of_somebody_who_is_out(self, town: Town) -> None:
        key = make_key(town.users["rita"], actor=town.actor("rita"))
        town.users["rita"].is_active = False
        town.users["rita"].save()
        with pytest.raises(NotFound):
            reader_of(key)

    @pytest.mark.parametrize("key", ["", "x", PREFIX, PREFIX + "x" * 43, "hubp_" + "x" * 43])
    def test_a_key_of_nobody(self, town: Town, key: str) -> None:
        make_key(town.users["rita"], actor=town.actor("rita"))
        with pytest.raises(NotFound):
            reader_of(key)
