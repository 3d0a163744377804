"""RG-12, RG-16: lists are whole, in order, in pages, and only for who may pull."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry import selectors
from registry.models import Manifest, Tag
from repos.models import Repository
from tests.images import descriptor, digest_of
from tests.security.lane import Answer, send
from tests.security.world import IMAGE, SIGNATURE, World, undone
from tests.unit.registry import pushing

pytestmark = pytest.mark.django_db
MANY = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
PATH = "alice/private"
KEYS = {"tags/list": "tags", "referrers": "manifests", "_catalog": "repositories"}


def get(world: World, target: str) -> Answer:
    return send("GET", target, headers=world.callers["owner"].basic())


def follow(world: World, target: str) -> list[list[Any]]:
    """The pages a client sees that follows `Link`."""
    pages: list[list[Any]] = []
    while target:
        answer = get(world, target)
        assert answer.status == 200, answer.body
        key = next(key for word, key in KEYS.items() if word in target)
        pages.append(json.loads(answer.body)[key])
        link = answer.headers.get("Link", "")
        match = re.fullmatch(r'<(/v2/[^>]*)>; rel="next"', link)
        assert bool(match) == bool(link)
        target = match[1] if match else ""
        assert len(pages) < 200
    return pages


# --- RG-12

SIZES: list[tuple[str, int]] = [
    ("0", 200),
    ("1", 200),
    ("1000", 200),
    ("999999999999999999", 200),
    *((quote(text), 400) for text in (
        "-1", "-0", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "", "x", "null", "true", "NaN", "١",
        "²", "1\0", "9" * 400, "1,2", "--", "%", "１",
    )),
]  # fmt: skip


@pytest.mark.parametrize(
    "rest", [f"{PATH}/tags/list", f"{PATH}/referrers/{IMAGE.digest}", "_catalog"]
)
def test_rg12_the_size_of_a_page_is_a_whole_number_from_nought_on(world: World, rest: str) -> None:
    Repository.objects.update(last_pushed_at=timezone.now())
    for text, status in SIZES:
        answer = get(world, f"/v2/{rest}?n={text}")
        assert answer.status == status, text
        if status == 400:
            assert answer.code == "PAGINATION_NUMBER_INVALID"
        elif text == "0":
            (values,) = [v for v in json.loads(answer.body).values() if isinstance(v, list)]
            assert values == []
            assert "Link" not in answer.headers
    many = get(world, f"/v2/{rest}?n=1&n=x")
    assert many.status in (200, 400)


ODD_LAST = (
    *("", "%00", "zzzz", "%ff", "~", "..", "a" * 3000, "%F0%9F%98%80", "1'%20OR%20'1'='1", "%25"),
    *("%5c", "_", "1", "%20", "\t", "latest%0a"),
)


def test_rg12_an_odd_beginning_is_a_place_in_the_order_or_refused(world: World) -> None:
    Repository.objects.update(last_pushed_at=timezone.now())
    everything = {f"{PATH}/tags/list": ["1", "fixed", "many"]}
    for last in ODD_LAST:
        for rest in (f"{PATH}/tags/list", "_catalog"):
            answer = get(world, f"/v2/{rest}?last={last}")
            assert answer.status == 200, last
            if rest in everything and last in ("", "%00"):
                assert json.loads(answer.body)["tags"] == everything[rest]
        answer = get(world, f"/v2/{PATH}/referrers/{IMAGE.digest}?last={last}")
        assert answer.status == (200 if last == "" else 400), last


names = st.sampled_from(["a", "A", "a0", "a-", "a.", "a_", "aa", "Z", "z", "_", "0", "00", "1.0"])
tag_sets = st.sets(st.lists(names, min_size=1, max_size=3).map("".join), max_size=12)


@MANY
@given(tags=tag_sets, size=st.integers(1, 5))
def test_rg12_the_pages_of_tags_are_the_set_in_order_of_bytes(
    world: World, tags: set[str], size: int
) -> None:
    with undone():
        repository = world.repositories[PATH]
        Tag.objects.filter(repository=repository).delete()
        manifest = Manifest.objects.filter(repository=repository).first()
        assert manifest is not None
        Tag.objects.bulk_create(
            Tag(repository=repository, name=tag, manifest=manifest, moved_at=timezone.now())
            for tag in tags
        )
        pages = follow(world, f"/v2/{PATH}/tags/list?n={size}")
        whole = json.loads(get(world, f"/v2/{PATH}/tags/list").body)["tags"]
    expected = sorted(tags, key=str.encode)
    assert whole == expected
    assert list(chain(*pages)) == expected
    assert all(len(page) == size for page in pages[:-1])


paths = st.sampled_from(["a", "a-b", "a/b", "a.b", "ab", "a_b", "b", "a-b/c", "a0"])


@MANY
@given(made=st.sets(paths, max_size=9), size=st.integers(1, 4))
def test_rg12_the_pages_of_the_catalogue_are_the_set_in_order_of_bytes(
    world: World, made: set[str], size: int
) -> None:
    with undone():
        Repository.objects.update(last_pushed_at=timezone.now())
        namespace = world.repositories[PATH].namespace
        Repository.objects.bulk_create(
            Repository(
                namespace=namespace,
                name=name,
                path=f"alice/{name}",
                last_pushed_at=timezone.now(),
            )
            for name in made
        )
        pages = follow(world, f"/v2/_catalog?n={size}")
    expected = {"alice/public", "alice/private", "acme/public", *(f"alice/{name}" for name in made)}
    assert list(chain(*pages)) == sorted(expected, key=str.encode)


# --- RG-16


def about(world: World, count: int, **values: Any) -> list[str]:
    """Push that many artifacts about the image; their digests."""
    repository = world.repositories[PATH]
    pushing.push_blob(repository, b"{}")
    subject = descriptor(IMAGE.media_type, IMAGE.manifest)
    made = []
    for number in range(count):
        body = pushing.manifest(
            subject=subject,
            artifactType=f"application/x.{number % 3}",
            annotations={"number": str(number), **values},
        )
        pushing.put(repository, body)
        made.append(digest_of(body))
    return made


def test_rg16_spam_comes_in_pages_that_are_whole_together(world: World) -> None:
    made = about(world, selectors.REFERRERS_PAGE + 30)
    target = f"/v2/{PATH}/referrers/{IMAGE.digest}"
    for query in ("", "?n=1000000", "?n=7", "?artifactType=application/x.1"):
        pages = follow(world, target + query)
        assert len(pages) > 1 or "artifactType" in query
        assert all(len(page) <= selectors.REFERRERS_PAGE for page in pages)
        found = [entry["digest"] for page in pages for entry in page]
        assert len(found) == len(set(found))
        if "artifactType" in query:
            assert set(found) == set(made[1::3])
        else:
            assert set(found) == {*made, SIGNATURE.digest}


def test_rg16_long_annotations_do_not_make_a_page_that_no_client_reads(world: World) -> None:
    about(world, 12, text="x" * 600_000)
    for page in follow(world, f"/v2/{PATH}/referrers/{IMAGE.digest}"):
        assert len(json.dumps(page)) <= 4 * 1024 * 1024


def test_rg16_what_others_say_about_an_image_is_for_who_may_pull_it(world: World) -> None:
    target = f"/v2/{PATH}/referrers/{IMAGE.digest}"
    for who in ("nobody", "stranger", "root", "member"):
        answer = send("GET", target, headers=world.callers[who].basic())
        assert answer.status == 401, who
        assert SIGNATURE.digest.encode() not in answer.body
    listed = send("GET", target, headers=world.callers["reader"].basic())
    assert [m["digest"] for m in json.loads(listed.body)["manifests"]] == [SIGNATURE.digest]


def test_rg16_a_claim_to_be_about_something_changes_nothing_of_it(world: World) -> None:
    """A spoofed signature is listed as what it is; the image, its tags and size stay as they are."""
    image = Manifest.objects.get(repository__path=PATH, digest=IMAGE.digest)
    before = Manifest.objects.filter(pk=image.pk).values().get()
    about(world, 3, **{"org.opencontainers.image.title": "official", "signed-by": "admin"})
    assert Manifest.objects.filter(pk=image.pk).values().get() == before
    elsewhere = f"/v2/alice/public/referrers/{IMAGE.digest}"
    listed = json.loads(get(world, elsewhere).body)["manifests"]
    assert [entry["digest"] for entry in listed] == [SIGNATURE.digest]
