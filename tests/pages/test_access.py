"""Who gets which page: 200 for who may, 404 for whom it does not exist, 403 or sign-in else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from accounts.services.credentials import principal_of
from registry.models import Manifest
from repos.models import Comment, Repository, Star
from repos.services.comments import add_comment
from tests.pages.conftest import ROLES

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]
EVERYBODY = ("", *ROLES)
SEE = ("", "/-/tags", "/-/tags/1.0", "/-/comments")
# page: the least role it needs
NEEDS = {
    "/-/people": "manager",
    "/-/tags/1.0/delete": "writer",
    "/-/readme": "manager",
    "/-/settings": "manager",
}
POSTS = {
    "/-/star": "stranger",
    "/-/comments": "stranger",
    "/-/readme": "manager",
    "/-/readme/preview": "manager",
    "/-/tags/1.0/delete": "writer",
    "/-/people/add": "manager",
    "/-/people/change": "manager",
    "/-/people/remove": "manager",
    "/-/settings": "manager",
    "/-/settings/visibility": "manager",
    "/-/settings/delete": "manager",
}
LADDER = ("", "stranger", "reader", "writer", "manager", "owner")


def _reaches(person: str, needed: str) -> bool:
    return LADDER.index(person) >= LADDER.index(needed)


@pytest.mark.parametrize("person", EVERYBODY)
def test_pages_of_a_public_repository(browser: Browser, public: Repository, person: str) -> None:
    client = browser(person)
    for page in SEE:
        assert client.get(f"/{public.path}{page}").status_code == 200, page
    for page, needed in NEEDS.items():
        answer = client.get(f"/{public.path}{page}")
        if _reaches(person, needed):
            assert answer.status_code == 200, page
        elif person:
            assert answer.status_code == 403, page
            assert "Nothing was changed." in answer.text
        else:
            assert answer.status_code == 302, page
            assert (
                answer["Location"]
                == f"/accounts/login/?next=%2Fowner%2Fopen{page.replace('/', '%2F')}"
            )


@pytest.mark.parametrize("person", EVERYBODY)
def test_pages_of_a_private_repository(browser: Browser, private: Repository, person: str) -> None:
    client = browser(person)
    for page, needed in {**dict.fromkeys(SEE, "reader"), **NEEDS}.items():
        answer = client.get(f"/{private.path}{page}")
        if not _reaches(person, "reader"):
            expected = 404
        else:
            expected = 200 if _reaches(person, needed) else 403
        assert answer.status_code == expected, page


@pytest.mark.parametrize("person", ["", "stranger"])
def test_private_is_the_same_as_absent(browser: Browser, private: Repository, person: str) -> None:
    client = browser(person)
    digest = Manifest.objects.get(repository=private).digest
    pages = [
        *SEE,
        *NEEDS,
        *POSTS,
        f"/-/manifests/{digest}",
        ":1.0",
        f"@{digest}",
        "/-/comments/1/edit",
    ]
    for page in pages:
        for send in (client.get, client.post, client.head, client.put, client.delete):
            there = send(f"/{private.path}{page}")
            absent = send(f"/owner/absent/xx{page}")
            assert there.status_code == absent.status_code, (page, send)
            assert there.status_code in (404, 405), (page, send)
            assert there.text.replace(private.path, "X") == absent.text.replace(
                "owner/absent/xx", "X"
            )


@pytest.mark.parametrize("person", [p for p in LADDER if p != "owner"])
def test_posts_that_need_more_change_nothing(
    browser: Browser, public: Repository, person: str
) -> None:
    client = browser(person)
    for page, needed in POSTS.items():
        if _reaches(person, needed):
            continue
        values = {
            "confirm": public.path,
            "starred": "1",
            "body": "hello",
            "username": "stranger",
            "role": "admin",
            "readme": "x",
            "visibility": "private",
            "who": "user:reader",
        }
        answer = client.post(
            f"/{public.path}{page}", values, headers={"referer": f"http://localhost/{public.path}"}
        )
        assert answer.status_code == (403 if person else 302), page
        if not person:
            assert answer["Location"] == "/accounts/login/?next=%2Fowner%2Fopen"
    public.refresh_from_db()
    assert public.is_active
    assert public.is_public
    assert public.tags.count() == 1
    assert public.collaborators.count() == 3
    assert not public.readme
    assert not Star.objects.exists()
    assert not Comment.objects.exists()


def test_sign_in_never_leads_away(browser: Browser, public: Repository) -> None:
    for referer in ("http://evil.example/owner/open", "//evil.example", "http://[", ""):
        answer = browser("").post(f"/{public.path}/-/star", headers={"referer": referer})
        assert answer["Location"] == "/accounts/login/?next=%2F"


def test_a_fragment_without_a_session_sends_the_page_to_sign_in(
    browser: Browser, public: Repository, htmx: dict[str, str]
) -> None:
    here = {"HX-Current-URL": "http://localhost/owner/open/-/tags?q=1"}
    answer = browser("").post(f"/{public.path}/-/star", headers={**htmx, **here})
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == "/accounts/login/?next=%2Fowner%2Fopen%2F-%2Ftags%3Fq%3D1"


@pytest.mark.parametrize("person", EVERYBODY)
def test_lists_show_what_the_reader_may_see(
    browser: Browser, public: Repository, private: Repository, person: str
) -> None:
    client = browser(person)
    for page in ("/", "/explore", "/search?q=owner", "/search?q=secret", "/owner"):
        answer = client.get(page)
        assert answer.status_code == 200
        assert (private.path in answer.text) is _reaches(person, "reader"), page
    count = 2 if _reaches(person, "reader") else 1
    assert f'<span class="count">{count}</span>' in client.get("/owner").text


def test_other_pages(browser: Browser, people: object) -> None:
    assert browser("").get("/help").status_code == 200
    assert browser("").get("/new")["Location"] == "/accounts/login/?next=%2Fnew"
    assert browser("stranger").get("/new").status_code == 200
    assert browser("stranger").get("/stars")["Location"] == "/explore?show=starred"
    for unknown in ("/nobody", "/nobody/nothing", "/Owner", "/a/../b", "/owner/open/-/nothing"):
        answer = browser("").get(unknown)
        assert answer.status_code == 404
        assert 'action="/search"' in answer.text


def test_reading_changes_nothing(browser: Browser, public: Repository) -> None:
    before = Repository.objects.values().get(pk=public.pk)
    for page in (*SEE, *NEEDS):
        browser("owner").get(f"/{public.path}{page}")
    assert Repository.objects.values().get(pk=public.pk) == before


def test_only_the_author_edits_and_an_administrator_may_delete(
    browser: Browser, public: Repository, people: dict[str, User]
) -> None:
    comment = add_comment(public, principal=principal_of(people["reader"]), body="mine")
    base = f"/{public.path}/-/comments/{comment.pk}"
    for person in ("stranger", "writer", "manager", "owner"):
        assert browser(person).get(f"{base}/edit").status_code == 403
        assert browser(person).post(f"{base}/edit", {"body": "theirs"}).status_code == 403
    assert browser("").get(f"{base}/edit").status_code == 302
    assert browser("writer").post(f"{base}/delete").status_code == 403
    comment.refresh_from_db()
    assert comment.body == "mine"
    assert browser("manager").post(f"{base}/delete").status_code == 302
    comment.refresh_from_db()
    assert comment.deleted_at is not None


def test_an_address_with_a_nul_is_refused(client: Client) -> None:
    for path in ("/a%00b", "/owner/open%00", "/owner/open/-/tags/%00"):
        assert client.get(path).status_code == 400, path
