"""Stars, comments, people, settings and the README, as a person without JavaScript uses them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from repos.models import Collaborator, Comment, Repository, TeamGrant
from repos.selectors import comments_of

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]


def test_a_star_toggles(browser: Browser, public: Repository, htmx: dict[str, str]) -> None:
    client = browser("stranger")
    star = f"/{public.path}/-/star"
    assert client.post(star, {"starred": "1"})["Location"] == f"/{public.path}"
    assert 'aria-pressed="true"' in client.get(f"/{public.path}").text
    assert client.post(star, {"starred": "1"}).status_code == 302
    public.refresh_from_db()
    assert public.star_count == 1
    assert public.path in client.get("/explore?show=starred").text
    fragment = client.post(star, {"starred": "0"}, headers=htmx)
    assert 'aria-pressed="false"' in fragment.text
    assert "<html" not in fragment.text
    public.refresh_from_db()
    assert public.star_count == 0
    assert client.get(star).status_code == 405


def test_a_comment_lives(browser: Browser, public: Repository, htmx: dict[str, str]) -> None:
    client = browser("stranger")
    page = f"/{public.path}/-/comments"
    assert "No comments yet" in client.get(page).text
    shown = client.post(f"{page}/preview", {"body": "is it **good**?"})
    assert "<strong>good</strong>" in shown.text
    assert "is it **good**?" in shown.text
    assert not Comment.objects.exists()
    added = client.post(page, {"body": "is it **good**?"})
    comment = Comment.objects.get()
    assert added["Location"] == f"{page}#comment-{comment.pk}"
    client.post(page, {"body": "second"})
    text = client.get(page).text
    assert text.index("second") < text.index("<strong>good</strong>")
    edited = client.post(f"{page}/{comment.pk}/edit", {"body": "it is"})
    assert edited["Location"] == f"{page}?at={comment.pk}#comment-{comment.pk}"
    assert "edited" in client.get(page).text
    part = client.get(f"{page}/{comment.pk}/edit", headers=htmx)
    assert part.text.strip().startswith("<article")
    client.post(f"{page}/{comment.pk}/delete")
    assert [c.body for c in comments_of(public)] == ["second"]
    assert client.post(f"{page}/{comment.pk}/delete").status_code == 404
    public.refresh_from_db()
    assert public.comment_count == 1


def test_a_collaborator_lives(browser: Browser, private: Repository, htmx: dict[str, str]) -> None:
    client = browser("manager")
    page = f"/{private.path}/-/people"
    assert client.post(f"{page}/add", {"username": "@Stranger", "role": "read"}).status_code == 302
    assert browser("stranger").get(f"/{private.path}").status_code == 200
    assert "stranger" in client.get(page).text
    changed = client.post(f"{page}/change", {"who": "user:stranger", "role": "write"})
    assert changed["Location"] == page
    assert browser("stranger").get(f"/{private.path}/-/tags/1.0/delete").status_code == 200
    part = client.post(f"{page}/change", {"who": "user:stranger", "role": "admin"}, headers=htmx)
    assert "Saved" in part.text
    assert "<html" not in part.text
    assert browser("stranger").get(f"/{private.path}/-/settings").status_code == 200
    client.post(f"{page}/remove", {"who": "user:stranger"})
    assert browser("stranger").get(f"/{private.path}").status_code == 404
    assert client.post(f"{page}/remove", {"who": "user:stranger"}).status_code == 404
    assert (
        client.post(f"{page}/change", {"who": "user:stranger", "role": "read"}).status_code == 404
    )
    assert client.post(f"{page}/change", {"who": "user:reader", "role": "king"}).status_code == 400
    assert client.post(f"{page}/change", {"who": "team:x", "role": "read"}).status_code == 404


def test_people_says_where_a_role_comes_from(browser: Browser, organization: Repository) -> None:
    page = f"/{organization.path}/-/people"
    assert browser("writer").get(page).status_code == 403
    text = browser("owner").get(page).text
    assert "owner of crew" in text
    assert "team builders" in text
    client = browser("owner")
    assert client.post(f"{page}/add", {"team": "testers", "role": "read"}).status_code == 302
    assert TeamGrant.objects.filter(team__name="testers", role="read").exists()
    assert (
        client.post(f"{page}/change", {"who": "team:testers", "role": "admin"}).status_code == 302
    )
    assert client.post(f"{page}/remove", {"who": "team:testers"}).status_code == 302
    assert client.post(f"{page}/add", {"team": "ghosts", "role": "read"}).status_code == 422
    assert list(TeamGrant.objects.values_list("team__name", flat=True)) == ["builders"]


def test_an_organization_shows_its_people_to_members_only(
    browser: Browser, organization: Repository
) -> None:
    assert 'href="/writer"' in browser("owner").get("/crew").text
    assert 'href="/writer"' in browser("writer").get("/crew").text
    assert 'href="/owner"' not in browser("reader").get("/crew").text
    assert "crew" in browser("owner").get("/new").text
    assert "crew" not in browser("writer").get("/new").text


def test_settings_save_alone(browser: Browser, public: Repository) -> None:
    client = browser("manager")
    page = f"/{public.path}/-/settings"
    assert client.post(page, {"description": "Better words."})["Location"] == page
    assert "Saved." in client.get(page).text
    client.post(f"{page}/visibility", {"visibility": "private"})
    public.refresh_from_db()
    assert (public.description, public.visibility) == ("Better words.", "private")
    assert browser("").get(f"/{public.path}").status_code == 404


def test_a_readme_is_written(browser: Browser, public: Repository, htmx: dict[str, str]) -> None:
    client = browser("manager")
    page = f"/{public.path}/-/readme"
    assert "Write a README" in client.get(f"/{public.path}").text
    assert "Write a README" not in browser("writer").get(f"/{public.path}").text
    whole = client.post(f"{page}/preview", {"readme": "# Title"})
    assert "<h2>Title</h2>" in whole.text
    part = client.post(f"{page}/preview", {"readme": "# Title"}, headers=htmx)
    assert "<h2>Title</h2>" in part.text
    assert "<html" not in part.text
    public.refresh_from_db()
    assert not public.readme
    assert client.post(page, {"readme": "# Title\r\n\r\ntext"})["Location"] == f"/{public.path}"
    assert "<h2>Title</h2>" in browser("").get(f"/{public.path}").text
    public.refresh_from_db()
    assert public.readme == "# Title\n\ntext"


def test_deleting_needs_the_typed_name(browser: Browser, public: Repository) -> None:
    client = browser("manager")
    url = f"/{public.path}/-/settings/delete"
    for typed in ("", "open", "owner/open ", "OWNER/OPEN"):
        answer = client.post(
            url, {"confirm": typed.rstrip() if typed != "owner/open " else "owner/opens"}
        )
        assert answer.status_code == 422
        assert "Delete repository" in answer.text
    public.refresh_from_db()
    assert public.is_active
    assert "1 tag goes with it" in client.get(f"/{public.path}/-/settings").text
    assert client.post(url, {"confirm": public.path})["Location"] == "/owner"
    assert client.get("/owner/open").status_code == 404
    assert "owner/open was deleted." in client.get("/owner").text


def test_a_repository_is_made(browser: Browser, people: object) -> None:
    client = browser("stranger")
    made = client.post(
        "/new",
        {"namespace": "stranger", "name": "deep/app", "visibility": "private", "description": ""},
    )
    assert made["Location"] == "/stranger/deep/app"
    text = client.get("/stranger/deep/app").text
    assert "docker push localhost:5000/stranger/deep/app" in text
    assert "docker push" not in browser("").get("/stranger/deep/app").text
    assert 'value="second"' in client.get("/new?name=second").text


@pytest.mark.parametrize(
    ("page", "values", "kept"),
    [
        (
            "/new",
            {
                "namespace": "owner",
                "name": "Bad Name",
                "visibility": "private",
                "description": "kept words",
            },
            "kept words",
        ),
        (
            "/new",
            {
                "namespace": "owner",
                "name": "open",
                "visibility": "public",
                "description": "kept words",
            },
            "owner/open already exists",
        ),
        (
            "/new",
            {
                "namespace": "manager",
                "name": "fine",
                "visibility": "public",
                "description": "kept words",
            },
            "kept words",
        ),
        ("/owner/open/-/comments", {"body": "  "}, "A comment needs some text."),
        ("/owner/open/-/comments", {"body": "x" * 10_001}, "x" * 100),
        ("/owner/open/-/settings", {"description": "y" * 301}, "y" * 301),
        ("/owner/open/-/settings/visibility", {"visibility": "secret"}, "Visibility"),
        ("/owner/open/-/readme", {"readme": "z" * 102_401}, "z" * 100),
        ("/owner/open/-/people/add", {"username": "nobody-here", "role": "read"}, "nobody-here"),
        (
            "/owner/open/-/people/add",
            {"username": "owner", "role": "read"},
            "already has every right",
        ),
        ("/owner/open/-/people/add", {"username": "stranger", "role": "king"}, "stranger"),
    ],
)
def test_a_wrong_form_comes_back_with_its_words(
    browser: Browser, public: Repository, page: str, values: dict[str, str], kept: str
) -> None:
    answer = browser("owner").post(page, values)
    assert answer.status_code == 422
    assert kept in answer.text
    assert 'data-state="error"' in answer.text
    assert Collaborator.objects.filter(repository=public).count() == 3


def test_a_post_without_its_token_is_refused(browser: Browser, public: Repository) -> None:
    client = browser("owner")
    client.handler.enforce_csrf_checks = True
    answer = client.post(f"/{public.path}/-/settings/delete", {"confirm": public.path})
    assert answer.status_code == 403
    public.refresh_from_db()
    assert public.is_active
