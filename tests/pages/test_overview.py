"""A repository's page and first steps: what each reader finds there, and what nobody else does."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from accounts.services.credentials import principal_of
from repos.models import PullCount, Repository
from repos.services.renaming import rename_repository
from repos.services.repositories import create_repository, update_repository
from tests.images import image, multi
from tests.pages.conftest import actor, namespace_of, push

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]
BADGES = ("version", "size", "pulls")
LABELS = {
    "org.opencontainers.image.title": "Ship <b>",
    "org.opencontainers.image.description": "Carries **boxes**. <script>alert(1)</script>",
    "org.opencontainers.image.source": "https://git.example.org/ship?x=1",
    "org.opencontainers.image.licenses": "MIT",
    "org.opencontainers.image.vendor": "Acme",
}


def text_of(client: Client, path: str) -> str:
    answer = client.get(f"/{path}")
    assert answer.status_code == 200
    return answer.text


def plain(html: str) -> str:
    """The words of a page, without tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_newest_tags_stand_with_their_aliases(browser: Browser, public: Repository) -> None:
    push(public, image("new"), "1.10", "1.10.0", "latest")
    push(public, image("rc"), "1.11-rc.1")
    words = plain(text_of(browser(""), public.path))
    assert "All 5 tags" in words
    table = words[words.index("Newest tags") :]
    assert "latest = 1.10 = 1.10.0" in table
    assert table.index("1.11-rc.1") < table.index("latest =") < table.index(" 1.0 ")


def test_commands_are_there_for_every_client_and_by_digest(
    browser: Browser, public: Repository
) -> None:
    digest = push(public, image("new"), "2.0")
    text = text_of(browser(""), public.path)
    name = f"localhost:5000/{public.path}"
    for line in (
        f"docker pull {name}:2.0",
        f"docker pull {name}@{digest}",
        f"ctr images pull --plain-http {name}:2.0",
        f"image: {name}@{digest}",
        f"skopeo copy --src-tls-verify=false docker://{name}:2.0",
    ):
        assert f'data-copy="{line}' in text, line
        assert f">{line}" in text, line


def test_pulls_have_a_chart_and_a_table(browser: Browser, public: Repository) -> None:
    assert 'class="chart"' not in text_of(browser(""), public.path)
    today = timezone.now().date()
    PullCount.objects.create(repository=public, day=today - timedelta(days=3), pulls=7)
    text = text_of(browser(""), public.path)
    assert 'aria-label="7 pulls in 90 days; most on' in text
    table = text[text.index("Pulls by day") :]
    assert f"<td>{today - timedelta(days=3):%Y-%m-%d}</td><td>7</td>" in table
    assert f"<td>{today - timedelta(days=2):%Y-%m-%d}</td><td>0</td>" in table
    assert table.count("<tr>") == 91


def test_without_a_readme_the_image_speaks_and_it_is_said(
    browser: Browser, public: Repository, people: dict[str, User]
) -> None:
    push(public, image("ship", labels=LABELS), "2.0")
    text = text_of(browser(""), public.path)
    assert "Ship &lt;b&gt;" in text
    assert "Carries <strong>boxes</strong>." in text
    assert "<script>alert" not in text
    assert "There is no README. This is what the image 2.0 says of itself" in plain(text)
    assert '<a href="https://git.example.org/ship?x=1" rel="nofollow' in text
    assert ">git.example.org/ship</a>" in text
    assert "Licence MIT" in plain(text)
    assert "Write a README" in text_of(browser("owner"), public.path)
    update_repository(public, actor=actor(people["owner"]), readme="# Mine")
    text = text_of(browser(""), public.path)
    assert "says of itself" not in text
    assert "Carries" not in text
    assert "Licence MIT" in plain(text)


def test_shared_bytes_tell_nothing_of_hidden_repositories(
    browser: Browser, public: Repository, people: dict[str, User]
) -> None:
    before = plain(text_of(browser("stranger"), public.path))
    hidden = create_repository(
        namespace_of("manager"), "hidden", actor=actor(people["manager"]), visibility="private"
    )
    push(hidden, image("public"), "1")
    assert plain(text_of(browser("stranger"), public.path)) == before
    assert "of it also in other repositories you see" in plain(
        text_of(browser("manager"), public.path)
    )


@pytest.mark.parametrize(("who", "may"), [("", False), ("reader", False), ("writer", True)])
def test_who_may_push_is_told_how_with_their_own_name(
    browser: Browser, public: Repository, who: str, may: bool
) -> None:
    text = text_of(browser(who), public.path)
    for line in (
        "docker login localhost:5000 -u writer",
        f"docker push localhost:5000/{public.path}",
        "username: writer",
        f"IMAGE: localhost:5000/{public.path}",
        "Jenkinsfile",
    ):
        assert (line in text) == may, line


@pytest.mark.parametrize("page", ["owner/empty", "", "new", "help", "stranger"])
def test_empty_places_show_the_commands_with_the_readers_names(
    browser: Browser, people: dict[str, User], page: str
) -> None:
    who = "owner" if page == "owner/empty" else "stranger"
    create_repository(namespace_of("owner"), "empty", actor=actor(people["owner"]))
    text = text_of(browser(who), page)
    image_name = "owner/empty" if page == "owner/empty" else "stranger/app"
    assert f"docker login localhost:5000 -u {who}" in text
    assert f"docker push localhost:5000/{image_name}" in text
    assert f"podman push --tls-verify=false localhost:5000/{image_name}" in text
    assert f"docker://localhost:5000/{image_name}:latest" in text
    assert "${{ secrets.HUB_TOKEN }}" in text


