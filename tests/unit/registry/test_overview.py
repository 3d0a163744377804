"""What the overview says of content: newest tags with aliases, sizes, what images say."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.services.credentials import principal_of
from accounts.types import ANONYMOUS
from registry.models import Tag
from registry.overview import (
    CONSIDERED,
    MAX_WORDS,
    SHOWN_GROUPS,
    Overview,
    overview_of,
    read_about,
    sizes_of,
    version_of,
)
from registry.selectors import size_of
from repos.models import Collaborator, PullCount, Repository
from tests.images import Image, as_json, image, index, multi
from tests.unit.registry.pushing import make_person, make_repository, push, put

pytestmark = pytest.mark.django_db
OCI = "org.opencontainers.image."


@pytest.fixture
def alice() -> User:
    return make_person("alice")


@pytest.fixture
def app(alice: User) -> Repository:
    return make_repository(alice.namespace, "app", visibility="public")


def tagged(repository: Repository, **images: str) -> None:
    """`{seed: "tag tag"}`, in that order; each a minute after the one before."""
    moment = timezone.now() - timedelta(hours=1)
    for seed, names in images.items():
        content = image(seed)
        push(repository, content)
        for name in names.split():
            put(repository, content, name)
            moment += timedelta(minutes=1)
            Tag.objects.filter(repository=repository, name=name).update(moved_at=moment)


def seen(repository: Repository) -> Overview:
    return overview_of(repository, ANONYMOUS)


def groups(repository: Repository) -> list[str]:
    return [" = ".join(group.names) for group in seen(repository).groups]


def test_aliases_are_shown_together_and_newest_versions_first(app: Repository) -> None:
    tagged(app, a="1.10.0 1.10 1 latest", b="1.9.0 1.9", c="1.11-rc.1", d="edge", e="old main")
    assert groups(app) == [
        "1.11-rc.1",
        "latest = 1 = 1.10 = 1.10.0",
        "1.9 = 1.9.0",
        "main = old",
        "edge",
    ]
    found = seen(app)
    assert found.newest is not None
    assert found.newest.name == "main"
    assert found.groups[1].tag.manifest.digest == image("a").digest


def test_only_so_many_images_are_listed(app: Repository) -> None:
    tagged(app, **{f"s{n}": f"1.{n}" for n in range(SHOWN_GROUPS + 2)})
    assert groups(app) == [f"1.{n}" for n in range(SHOWN_GROUPS + 1, 1, -1)]


@pytest.mark.parametrize(
    ("tags", "shown", "version"),
    [
        ({"a": "1.0 latest", "b": "2.0"}, "latest", "2.0"),
        ({"a": "2.0", "b": "1.9"}, "2.0", "2.0"),
        ({"a": "2.0-alpine 2.0", "b": "2.1-rc1"}, "2.0", "2.0"),
        ({"a": "2.0-alpine", "b": "1.9-alpine"}, "2.0-alpine", "2.0-alpine"),
        ({"a": "edge", "b": "main"}, "main", "main"),
        ({"a": "3.0-beta", "b": "20260101"}, "20260101", "20260101"),
    ],
)
def test_the_pull_command_names_latest_or_the_highest_release(
    app: Repository, tags: dict[str, str], shown: str, version: str
) -> None:
    tagged(app, **tags)
    found = seen(app).shown
    assert found is not None
    assert found.name == shown
    assert version_of(app) == version


def test_latest_is_found_however_long_ago_it_moved(app: Repository) -> None:
    tagged(app, a="latest 0.1")
    row = Tag.objects.get(repository=app, name="0.1")
    now = timezone.now()
    Tag.objects.bulk_create(
        Tag(repository=app, name=f"1.{n}", manifest_id=row.manifest_id, moved_at=now)
        for n in range(CONSIDERED)
    )
    found = seen(app)
    assert found.shown is not None
    assert found.shown.name == "latest"
    assert len(found.groups) == 1
    assert "0.1" not in found.groups[0].names


def test_an_empty_repository_has_an_overview(app: Repository) -> None:
    found = seen(app)
    assert (found.shown, found.newest, list(found.groups)) == (None, None, [])
    assert (found.sizes.total, found.sizes.shared) == (0, 0)
    assert len(found.days) == 90
    assert version_of(app) == ""


def test_queries_do_not_grow(app: Repository, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(3):
        seen(app)
    tagged(app, a="1.0 latest")
    with django_assert_num_queries(7):
        seen(app)
    tagged(app, **{f"s{n}": f"2.{n} t{n}" for n in range(8)})
    with django_assert_num_queries(7):
        seen(app)


def test_shared_bytes_are_those_of_repositories_the_reader_sees(
    alice: User, app: Repository
) -> None:
    bob, content = make_person("bob"), image("same")
    push(app, content, "1")
    push(app, image("own"), "2")
    hidden = make_repository(bob.namespace, "hidden", visibility="private")
    alone = sizes_of(app, ANONYMOUS)
    assert alone.shared == 0
    assert (
        alone.total
        == size_of(app)
        == sum(len(blob) for part in (content, image("own")) for blob in part.blobs)
    )
    push(hidden, content, "1")
    assert sizes_of(app, ANONYMOUS) == sizes_of(app, principal_of(alice)) == alone
    common = sum(map(len, content.blobs))
    assert sizes_of(app, principal_of(bob)).shared == common
    Collaborator.objects.create(repository=hidden, user=alice, role="read")
    assert sizes_of(app, principal_of(alice)).shared == common
    Repository.objects.filter(pk=hidden.pk).update(visibility="public")
    assert sizes_of(app, ANONYMOUS).shared == common
    Repository.objects.filter(pk=hidden.pk).update(state=Repository.State.TRASHED)
    assert sizes_of(app, principal_of(bob)).shared == 0


def test_a_pull_by_digest_counts_by_its_day(app: Repository) -> None:
    tagged(app, a="1.0")
    assert (seen(app).pulled_at, seen(app).pulled_on) == (None, None)
    today = timezone.now().date()
    before = timezone.now() - timedelta(days=3)
    Tag.objects.filter(repository=app).update(last_pulled_at=before)
    assert (seen(app).pulled_at, seen(app).pulled_on) == (before, None)
    PullCount.objects.create(repository=app, day=before.date(), pulls=2)
    assert seen(app).pulled_on is None
    PullCount.objects.create(repository=app, day=today - timedelta(days=1), pulls=2)
    assert seen(app).pulled_on == today - timedelta(days=1)


def with_annotations(content: Image, annotations: dict[str, str]) -> Image:
    """The same index, saying something of itself."""
    document = json.loads(content.manifest)
    document["annotations"] = annotations
    return Image(as_json(document), content.media_type, content.blobs, content.children)


def test_an_index_says_more_than_its_images_and_they_more_than_nothing(app: Repository) -> None:
    labels = {f"{OCI}title": "Child", f"{OCI}licenses": "MIT"}
    inside = index([image("x", labels=labels)], ["amd64"])
    push(app, with_annotations(inside, {f"{OCI}title": "Parent"}), "1.0")
    about = seen(app).about
    assert (about.title, about.licenses, about.vendor) == ("Parent", "MIT", "")
    assert not about.is_empty


def test_an_image_without_words_says_nothing(app: Repository) -> None:
    push(app, multi("plain", ("amd64", "arm64")), "1.0")
    assert seen(app).about.is_empty
    assert seen(app).about.links == []


def test_only_addresses_of_the_web_are_links() -> None:
    about = read_about(
        [
            {f"{OCI}source": "javascript:alert(1)", f"{OCI}url": " https://a.example/ "},
            {f"{OCI}documentation": "https://a.example/", f"{OCI}source": "git@host:x"},
        ]
    )
    assert about.source == ""
    assert [address for _name, address in about.links] == ["https://a.example/"]


def test_old_label_names_count_after_new_ones_and_what_is_no_text_does_not() -> None:
    about = read_about(
        [
            {f"{OCI}title": None, "org.label-schema.name": "Old", f"{OCI}vendor": 5},
            {f"{OCI}title": "New", f"{OCI}description": "x" * (MAX_WORDS + 1)},
        ]
    )
    assert (about.title, about.vendor) == ("New", "")
    assert len(about.description) == MAX_WORDS
    assert read_about([{"org.label-schema.name": "Old"}]).title == "Old"
