"""Comments: pinned to a tag, hidden, closed, with mentions; as pages and as fragments."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from accounts.services.credentials import principal_of
from repos.models import Comment, Repository
from repos.services.comments import add_comment
from tests.images import image
from tests.pages.conftest import push

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]


def test_a_comment_is_about_a_tag_as_it_is_now(browser: Browser, public: Repository) -> None:
    client = browser("stranger")
    page = f"/{public.path}/-/comments"
    assert 'value="1.0"' in client.get(f"{page}?tag=1.0").text
    assert client.post(page, {"body": "fine", "tag": "1.0"}).status_code == 302
    first = Comment.objects.get()
    assert (first.tag, first.digest) == ("1.0", public.tags.get().manifest.digest)
    push(public, image("moved"), "1.0")
    client.post(page, {"body": "by digest", "tag": first.digest})
    client.post(page, {"body": "of nothing"})
    text = client.get(page).text
    assert f'href="/{public.path}/-/tags/1.0">1.0</a>' in text
    assert f"{first.digest[:15]}…" in text
    assert f'href="/{public.path}/-/manifests/{first.digest}"' in text
    only = client.get(f"{page}?tag=1.0").text
    assert "fine" in only
    assert "by digest" not in only
    assert "of nothing" not in only
    assert "by digest" in client.get(f"{page}?tag={first.digest}").text
    assert "Nobody said anything here." in client.get(f"{page}?tag=2.0").text


@pytest.mark.parametrize("tag", ["2.0", "sha256:" + "0" * 64, "sha256:x", "a b", "…"])
def test_an_absent_tag_is_refused_in_its_field(
    browser: Browser, public: Repository, tag: str
) -> None:
    page = f"/{public.path}/-/comments"
    answer = browser("stranger").post(page, {"body": "kept words", "tag": tag})
    assert answer.status_code == 422
    assert "There is no such tag or digest here." in answer.text
    assert "kept words" in answer.text
    assert not Comment.objects.exists()


def test_a_preview_is_a_page_or_a_fragment(
    browser: Browser, public: Repository, htmx: dict[str, str]
) -> None:
    client = browser("stranger")
    page = f"/{public.path}/-/comments"
    words = {"body": "**so** @owner", "preview": "1", "tag": "1.0"}
    whole = client.post(f"{page}/preview", words)
    assert "<strong>so</strong>" in whole.text
    assert 'value="1.0"' in whole.text
    assert '<a href="/owner"' in whole.text
    part = client.post(f"{page}/preview", words, headers=htmx)
    assert part.text.strip().startswith('<section id="preview"')
    assert "<strong>so</strong>" in part.text
    nothing = client.post(f"{page}/preview", {**words, "body": ""}, headers=htmx)
    assert nothing.status_code == 200
    assert "Nothing to show." in nothing.text
    assert client.post(f"{page}/preview", {**words, "body": ""}).status_code == 422
    assert not Comment.objects.exists()
    client.post(page, {"body": "first"})
    edit = f"{page}/{Comment.objects.get().pk}/edit"
    assert "<strong>so</strong>" in client.post(edit, words).text
    assert Comment.objects.get().body == "first"


def test_a_hidden_comment_is_there_for_its_author_and_administrators(
    browser: Browser, public: Repository, htmx: dict[str, str]
) -> None:
    page = f"/{public.path}/-/comments"
    browser("stranger").post(page, {"body": "rude words"})
    pk = Comment.objects.get().pk
    hide = f"{page}/{pk}/hide"
    assert "Hide this comment" not in browser("stranger").get(page).text
    for name in ("stranger", "writer"):
        assert browser(name).post(hide).status_code == 403
    assert browser("manager").post(hide)["Location"] == f"{page}?at={pk}#comment-{pk}"
    for name in ("", "reader", "writer"):
        assert "rude words" not in browser(name).get(page).text
        assert "No comments yet" in browser(name).get(page).text
    for name in ("stranger", "manager", "owner"):
        text = browser(name).get(page).text
        assert "rude words" in text
        assert "hidden by manager" in text
    public.refresh_from_db()
    assert public.comment_count == 0
    browser("manager").post(hide)
    public.refresh_from_db()
    assert public.comment_count == 0
    part = browser("owner").post(hide, {"hidden": "0"}, headers=htmx)
    assert part.text.strip().startswith("<article")
    assert "hidden by" not in part.text
    assert "rude words" in browser("").get(page).text
    public.refresh_from_db()
    assert public.comment_count == 1


def test_deleting_a_hidden_comment_counts_once(browser: Browser, public: Repository) -> None:
    page = f"/{public.path}/-/comments"
    browser("stranger").post(page, {"body": "one"})
    browser("stranger").post(page, {"body": "two"})
    pk = Comment.objects.get(body="one").pk
    browser("manager").post(f"{page}/{pk}/hide")
    browser("manager").post(f"{page}/{pk}/delete")
    public.refresh_from_db()
    assert public.comment_count == 1
    assert browser("manager").post(f"{page}/{pk}/hide").status_code == 404
    assert browser("reader").post(f"{page}/{pk}/delete").status_code == 404


def test_closed_comments_are_read_and_not_written(
    browser: Browser, public: Repository, htmx: dict[str, str]
) -> None:
    page = f"/{public.path}/-/comments"
    stranger, manager = browser("stranger"), browser("manager")
    stranger.post(page, {"body": "said before"})
    pk = Comment.objects.get().pk
    settings = f"/{public.path}/-/settings"
    assert 'name="comments_open" aria-describedby' in manager.get(settings).text
    assert manager.post(f"{settings}/comments", {})["Location"] == settings
    text = stranger.get(page).text
    assert "said before" in text
    assert "Comments are closed here." in text
    assert "<textarea" not in text
    assert "Open them again" not in text
    assert "Open them again" in manager.get(page).text
    refused = stranger.post(page, {"body": "more"})
    assert refused.status_code == 403
    assert f"Comments on {public.path} are closed." in refused.text
    assert stranger.post(f"{page}/{pk}/edit", {"body": "more"}).status_code == 403
    assert stranger.get(f"{page}/{pk}/edit").status_code == 403
    assert f"{page}/{pk}/edit" not in text
    assert Comment.objects.get().body == "said before"
    manager.post(f"{settings}/comments", {"comments_open": "on"})
    assert stranger.post(page, {"body": "more"}).status_code == 302
    assert stranger.post(f"{page}/{pk}/delete").status_code == 302


def test_a_link_to_a_comment_leads_to_its_page(
    browser: Browser, people: dict[str, User], public: Repository
) -> None:
    made = [
        add_comment(public, principal=principal_of(people["reader"]), body=f"number {n}.")
        for n in range(45)
    ]
    page = f"/{public.path}/-/comments"
    for n, number in ((44, 1), (25, 1), (24, 2), (0, 3)):
        text = browser("").get(f"{page}?at={made[n].pk}").text
        assert f'id="comment-{made[n].pk}"' in text
        assert f"Page {number} of 3" in text
    assert "Page 1 of 3" in browser("").get(f"{page}?at=x").text
    assert "Page 1 of 3" in browser("").get(f"{page}?at={10**30}").text


def test_names_of_people_become_links(browser: Browser, public: Repository) -> None:
    page = f"/{public.path}/-/comments"
    browser("stranger").post(page, {"body": "@Owner @nobody `@reader` <script>@reader</script>"})
    html = Comment.objects.get().body_html
    assert html.count("<a ") == 2
    assert '<a href="/owner"' in html
    assert "@nobody" in html
    assert "<script" not in html
