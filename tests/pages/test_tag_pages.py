"""Pages of tags and images: history and the way back, another tag, comparing, what is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from events.models import Event
from registry.documents import forget_documents
from registry.models import Manifest, Tag, TagMove
from repos.models import Repository
from tests.attested import (
    SLSA_ONE,
    SPDX_PREDICATE,
    attested,
    cosign_signature,
    referrer,
    slsa,
    spdx,
)
from tests.images import image, multi
from tests.pages.conftest import push

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]
SPDX = "application/spdx+json"
SCRIPT = "<script>alert(1)</script>"
PACKAGES = tuple((f"package{n:03}", f"1.{n}", "MIT" if n % 2 else "Zlib") for n in range(230))


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    forget_documents()


def digest_of(repository: Repository, name: str) -> str:
    return Tag.objects.get(repository=repository, name=name).manifest.digest


@pytest.fixture
def bill(public: Repository) -> str:
    """`open:built` with a bill of materials and provenance; the address of the former."""
    built = attested(None, (SPDX_PREDICATE, spdx(*PACKAGES, name=SCRIPT)), (SLSA_ONE, slsa()))
    push(public, built, "built")
    carrier = Manifest.objects.get(digest=built.children[1].digest)
    layer = carrier.blobs.get(role="layer", position=0)
    return f"/{public.path}/-/manifests/{carrier.digest}/documents/{layer.digest}"


# --- the list


def test_grouped_a_row_names_every_tag_of_its_image(browser: Browser, public: Repository) -> None:
    push(public, image("public"), "latest", "1")
    push(public, image("other"), "2.0")
    single = browser("").get(f"/{public.path}/-/tags").context["rows"]
    assert [row.tag.name for row in single] == ["2.0", "1", "latest", "1.0"]
    answer = browser("").get(f"/{public.path}/-/tags?group=digest&sort=version")
    rows = answer.context["rows"]
    assert [(row.tag.name, row.aliases.shown) for row in rows] == [
        ("2.0", []),
        ("1.0", ["1", "latest"]),
    ]
    assert "checked> Group by digest" in answer.text
    assert "group=digest" not in browser("").get(f"/{public.path}/-/tags").text


def test_the_list_says_what_is_signed_and_what_is_immutable(
    browser: Browser, public: Repository
) -> None:
    Repository.objects.filter(pk=public.pk).update(immutable_tags=["v*"])
    push(public, image("v"), "v1")
    tag, signature = cosign_signature(image("v"))
    push(public, signature, tag)
    rows = {r.tag.name: r for r in browser("").get(f"/{public.path}/-/tags").context["rows"]}
    assert (rows["v1"].is_signed, rows["v1"].is_immutable) == (True, True)
    assert (rows["1.0"].is_signed, rows["1.0"].is_immutable) == (False, False)


# --- history, and back


def test_a_writer_goes_back_and_everybody_is_told(browser: Browser, public: Repository) -> None:
    old = digest_of(public, "1.0")
    new = push(public, image("newer"), "1.0")
    page = f"/{public.path}/-/tags/1.0/history"
    text = browser("writer").get(page).text
    assert text.index(new) < text.rindex(old)
    assert "Point back to this" in text
    assert "Point back to this" not in browser("reader").get(page).text
    Event.objects.all().delete()
    answer = browser("writer").post(f"/{public.path}/-/tags/1.0/rollback", {"digest": old})
    assert answer["Location"] == page
    assert digest_of(public, "1.0") == old
    event = Event.objects.get(kind="tag.moved")
    assert (event.actor_name, event.payload["previous_digest"]) == ("writer", new)
    assert TagMove.objects.latest("pk").kind == "restore"
    shown = browser("reader").get(f"/{public.path}/-/tags/1.0").text
    assert "rolled back by writer" in shown


@pytest.mark.parametrize(("who", "status"), [("", 302), ("stranger", 403), ("reader", 403)])
def test_only_writers_go_back(browser: Browser, public: Repository, who: str, status: int) -> None:
    old = digest_of(public, "1.0")
    new = push(public, image("newer"), "1.0")
    for address, data in (
        (f"/{public.path}/-/tags/1.0/rollback", {"digest": old}),
        (f"/{public.path}/-/manifests/{old}/tag", {"name": "x"}),
    ):
        assert browser(who).post(address, data).status_code == status
    assert digest_of(public, "1.0") == new
    assert not Tag.objects.filter(name="x").exists()


@pytest.mark.parametrize("digest", ["", "x", "sha256:12", f"sha256:{'0' * 64}", "\0"])
def test_going_to_nowhere_is_not_found(browser: Browser, public: Repository, digest: str) -> None:
    address = f"/{public.path}/-/tags/1.0/rollback"
    assert browser("writer").post(address, {"digest": digest}).status_code == 404


def test_an_immutable_tag_offers_no_way_back(browser: Browser, public: Repository) -> None:
    old = digest_of(public, "1.0")
    push(public, image("newer"), "1.0")
    Repository.objects.filter(pk=public.pk).update(immutable_tags=["1.*"])
    page = f"/{public.path}/-/tags/1.0/history"
    assert "Point back to this" not in browser("writer").get(page).text
    answer = browser("writer").post(f"/{public.path}/-/tags/1.0/rollback", {"digest": old})
    assert answer.status_code == 409


def test_a_deleted_tag_has_a_history_and_comes_back(browser: Browser, public: Repository) -> None:
    old = digest_of(public, "1.0")
    browser("writer").post(f"/{public.path}/-/tags/1.0/delete")
    page = f"/{public.path}/-/tags/1.0/history"
    assert "This tag is deleted" in browser("").get(page).text
    assert browser("").get(f"/{public.path}/-/tags/never/history").status_code == 404
    browser("writer").post(f"/{public.path}/-/tags/1.0/rollback", {"digest": old})
    assert digest_of(public, "1.0") == old


def test_clients_are_for_those_who_push(browser: Browser, public: Repository) -> None:
    Event.objects.filter(kind="tag.moved").update(client="docker/27.3 secret-kernel")
    page = f"/{public.path}/-/tags/1.0/history"
    assert "docker/27.3" in browser("writer").get(page).text
    for who in ("", "stranger", "reader"):
        assert "docker/27.3" not in browser(who).get(page).text


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "²", "0"])
def test_any_place_in_history_can_be_asked_for(
    browser: Browser, public: Repository, before: str
) -> None:
    status = browser("").get(f"/{public.path}/-/tags/1.0/history?before={before}").status_code
    assert status == 200


# --- another tag


def test_another_tag_for_an_image(browser: Browser, public: Repository) -> None:
    digest = digest_of(public, "1.0")
    other = push(public, image("other"), "2.0")
    address = f"/{public.path}/-/manifests/{digest}/tag"
    client = browser("writer")
    assert "Its tags now" in client.get(address).text
    assert client.post(address, {"name": "stable"})["Location"] == f"/{public.path}/-/tags/stable"
    assert digest_of(public, "stable") == digest
    taken = client.post(address, {"name": "2.0"})
    assert taken.status_code == 422
    assert "Tick the box" in taken.text
    assert digest_of(public, "2.0") == other
    assert client.post(address, {"name": "2.0", "replace": "on"}).status_code == 302
    assert digest_of(public, "2.0") == digest
    for name in ("", "-x", "a b", "a" * 129):
        assert client.post(address, {"name": name}).status_code == 422
    Repository.objects.filter(pk=public.pk).update(immutable_tags=["2.*"])
    back = f"/{public.path}/-/manifests/{other}/tag"
    refused = client.post(back, {"name": "2.0", "replace": "on"})
    assert refused.status_code == 422
    assert "immutable" in refused.text
    assert client.get(f"/{public.path}/-/manifests/sha256:{'0' * 64}/tag").status_code == 404


# --- comparing


def test_two_tags_side_by_side(browser: Browser, public: Repository) -> None:
    push(public, image("public", labels={"v": "2"}), "1.1")
    push(public, image("other", layers=3, labels={"v": "2"}), "2.0")
    base = f"/{public.path}/-/compare"
    assert browser("").get(f"{base}?a=1.0&b=2.0")["Location"] == f"{base}/1.0...2.0"
    page = browser("").get(f"{base}/1.0...2.0")
    assert page.context["found"].counts == {"same": 0, "added": 3, "removed": 2}
    assert "3 layers new" in page.text
    near = browser("").get(f"{base}/1.0...1.1").context["found"]
    assert near.counts == {"same": 2, "added": 0, "removed": 0}
    assert [s.key for s in near.sections] == ["labels"]
    by_digest = f"{base}/{digest_of(public, '1.0')}...{digest_of(public, '1.1')}"
    assert browser("").get(by_digest).context["found"] == near
    assert "are the same" in browser("").get(f"{base}/1.0...1.0").text


def test_comparing_what_is_not_there(browser: Browser, public: Repository) -> None:
    base = f"/{public.path}/-/compare"
    answer = browser("").get(f"{base}?a=1.0&b=nope")
    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {"b"}
    assert browser("").get(f"{base}?a=%00&b=1.0").status_code == 422
    assert browser("").get(f"{base}/1.0...nope").status_code == 404
    assert browser("").get(f"{base}/1.0..1.0").status_code == 404
    assert browser("").get(base).status_code == 200


def test_images_are_compared_for_one_platform(browser: Browser, public: Repository) -> None:
    push(public, multi("one", ("amd64", "arm64")), "m1")
    push(public, multi("two", ("arm64", "s390x")), "m2")
    push(public, multi("three", ("ppc64le",)), "m3")
    base = f"/{public.path}/-/compare"
    assert browser("").get(f"{base}/m1...m2").context["platform"] == "linux/arm64"
    assert browser("").get(f"{base}/m1...1.0").context["platform"] == "linux/amd64"
    both = browser("").get(f"{base}/m1...m1?platform=linux/arm64")
    assert both.context["platform"] == "linux/arm64"
    nothing = browser("").get(f"{base}/m1...m3")
    assert nothing.context["found"] is None
    assert "no platform in common" in nothing.text
    assert "linux/ppc64le" in nothing.text


# --- what is said about an image


def test_a_tag_page_tells_of_materials_provenance_and_signatures(
    browser: Browser, public: Repository, bill: str
) -> None:
    built = Tag.objects.get(name="built").manifest
    push(public, cosign_signature(image("attested"))[1], f"sha256-{'0' * 64}.sig")
    tag, signature = cosign_signature(image("attested"))
    push(public, signature, tag)
    page = browser("").get(f"/{public.path}/-/tags/built")
    assert bill in page.text
    assert page.text.count("Signed with a key, not verified here") == 1
    assert "https://git.example.org/team/app.git" in page.text
    assert f"cosign verify --key cosign.pub localhost:5000/{public.path}@" in page.text
    assert "unknown/unknown" not in [c.platform for c in page.context["platforms"]]
    assert built.digest in page.text


def test_a_bill_of_materials_is_searched_and_cut_into_pages(
    browser: Browser, bill: str, htmx: dict[str, str]
) -> None:
    client = browser("")
    page = client.get(bill)
    assert "230 packages" in page.text
    assert "Page 1 of 3" in page.text
    assert SCRIPT not in page.text
    assert "&lt;script&gt;" in page.text
    assert len(client.get(f"{bill}?page=3").context["page"].object_list) == 30
    found = client.get(f"{bill}?q=package22+zlib").context["page"].object_list
    assert [p.name for p in found] == [f"package22{n}" for n in (0, 2, 4, 6, 8)]
    assert "No package matches" in client.get(f"{bill}?q=nothing").text
    part = client.get(f"{bill}?q=package001", headers=htmx)
    assert part.text.strip().startswith('<div class="stack" id="packages">')


def test_provenance_has_a_page_too(browser: Browser, public: Repository, bill: str) -> None:
    carrier = bill.split("/")[-3]
    layer = Manifest.objects.get(digest=carrier).blobs.get(role="layer", position=1).digest
    text = browser("").get(f"/{public.path}/-/manifests/{carrier}/documents/{layer}").text
    assert "pkg:docker/alpine@3.20" in text
    assert "not verified here" in text
    assert "SLSA v1" in text
    own = browser("").get(f"/{public.path}/-/manifests/{carrier}").text
    assert f"/documents/{layer}" in own


def test_a_referrer_that_cannot_be_read_says_why(browser: Browser, public: Repository) -> None:
    carrier = push(public, referrer(image("public"), SPDX, b"{broken"))
    layer = Manifest.objects.get(digest=carrier).blobs.get(role="layer").digest
    page = f"/{public.path}/-/manifests/{carrier}/documents/{layer}"
    assert page in browser("").get(f"/{public.path}/-/tags/1.0").text
    text = browser("").get(page).text
    assert "cannot be shown" in text
    assert f"crane blob localhost:5000/{public.path}@{layer}" in text


def test_documents_of_what_one_may_not_see_are_not_there(
    browser: Browser, private: Repository
) -> None:
    carrier = push(private, referrer(image("private"), SPDX, b"{}"))
    layer = Manifest.objects.get(digest=carrier).blobs.get(role="layer").digest
    for tail in (
        f"manifests/{carrier}/documents/{layer}",
        "tags/1.0/history",
        "compare/1.0...1.0",
        "compare",
    ):
        assert browser("reader").get(f"/{private.path}/-/{tail}").status_code == 200
        assert browser("stranger").get(f"/{private.path}/-/{tail}").status_code == 404
    elsewhere = f"/owner/open/-/manifests/{carrier}/documents/{layer}"
    assert browser("owner").get(elsewhere).status_code == 404


def test_secrets_in_an_image_are_told_to_those_who_can_change_it(
    browser: Browser, public: Repository
) -> None:
    info = Tag.objects.get(name="1.0").manifest.info
    info.config["env"] = ["PATH=/bin", "DB_PASSWORD=hunter2"]
    info.save()
    page = f"/{public.path}/-/tags/1.0"
    assert "DB_PASSWORD looks like a secret" in browser("writer").get(page).text
    for who in ("", "reader"):
        assert "looks like a secret" not in browser(who).get(page).text


def test_layers_say_in_how_many_images_they_are(
    browser: Browser, public: Repository, private: Repository
) -> None:
    push(private, image("public"), "base")
    page = f"/{public.path}/-/tags/1.0"
    text = browser("reader").get(page).text
    assert text.count("1 image<") == 2
    assert "Grey: another repository" in text
    for who in ("", "stranger"):
        text = browser(who).get(page).text
        assert "1 image<" not in text
        assert "Grey: another" not in text


@pytest.mark.parametrize("page", ["tags/built", "tags/1.0/history", "compare/1.0...built"])
def test_queries_do_not_grow(
    browser: Browser, public: Repository, people: dict[str, User], bill: str, page: str
) -> None:
    client = browser("owner")

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/{public.path}/-/{page}").status_code == 200
        return len(queries)

    def grow(number: int) -> None:
        push(public, image(f"x{number}", labels={"n": str(number)}), "1.0", f"x{number}")
        push(public, referrer(image("attested"), SPDX, b"{}", notes={"n": str(number)}))
        tag, signature = cosign_signature(image(f"x{number}"))
        push(public, signature, tag)

    grow(0)
    few = count()
    for number in range(1, 10):
        grow(number)
    assert count() == few
    assert few <= 20
