"""What passes, and in which words the rest is refused."""

from __future__ import annotations

import pytest

from core.errors import Invalid
from registry.models import Manifest, ManifestChild, ManifestInfo
from registry.selectors import platforms_at
from repos.services.repositories import create_repository
from webhooks import trial
from webhooks.filters import Fact, Filters
from webhooks.owners import Owner

PUSH = {"event": "push", "actor": "acme+ci", "tag": "v1", "media_type": "a/index+json"}


def fact(*platforms, **values):
    return Fact(**{**PUSH, **values}, look_up=lambda: platforms)


@pytest.mark.parametrize(
    ("filters", "given", "says"),
    [
        ({}, fact(), ""),
        ({}, fact(event="star"), "not told of “star”"),
        ({"tag_filter": "v*"}, fact(), ""),
        ({"tag_filter": "w*"}, fact(), "The tag “v1” does not fit “w*”"),
        ({"tag_filter": "/^v[0-9]+$/"}, fact(), ""),
        ({"tag_filter": "/^[0-9]+$/"}, fact(), "The tag “v1”"),
        ({"actor_filter": "acme+*"}, fact(), ""),
        ({"actor_filter": "[!a]*"}, fact(), "The actor “acme+ci”"),
        ({"media_type_filter": "*index*"}, fact(), ""),
        ({"media_type_filter": "*manifest*"}, fact(), "The media type"),
        ({"platform_filter": "linux/arm64"}, fact("linux/amd64", "linux/arm64"), ""),
        ({"platform_filter": "linux/arm64"}, fact("linux/arm64/v8"), ""),
        ({"platform_filter": "linux/arm"}, fact("linux/arm64"), "(linux/arm64) fits “linux/arm”"),
        ({"platform_filter": "linux/*"}, fact("windows/amd64"), "None of its platforms"),
        ({"platform_filter": "linux/*"}, fact(), "not known what platform"),
        # Filters say nothing about what an event has not.
        ({"events": ["comment"], "tag_filter": "v*"}, Fact("comment", "bob"), ""),
        ({"events": ["comment"], "platform_filter": "x"}, Fact("comment", "bob"), ""),
        ({"events": ["comment"], "actor_filter": "a*"}, Fact("comment", "bob"), "The actor “bob”"),
    ],
)
def test_refusals(filters, given, says):
    refusal = Filters(**filters).refusal(given)
    assert bool(refusal) == bool(says)
    assert says in refusal


def test_platforms_are_looked_up_last_and_once():
    asked = []
    given = Fact(**PUSH, look_up=lambda: asked.append(1) or ["linux/arm64"])
    Filters(tag_filter="w*", platform_filter="linux/arm64").refusal(given)
    Filters().refusal(given)
    assert not asked
    for _ in range(2):
        assert not Filters(platform_filter="linux/*").refusal(given)
    assert asked == [1]


def images(repository):
    """An index of two, one of them known; an image; what is known of none."""
    made = {}
    for letter in "abc":
        made[letter] = Manifest.objects.create(
            repository=repository, digest=f"sha256:{letter * 64}", media_type="x", payload=b"{}"
        )
    for position, platform in enumerate(("linux/arm64", "unknown/unknown", "linux/amd64")):
        ManifestChild.objects.create(
            parent=made["a"], position=position, child_digest=f"c{position}", platform=platform
        )
    ManifestInfo.objects.create(manifest=made["b"], os="linux", architecture="arm", variant="v7")
    return {letter: row.digest for letter, row in made.items()}


@pytest.mark.django_db
def test_platforms_of_many_images_take_one_query(repository, actor, django_assert_num_queries):
    other = create_repository(repository.namespace, "other", actor=actor)
    here, there = images(repository), images(other)
    asked = [(repository.pk, digest) for digest in here.values()] + [(other.pk, there["b"])]
    with django_assert_num_queries(1):
        found = platforms_at(asked)
    assert found[repository.pk, here["a"]] == ["linux/arm64", "linux/amd64"]
    assert found[repository.pk, here["b"]] == ["linux/arm/v7"]
    assert found[repository.pk, here["c"]] == []
    assert found[other.pk, there["b"]] == ["linux/arm/v7"]


@pytest.mark.django_db
def test_a_dry_run_says_of_each_push_why_not(repository, happen, actor, django_assert_num_queries):
    digests = images(repository)
    happen(tag="v1", digest=digests["a"])
    happen("repository.starred")
    happen(tag="latest", digest=digests["a"])
    for _ in range(4):
        happen(tag="v2", digest=digests["b"])
    filters = Filters(tag_filter="v*", platform_filter="linux/arm64")
    with django_assert_num_queries(2):
        found = trial.dry_run(Owner(repository), filters)
    assert [(one.event.payload["tag"], one.matches) for one in found] == [
        *[("v2", False)] * 4,
        *(("latest", False), ("v1", True)),
    ]
    assert found[0].reason == "None of its platforms (linux/arm/v7) fits “linux/arm64”."
    assert "does not fit “v*”" in found[4].reason
    assert trial.dry_run(Owner(), filters) == []  # it is private
    assert len(trial.dry_run(Owner(namespace=repository.namespace), filters, limit=2)) == 2
    with pytest.raises(Invalid):
        trial.dry_run(Owner(repository), Filters(tag_filter="/(/"))
