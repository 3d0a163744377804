"""The bell, the list, watching, preferences and feeds, as a person uses them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.services.credentials import principal_of
from events import dispatch
from notices.models import FeedKey, Kind, Notice, Preference, SearchWatch, Watch
from notices.selectors import MOST_COUNTED
from notices.services.preferences import ticket_of
from repos.models import Collaborator, Repository
from repos.services.comments import add_comment
from tests.images import image
from tests.pages.conftest import push

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]
People = dict[str, User]


@pytest.fixture(autouse=True)
def _calm(request: pytest.FixtureRequest) -> None:
    """What making the repositories has told is over."""
    for name in ("public", "private"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
            dispatch.drain()
            Notice.objects.all().delete()


def says(people: People, name: str, repository: Repository, body: str) -> None:
    add_comment(repository, principal=principal_of(people[name]), body=body)
    dispatch.drain()


def test_the_bell_counts_and_is_asked_again(
    browser: Browser, people: People, public: Repository
) -> None:
    client = browser("reader")
    assert 'aria-label="Notifications"' in client.get("/").text
    says(people, "owner", public, "@reader look")
    text = client.get("/").text
    assert 'aria-label="Notifications, 1 unread"' in text
    assert 'hx-trigger="every 60s"' in text
    first = client.get("/notifications/bell")
    assert "1 unread" in first.text
    assert "<html" not in first.text
    assert first["Cache-Control"] == "private, no-cache"
    mark = {"If-None-Match": first["ETag"]}
    again = client.get("/notifications/bell", headers=mark)
    assert (again.status_code, again.content) == (304, b"")
    says(people, "owner", public, "@reader once more")
    assert "2 unread" in client.get("/notifications/bell", headers=mark).text
    assert (
        client.get("/notifications/bell")["ETag"]
        != browser("owner").get("/notifications/bell")["ETag"]
    )
    assert browser("").get("/notifications/bell").status_code == 204
    assert 'id="bell"' not in browser("").get("/").text


def test_the_bell_stops_counting_somewhere(
    browser: Browser, people: People, public: Repository, django_assert_num_queries: Any
) -> None:
    Notice.objects.bulk_create(
        Notice(user=people["reader"], kind=Kind.TAG, repository=public)
        for _ in range(MOST_COUNTED + 20)
    )
    client = browser("reader")
    assert "99+" in client.get("/notifications/bell").text
    with django_assert_num_queries(4):  # the session, the person, the count
        client.get("/notifications/bell")


def test_a_notice_leads_somewhere_and_is_read_then(
    browser: Browser, people: People, public: Repository
) -> None:
    says(people, "owner", public, "@reader look")
    notice = Notice.objects.get()
    client = browser("reader")
    text = client.get("/notifications").text
    assert "owner mentions you in a comment on owner/open" in text
    assert "Unread:" in text
    assert client.head(f"/notifications/{notice.pk}").status_code == 302
    assert "Unread:" in client.get("/notifications").text
    followed = client.get(f"/notifications/{notice.pk}")
    where = f"/owner/open/-/comments?at={notice.comment_id}#comment-{notice.comment_id}"
    assert followed["Location"] == where
    assert "Unread:" not in client.get("/notifications").text
    for name in ("owner", "stranger"):
        assert browser(name).get(f"/notifications/{notice.pk}").status_code == 404
    assert browser("").get("/notifications").status_code == 302


def test_marking_as_read(browser: Browser, people: People, public: Repository) -> None:
    for n in range(3):
        says(people, "owner", public, f"@reader @writer {n}")
    client = browser("reader")
    mine = Notice.objects.filter(user=people["reader"])
    theirs = Notice.objects.filter(user=people["writer"]).first()
    assert theirs is not None
    client.post("/notifications/read", {"id": str(theirs.pk)})
    client.post("/notifications/read", {"id": "x"})
    assert not Notice.objects.exclude(read_at=None).exists()
    back = client.post("/notifications/read", {"id": str(mine[0].pk), "kind": "mention"})
    assert back["Location"] == "/notifications?kind=mention"
    assert mine.filter(read_at=None).count() == 2
    assert client.post("/notifications/read")["Location"] == "/notifications"
    assert not mine.filter(read_at=None).exists()
    assert Notice.objects.filter(user=people["writer"], read_at=None).count() == 3


def test_the_list_by_kind_and_by_pages(
    browser: Browser, people: People, public: Repository
) -> None:
    says(people, "owner", public, "@reader look")
    for n in range(35):
        Notice.objects.create(
            user=people["reader"], kind=Kind.TAG, repository=public, details={"tags": [f"1.{n}"]}
        )
    client = browser("reader")
    first = client.get("/notifications")
    assert first.text.count('">somebody pushed owner/open:1.') == 30
    older = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert older is not None
    second = client.get(older[1].replace("&amp;", "&")).text
    assert second.count('">somebody pushed owner/open:1.') == 5
    assert "mentions you" in second
    assert "somebody pushed" not in client.get("/notifications?kind=mention").text
    Notice.objects.update(read_at="2026-01-01T00:00:00Z")
    assert "Nothing like this" in client.get("/notifications?unread=1").text
    assert "Nothing to tell yet" in browser("writer").get("/notifications").text
    assert client.get("/notifications?kind=nonsense").status_code == 200


def test_what_is_hidden_meanwhile_is_gone(
    browser: Browser, people: People, private: Repository
) -> None:
    says(people, "owner", private, "@reader look")
    notice = Notice.objects.get(user=people["reader"])
    Collaborator.objects.filter(user=people["reader"]).delete()
    client = browser("reader")
    assert "secret" not in client.get("/notifications").text
    assert "unread" not in client.get("/notifications/bell").text
    assert client.get(f"/notifications/{notice.pk}").status_code == 404


def test_watching_from_the_head_of_a_page(
    browser: Browser, people: People, public: Repository, htmx: dict[str, str]
) -> None:
    client = browser("stranger")
    watch = f"/{public.path}/-/watch"
    assert f'action="{watch}"' in client.get(f"/{public.path}").text
    assert client.post(watch, {"level": "tags"})["Location"] == f"/{public.path}"
    assert "Watching" in client.get(f"/{public.path}").text
    part = client.post(watch, {"level": "everything"}, headers=htmx)
    assert part.text.strip().startswith("<details")
    assert 'value="everything" aria-current="true"' in part.text
    assert public.path in client.get("/notifications/watching").text
    push(public, image("new"), "2.0")
    dispatch.drain()
    assert "pushed owner/open:2.0" in client.get("/notifications").text
    assert client.post(watch, {"level": "often"}).status_code == 400
    done = client.post(watch, {"level": "", "back": "watching"})
    assert done["Location"] == "/notifications/watching"
    assert not Watch.objects.exists()
    assert "Watch" in browser("").get(f"/{public.path}").text
    assert f'action="{watch}"' not in browser("").get(f"/{public.path}").text


def test_what_cannot_be_seen_cannot_be_watched(browser: Browser, private: Repository) -> None:
    hidden = browser("stranger").post(f"/{private.path}/-/watch", {"level": "tags"})
    absent = browser("stranger").post("/owner/secret/apx/-/watch", {"level": "tags"})
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert not Watch.objects.exists()


def test_watching_a_search(browser: Browser, public: Repository) -> None:
    client = browser("stranger")
    assert client.post("/notifications/watching", {"q": "Open"}).status_code == 302
    text = client.get("/notifications/watching").text
    assert "You watch the search “open” now." in text
    assert 'href="/search?q=open"' in text
    again = client.post("/notifications/watching", {"q": "open"})
    assert again.status_code == 422
    assert "You watch this search already." in again.text
    stop = f"/notifications/watching/{SearchWatch.objects.get().pk}/stop"
    assert browser("reader").post(stop).status_code == 404
    assert client.post(stop).status_code == 302
    assert not SearchWatch.objects.exists()


def test_preferences_are_kept(browser: Browser, people: People, public: Repository) -> None:
    client = browser("reader")
    page = "/settings/notifications"
    text = client.get(page).text
    assert text.count("A mail of its own is sent") == 3
    fields = re.findall(r'name="((?:web|mail)-\w+)"', text)
    assert len(fields) == 2 * len(Kind) - 3
    chosen = {name: "never" for name in fields if name.startswith("mail-")}
    assert client.post(page, {**chosen, "web-comment": "on"}).status_code == 302
    assert Preference.objects.filter(user=people["reader"], web=True).count() == 1
    says(people, "owner", public, "@reader look")
    assert not Notice.objects.filter(user=people["reader"]).exists()
    assert client.post(page, {**chosen, "mail-tag": "hourly"}).status_code == 422


def test_the_link_in_a_mail_stops_mails(
    browser: Browser, people: People, public: Repository
) -> None:
    page = f"/notifications/stop/{ticket_of(people['reader'].pk)}"
    plain = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    assert "Stop these mails" in plain.get(page).text
    assert not Preference.objects.exists()  # programs that look at links change nothing
    done = plain.post(page, {"List-Unsubscribe": "One-Click"})
    assert "No more mails" in done.text
    assert Preference.objects.filter(user=people["reader"], mail="never").count() == len(Kind)
    assert not Preference.objects.exclude(user=people["reader"]).exists()
    assert plain.post(f"{page}x").status_code == 404
    says(people, "owner", public, "@reader look")
    assert Notice.objects.get(user=people["reader"]).mail_due_at is None


class TestFeeds:
    def key(self, browser: Browser, name: str) -> str:
        text = browser(name).post("/settings/notifications/feeds").text
        found = re.search(r"hubf_\w+", text)
        assert found is not None
        return found[0]

    def test_a_public_feed_is_for_everybody(self, browser: Browser, public: Repository) -> None:
        page = f"/{public.path}/-/feed.atom"
        answer = browser("").get(page)
        assert answer["Content-Type"] == "application/atom+xml; charset=utf-8"
        assert "New: owner/open:1.0" in answer.text
        assert browser("").get("/owner/-/feed.atom").text.count("<entry>") == 1
        etag = browser("").get(page, headers={"If-None-Match": answer["ETag"]})
        assert (etag.status_code, etag.content, etag["ETag"]) == (304, b"", answer["ETag"])
        since = {"If-Modified-Since": answer["Last-Modified"]}
        assert browser("").get(page, headers=since).status_code == 304
        push(public, image("new"), "2.0")
        fresh = browser("").get(page, headers={"If-None-Match": answer["ETag"]})
        assert "New: owner/open:2.0" in fresh.text

    def test_a_key_shows_what_its_owner_may_see(
        self, browser: Browser, people: People, private: Repository
    ) -> None:
        key = self.key(browser, "reader")
        page = f"/{private.path}/-/feed.atom"
        nobody = browser("")
        assert nobody.get(page).status_code == 404
        assert "secret/app" in nobody.get(f"{page}?key={key}").text
        assert key not in nobody.get(f"{page}?key={key}").text
        assert "secret/app" in nobody.get(f"/owner/-/feed.atom?key={key}").text
        assert "secret" not in nobody.get("/owner/-/feed.atom").text
        says(people, "owner", private, "@reader look")
        mine = nobody.get(f"/notifications/feed.atom?key={key}")
        assert "owner mentions you" in mine.text
        Collaborator.objects.filter(user=people["reader"]).delete()
        assert nobody.get(f"{page}?key={key}").status_code == 404
        assert "mentions" not in nobody.get(f"/notifications/feed.atom?key={key}").text
        assert "secret" not in nobody.get(f"/owner/-/feed.atom?key={key}").text

    def test_wrong_hidden_and_absent_are_the_same(
        self, browser: Browser, private: Repository, public: Repository
    ) -> None:
        wrong = "hubf_" + "0" * 43
        good = self.key(browser, "stranger")
        answers = [
            browser("").get(address)
            for address in (
                f"/{private.path}/-/feed.atom",
                "/owner/absent/app/-/feed.atom",
                f"/{private.path}/-/feed.atom?key={wrong}",
                f"/{public.path}/-/feed.atom?key={wrong}",
                f"/owner/-/feed.atom?key={wrong}",
                "/nobody/-/feed.atom",
                f"/{private.path}/-/feed.atom?key={good}",
                f"/owner/absent/app/-/feed.atom?key={good}",
                f"/notifications/feed.atom?key={wrong}",
                "/notifications/feed.atom",
                f"/{public.path}/-/feed.atom?key=",
            )
        ]
        assert {answer.status_code for answer in answers} == {404}
        plain = {
            re.sub(r"(?:/|%2F)[\w./%-]*feed\.atom[\w%?=]*", "", answer.text) for answer in answers
        }
        assert len(plain) == 1

    def test_a_key_is_replaced_and_revoked(self, browser: Browser, public: Repository) -> None:
        first = self.key(browser, "reader")
        page = f"/{public.path}/-/feed.atom"
        assert first not in browser("reader").get("/settings/notifications").text
        second = self.key(browser, "reader")
        assert browser("").get(f"{page}?key={first}").status_code == 404
        assert browser("").get(f"{page}?key={second}").status_code == 200
        browser("reader").post("/settings/notifications/feeds/revoke")
        assert browser("").get(f"{page}?key={second}").status_code == 404
        assert not FeedKey.objects.exists()

    def test_a_key_opens_nothing_else(self, browser: Browser, private: Repository) -> None:
        key = self.key(browser, "reader")
        assert browser("").get(f"/{private.path}?key={key}").status_code == 404
        bearer = {"Authorization": f"Bearer {key}"}
        assert browser("").get("/api/user", headers=bearer).status_code == 401

    def test_former_names_lead_on(
        self, browser: Browser, people: People, public: Repository
    ) -> None:
        browser("owner").post(f"/{public.path}/-/settings/rename", {"name": "fresh"})
        key = self.key(browser, "reader")
        moved = browser("").get(f"/owner/open/-/feed.atom?key={key}")
        assert moved["Location"] == f"/owner/fresh/-/feed.atom?key={key}"

    def test_pages_name_their_feeds(self, browser: Browser, public: Repository) -> None:
        kind = 'type="application/atom+xml"'
        assert kind in browser("").get(f"/{public.path}").text
        assert f'href="/{public.path}/-/feed.atom"' in browser("").get(f"/{public.path}").text
        assert 'href="/owner/-/feed.atom"' in browser("").get("/owner").text