def test_the_first_page_shows_a_visitor_how_to_begin(browser: Browser, db: None) -> None:
    text = text_of(browser(""), "")
    assert "docker push localhost:5000/you/app" in text
    assert "access token" not in text  # which they cannot make yet


def test_an_empty_home_is_left_alone_until_something_is_there(
    browser: Browser, people: dict[str, User], htmx: dict[str, str]
) -> None:
    client = browser("stranger")
    assert 'hx-get="/?poll=1"' in text_of(client, "")
    answer = client.get("/?poll=1", headers=htmx)
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get("/?poll=1").status_code == 200
    made = create_repository(namespace_of("stranger"), "app", actor=actor(people["stranger"]))
    push(made, image("first"), "latest")
    answer = client.get("/?poll=1", headers=htmx)
    assert answer.status_code == 200
    assert "stranger/app" in answer.text
    assert "every 5s" not in answer.text


def test_the_page_costs_few_queries(
    browser: Browser, public: Repository, people: dict[str, User]
) -> None:
    client = browser("owner")

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(client, public.path)
        return len(queries)

    push(public, multi("base", ("amd64", "arm64")), "latest")
    few = count()
    for number in range(12):
        push(public, multi(f"x{number}", ("amd64", "arm64")), f"1.{number}", f"1.{number}.0")
    assert count() == few


# Badges


def badge(client: Client, path: str, kind: str, **headers: str) -> tuple[int, str, str]:
    answer = client.get(f"/{path}/-/badge/{kind}.svg", headers=headers)
    return answer.status_code, answer.content.decode(), answer.headers.get("Cache-Control", "")


def test_badges_say_version_size_and_pulls(browser: Browser, public: Repository) -> None:
    push(public, image("new"), "1.10", "latest")
    push(public, image("rc"), "1.11-rc.1")
    Repository.objects.filter(pk=public.pk).update(pull_count=12_345)
    titles = []
    for kind in BADGES:
        status, svg, cached = badge(browser(""), public.path, kind)
        assert (status, cached) == (200, "public, max-age=300")
        titles += re.findall("<title>([^<]+)</title>", svg)
    assert titles[0] == "version: 1.10"
    assert re.fullmatch(r"size: \d\.\d kB", titles[1])
    assert titles[2] == "pulls: 12.3k"
    answer = browser("").get(f"/{public.path}/-/badge/version.svg")
    assert answer["Content-Type"] == "image/svg+xml; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_badge_that_did_not_change_is_not_sent_again(
    browser: Browser, public: Repository
) -> None:
    client, address = browser(""), f"/{public.path}/-/badge/pulls.svg"
    etag = client.get(address)["ETag"]
    again = client.get(address, headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert again["Cache-Control"] == "public, max-age=300"
    Repository.objects.filter(pk=public.pk).update(pull_count=5)
    assert client.get(address, headers={"If-None-Match": etag}).status_code == 200


def test_badges_of_hidden_and_absent_repositories_are_the_same(
    browser: Browser, private: Repository
) -> None:
    for who in ("", "stranger"):
        for kind in BADGES:
            client = browser(who)
            hidden = badge(client, private.path, kind)
            assert hidden == badge(client, "owner/no-such", kind) == badge(client, "no/one", kind)
            assert hidden[0] == 404
            assert f"<title>{kind}: unknown</title>" in hidden[1]
            assert hidden[2] == "private, no-store"


def test_a_private_badge_is_for_those_with_a_role_and_kept_by_nobody(
    browser: Browser, private: Repository
) -> None:
    status, svg, cached = badge(browser("reader"), private.path, "version")
    assert (status, cached) == (200, "private, no-store")
    assert "<title>version: 1.0</title>" in svg
    assert "ETag" not in browser("reader").get(f"/{private.path}/-/badge/version.svg").headers


def test_a_badge_follows_a_renamed_repository(
    browser: Browser, public: Repository, people: dict[str, User]
) -> None:
    old = public.path
    rename_repository(public, "renamed", principal=principal_of(people["owner"]))
    answer = browser("").get(f"/{old}/-/badge/version.svg")
    assert (answer.status_code, answer["Location"]) == (302, "/owner/renamed/-/badge/version.svg")


def test_there_are_no_other_badges(browser: Browser, public: Repository) -> None:
    assert browser("").get(f"/{public.path}/-/badge/secrets.svg").status_code == 404
    assert browser("").post(f"/{public.path}/-/badge/size.svg").status_code == 405


def test_an_empty_repository_has_no_version(browser: Browser, people: dict[str, User]) -> None:
    made = create_repository(
        namespace_of("owner"), "none", actor=actor(people["owner"]), visibility="public"
    )
    assert "version: none" in badge(browser(""), made.path, "version")[1]
    assert "size: 0 B" in badge(browser(""), made.path, "size")[1]


def test_the_page_offers_its_badges_as_markdown(
    browser: Browser, public: Repository, private: Repository
) -> None:
    text = text_of(browser(""), public.path)
    page = f"http://localhost:5000/{public.path}"
    line = f"[![{public.path}: pulls]({page}/-/badge/pulls.svg)]({page})"
    assert f'data-copy="{line}"' in text
    assert f'<img src="/{public.path}/-/badge/size.svg" alt="size" height="20" loading="lazy">' in (
        text
    )
    assert "grey badge" not in text
    assert "grey badge" in text_of(browser("reader"), private.path)
