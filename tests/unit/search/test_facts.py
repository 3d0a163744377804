"""Facts about content: what a push says of a repository, and that it is noticed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events import dispatch
from events.types import Actor
from oci import media
from registry.services.tags import delete_tag
from repos.models import Repository
from search import services
from search.facts import kind_of, platform_words
from search.models import Fact
from tests.images import Image, artifact, image, multi
from tests.unit.registry.pushing import ACTOR, push
from tests.unit.repos import people

pytestmark = pytest.mark.django_db
HELM = "application/vnd.cncf.helm.config.v1+json"
IMAGE_WORDS = {"kind:image", "os:linux", "arch:amd64", "platform:linux/amd64"}


@pytest.mark.parametrize(
    ("media_type", "artifact_type", "config", "kind"),
    [
        (media.OCI_MANIFEST, "", media.OCI_CONFIG, "image"),
        (media.DOCKER_MANIFEST, "", media.DOCKER_CONFIG, "image"),
        (media.OCI_INDEX, "", "", "image"),
        (media.DOCKER_LIST, "", "", "image"),
        (media.OCI_INDEX, "application/x.thing", "", "artifact"),
        (media.OCI_MANIFEST, "", HELM, "chart"),
        (media.OCI_MANIFEST, "application/vnd.dev.cosign.artifact.sig.v1+json", "", "signature"),
        (media.OCI_MANIFEST, "application/vnd.cncf.notary.signature", "", "signature"),
        (media.OCI_MANIFEST, "application/spdx+json", media.OCI_EMPTY, "sbom"),
        (media.OCI_MANIFEST, "application/spdx3+json", media.OCI_EMPTY, "sbom"),
        (media.OCI_MANIFEST, "application/vnd.cyclonedx+json", "", "sbom"),
        (media.OCI_MANIFEST, "application/vnd.in-toto+json", "", "attestation"),
        (media.OCI_MANIFEST, "", "application/vnd.wasm.config.v0+json", "wasm"),
        (media.OCI_MANIFEST, "APPLICATION/SPDX+JSON", "", "sbom"),
        (media.OCI_MANIFEST, "", "text/plain", "artifact"),
        (media.OCI_ARTIFACT, "", "", "artifact"),
    ],
)
def test_kinds(media_type: str, artifact_type: str, config: str, kind: str) -> None:
    assert kind_of(media_type, artifact_type, config) == kind


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        ("linux/amd64", {"os:linux", "arch:amd64", "platform:linux/amd64"}),
        (
            "Linux/ARM/v7",
            {"os:linux", "arch:arm", "platform:linux/arm", "platform:linux/arm/v7"},
        ),
        ("unknown/unknown", set()),
        ("", set()),
        ("linux", set()),
        ("linux/", set()),
        ("linux/a b", set()),
        ("linux/amd64/v1/x", set()),
        (f"linux/{'x' * 50}", set()),
    ],
)
def test_platforms(platform: str, words: set[str]) -> None:
    assert platform_words(platform) == words


@pytest.fixture
def row(db: None, rung: list[Any]) -> Repository:
    return people.repository(people.person("alice").namespace, "app")


def words(row: Repository) -> set[str]:
    dispatch.drain()
    return set(Fact.objects.filter(repository=row).values_list("word", flat=True))


def beside(end: str) -> str:
    return f"sha256-{'0' * 64}{end}"


@pytest.mark.parametrize(
    ("content", "tag", "expected"),
    [
        (image(), "1", IMAGE_WORDS),
        (
            multi(architectures=("amd64", "arm64")),
            "1",
            IMAGE_WORDS | {"arch:arm64", "platform:linux/arm64"},
        ),
        (artifact(kind="application/spdx+json"), "1", {"kind:sbom"}),
        (image(), beside(".sig"), {"kind:signature", *(IMAGE_WORDS - {"kind:image"})}),
    ],
)
def test_a_push_is_noticed(row: Repository, content: Image, tag: str, expected: set[str]) -> None:
    push(row, content, tag)
    assert words(row) == expected


def test_what_a_tag_leads_to_no_more_does_not_count(row: Repository) -> None:
    push(row, image(), "1")
    push(row, artifact(kind="application/spdx+json"), "bill")
    assert words(row) == IMAGE_WORDS | {"kind:sbom"}
    delete_tag(row, "1", actor=Actor(1, "alice"))
    assert words(row) == {"kind:sbom"}
    push(row, image(), "bill")
    assert words(row) == IMAGE_WORDS


def test_what_is_about_an_image_counts_without_a_tag(row: Repository) -> None:
    signed = image()
    push(row, signed, "1")
    assert words(row) == IMAGE_WORDS
    push(row, artifact(signed, kind="application/vnd.dev.sigstore.bundle.v0.3+json"))
    assert services.catch_up() == 1
    assert words(row) == IMAGE_WORDS | {"kind:signature"}


def test_a_first_start_catches_up(row: Repository) -> None:
    push(row, image(), "1")
    other = people.repository(row.namespace, "empty")
    Fact.objects.all().delete()
    Repository.objects.update(last_pushed_at=timezone.now() - timedelta(days=2))
    assert services.catch_up() == 1
    assert services.catch_up() == 0
    Fact.objects.create(repository=other, word="kind:chart")
    Fact.objects.create(repository_id=other.pk + 100, word="kind:chart")
    assert services.refresh_all() == 1
    assert set(Fact.objects.values_list("word", flat=True)) == IMAGE_WORDS


def test_other_news_cost_nothing(row: Repository, django_assert_num_queries: Any) -> None:
    from events.services import record
    from search.handlers import on_event

    event = record("repository.starred", actor=ACTOR, repository_id=row.pk)
    gone = record("tag.moved", actor=ACTOR)
    with django_assert_num_queries(0):
        on_event(event)
        on_event(gone)
