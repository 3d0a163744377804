"""Tags and images: lists, references as addresses, deletion, and text that must stay text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.services.credentials import principal_of
from registry.models import Tag
from registry.views.layers import instruction_of, steps_of
from repos.models import Repository
from repos.services.comments import add_comment
from repos.services.repositories import create_repository, update_repository
from tests.images import artifact, image, multi
from tests.pages.conftest import actor, namespace_of, push

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]
SCRIPT = "<script>alert(1)</script>"


def test_an_image_reference_is_an_address(
    browser: Browser, public: Repository, private: Repository
) -> None:
    digest = Tag.objects.get(repository=public).manifest.digest
    client = browser("reader")
    for path in (public.path, private.path):
        assert client.get(f"/{path}:1.0")["Location"] == f"/{path}/-/tags/1.0"
    by_digest = f"/{public.path}/-/manifests/{digest}"
    assert client.get(f"/{public.path}@{digest}")["Location"] == by_digest
    assert client.get(f"/{public.path}:1.0@{digest}")["Location"] == by_digest
    assert (
        client.get(f"/search?q=localhost:5000/{public.path}:1.0", follow=True).redirect_chain[-1][0]
        == f"/{public.path}/-/tags/1.0"
    )
    assert (
        client.get(
            f"/search?q=docker+pull+localhost:5000/{public.path}@{digest}", follow=True
        ).status_code
        == 200
    )
    assert browser("stranger").get(f"/search?q={private.path}:1.0").status_code == 200
    assert client.get(f"/{public.path}:2.0", follow=True).status_code == 404
    assert client.get(f"/{public.path}@sha256:12", follow=True).status_code == 404
    assert client.get(f"/{public.path}/")["Location"] == f"/{public.path}"
    assert client.get("/owner/")["Location"] == "/owner"


def test_a_tag_page_shows_each_platform(
    browser: Browser, public: Repository, htmx: dict[str, str]
) -> None:
    digest = push(public, multi("many", ("amd64", "arm64")), "2.0", "2")
    client = browser("")
    text = client.get(f"/{public.path}/-/tags/2.0").text
    assert "linux/arm64" in text
    assert "COPY part0 /" in text
    assert "8080/tcp" in text
    assert "docker run --rm -p 8080:8080" in text
    assert f"docker pull localhost:5000/{public.path}@{digest}" in text
    assert ">2</a>" in text
    arm = client.get(f"/{public.path}/-/tags/2.0?platform=linux/arm64")
    part = client.get(f"/{public.path}/-/tags/2.0?platform=linux/arm64", headers=htmx)
    assert part.text.strip().startswith('<div class="stack" id="image">')
    assert "<html" in arm.text
    assert "<dd>linux/arm64</dd>" in arm.text
    assert client.get(f"/{public.path}/-/tags/2.0?platform=nonsense").status_code == 200
    page = client.get(f"/{public.path}/-/manifests/{digest}")
    assert page.status_code == 200
    assert "&quot;schemaVersion&quot;: 2" in page.text


def test_content_that_is_no_image_has_a_page(browser: Browser, public: Repository) -> None:
    subject = image("public")
    digest = push(public, artifact(subject, text="signature"))
    assert browser("").get(f"/{public.path}/-/manifests/{digest}").status_code == 200
    assert "application/x.test" in browser("").get(f"/{public.path}/-/tags/1.0").text


def test_history_of_a_tag(browser: Browser, public: Repository) -> None:
    old = Tag.objects.get(repository=public).manifest.digest
    new = push(public, image("newer"), "1.0")
    text = browser("").get(f"/{public.path}/-/tags/1.0").text
    history = text[text.index("History of this tag") :]
    assert history.index(new) < history.rindex(old)


def test_deleting_a_tag_keeps_the_others(browser: Browser, public: Repository) -> None:
    push(public, image("public"), "latest", "1")
    assert "/-/tags/1.0/delete" in browser("writer").get(f"/{public.path}/-/tags").text
    assert "/-/tags/1.0/delete" not in browser("reader").get(f"/{public.path}/-/tags").text
    answer = browser("writer").post(f"/{public.path}/-/tags/1.0/delete")
    assert answer["Location"] == f"/{public.path}/-/tags"
    assert set(Tag.objects.values_list("name", flat=True)) == {"latest", "1"}
    assert browser("writer").post(f"/{public.path}/-/tags/1.0/delete").status_code == 404
    assert browser("").get(f"/{public.path}/-/tags/latest").status_code == 200


def test_an_immutable_tag_says_so(browser: Browser, public: Repository) -> None:
    Repository.objects.filter(pk=public.pk).update(immutable_tags=["1.*"])
    assert "/-/tags/1.0/delete" not in browser("owner").get(f"/{public.path}/-/tags").text
    answer = browser("owner").post(f"/{public.path}/-/tags/1.0/delete")
    assert answer.status_code == 409
    assert "immutable" in answer.text
    assert Tag.objects.filter(name="1.0").exists()


def test_tags_are_filtered_and_sorted(
    browser: Browser, public: Repository, htmx: dict[str, str]
) -> None:
    for number in (2, 10, 9):
        push(public, image(f"n{number}", size=1000 * number), f"1.{number}")
    client = browser("")

    def names(query: str) -> list[str]:
        rows = client.get(f"/{public.path}/-/tags?{query}").context["rows"]
        return [row.tag.name for row in rows]

    assert names("") == ["1.9", "1.10", "1.2", "1.0"]
    assert names("sort=version") == ["1.10", "1.9", "1.2", "1.0"]
    assert names("sort=size") == ["1.10", "1.9", "1.2", "1.0"]
    assert names("q=10") == ["1.10"]
    assert names("sort=nonsense&page=999&q=1.") == ["1.9", "1.10", "1.2", "1.0"]
    assert "No tag matches" in client.get(f"/{public.path}/-/tags?q=zz").text
    part = client.get(f"/{public.path}/-/tags?q=10", headers=htmx)
    assert part.text.strip().startswith('<div class="stack" id="tags">')
    assert client.get(f"/{public.path}/-/tags?q=%00").status_code == 200


def test_long_lists_have_pages(browser: Browser, public: Repository) -> None:
    manifest = Tag.objects.get(repository=public).manifest
    now = Tag.objects.get(repository=public).moved_at
    Tag.objects.bulk_create(
        Tag(repository=public, name=f"t{n}", manifest=manifest, moved_at=now) for n in range(60)
    )
    first = browser("").get(f"/{public.path}/-/tags?sort=version").text
    assert "Page 1 of 3" in first
    assert "sort=version&amp;page=2" in first
    assert "Page 3 of 3" in browser("").get(f"/{public.path}/-/tags?sort=version&page=3").text


@pytest.mark.parametrize(
    "page", ["", "/-/tags", "/-/tags?sort=version", "/-/tags/1.0", "/-/comments", "/-/people"]
)
def test_queries_do_not_grow(
    browser: Browser, public: Repository, people: dict[str, User], page: str
) -> None:
    client = browser("owner")

    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(f"/{public.path}{page}").status_code == 200
        return len(queries)

    push(public, multi("base", ("amd64", "arm64")), "m")
    add_comment(public, principal=principal_of(people["reader"]), body="one")
    few = count()
    for number in range(12):
        push(public, multi(f"x{number}", ("amd64", "arm64")), f"m{number}", f"same{number}")
        add_comment(public, principal=principal_of(people["writer"]), body=f"text {number}")
    assert count() == few
    assert few <= 15


@pytest.mark.parametrize(
    "page", ["/", "/explore", "/explore?show=mine", "/search?q=image", "/owner"]
)
def test_queries_of_lists_do_not_grow(
    browser: Browser, public: Repository, people: dict[str, User], page: str
) -> None:
    client = browser("owner")

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(page).status_code == 200
        return len(queries)

    count()  # what is looked up once in each process
    few = count()
    for number in range(8):
        more = create_repository(
            namespace_of("owner"), f"image{number}", actor=actor(people["owner"])
        )
        push(more, multi(f"y{number}", ("amd64", "arm64")), "latest", "1")
    assert count() == few
    assert few <= 12


def test_text_of_others_stays_text(
    browser: Browser, public: Repository, people: dict[str, User]
) -> None:
    update_repository(
        public,
        actor=actor(people["owner"]),
        readme=f"{SCRIPT}\n\n[x](javascript:alert(1))",
        description=SCRIPT,
    )
    add_comment(
        public,
        principal=principal_of(people["stranger"]),
        body=f"{SCRIPT} <img src=x onerror=alert(1)>",
    )
    push(
        public,
        image(
            "evil",
            labels={SCRIPT: SCRIPT, "org.opencontainers.image.source": "javascript:alert(1)"},
        ),
        "evil",
    )
    for page in ("", "/-/comments", "/-/tags", "/-/tags/evil", "/-/settings"):
        text = browser("owner").get(f"/{public.path}{page}").text
        assert "alert(1)" in text or page == "/-/tags"
        assert SCRIPT not in text
        assert text.count("<img") == text.count(f'<img src="/{public.path}/-/badge/')
        assert 'href="javascript' not in text
    assert SCRIPT not in browser("owner").get("/explore").text
    assert SCRIPT not in browser("owner").get(f"/search?q={SCRIPT}").text
    overview = browser("").get(f"/{public.path}").text
    assert '<div class="panel-body prose" hx-ignore>' in overview


def test_pages_bring_no_inline_code(browser: Browser, public: Repository) -> None:
    for page in (
        "/",
        "/explore",
        f"/{public.path}",
        f"/{public.path}/-/tags",
        f"/{public.path}/-/tags/1.0",
        f"/{public.path}/-/people",
        f"/{public.path}/-/settings",
        "/new",
        "/help",
    ):
        text = browser("owner").get(page).text
        assert " style=" not in text
        assert "<style" not in text
        assert "<script>" not in text
        assert text.count("<h1") == 1, page


def test_activity_tells_only_of_what_one_sees(
    browser: Browser, public: Repository, private: Repository
) -> None:
    text = browser("stranger").get("/").text
    assert f"/{public.path}/-/tags/1.0" in text
    assert private.path not in text
    assert f"/{private.path}/-/tags/1.0" in browser("reader").get("/").text


def test_an_empty_home_polls_and_shows_commands(
    browser: Browser, people: dict[str, User], htmx: dict[str, str]
) -> None:
    client = browser("stranger")
    text = client.get("/").text
    assert "docker push localhost:5000/stranger/app" in text
    assert 'hx-trigger="every 5s"' in text
    made = create_repository(namespace_of("stranger"), "app", actor=actor(people["stranger"]))
    push(made, image("first"), "latest")
    part = client.get("/", headers=htmx).text
    assert "stranger/app" in part
    assert "every 5s" not in part


def test_steps_take_the_layers_in_order() -> None:
    history: list[dict[str, Any]] = [
        {"created_by": "ADD rootfs", "empty": False},
        {"created_by": "ENV A=1", "empty": True},
        {"created_by": "RUN make", "empty": False},
    ]
    layers: list[Any] = ["one", "two", "three"]
    assert [(s.instruction, s.layer) for s in steps_of(history, layers)] == [
        ("ADD rootfs", "one"),
        ("ENV A=1", None),
        ("RUN make", "two"),
        ("", "three"),
    ]
    assert [s.layer for s in steps_of(history, layers[:1])] == ["one", None, None]
    assert [s.layer for s in steps_of([], layers)] == layers


@pytest.mark.parametrize(
    ("created_by", "instruction"),
    [
        ('/bin/sh -c #(nop)  CMD ["bash"]', 'CMD ["bash"]'),
        ("/bin/sh -c apt-get update", "RUN apt-get update"),
        ("RUN /bin/sh -c make # buildkit", "RUN make"),
        ("RUN |1 VERSION=3 /bin/sh -c make # buildkit", "RUN make"),
        ("COPY . . # buildkit", "COPY . ."),
        ("", ""),
    ],
)
def test_instructions_read_like_a_dockerfile(created_by: str, instruction: str) -> None:
    assert instruction_of(created_by) == instruction
