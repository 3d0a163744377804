"""What a deletion is said to change is what it changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.types import Principal
from oci.digest import Digest
from registry.impact import (
    NAMED,
    impact_of_manifest,
    impact_of_repository,
    impact_of_tags,
)
from registry.models import Blob, Manifest, Tag
from registry.services import collect
from registry.services.manifests import delete_manifest
from registry.services.tags import delete_tags
from repos.models import Alias, Collaborator, PullCount, Repository, TeamGrant
from repos.services.repositories import delete_repository
from tests.images import artifact, image, index
from tests.unit.registry.pushing import ACTOR, make_person, make_repository, push
from tests.unit.repos.people import organization, principal, team
from webhooks.models import Webhook

pytestmark = pytest.mark.django_db
A, B = image("a"), image("b")
WHOLE = index([A, B], ["amd64", "arm64"])


@pytest.fixture
def reader(alice: Any) -> Principal:
    return principal(alice)


def tags(repository: Repository, *names: str) -> list[Tag]:
    return list(
        Tag.objects.filter(repository=repository, name__in=names).select_related("manifest")
    )


def stored() -> int:
    return Blob.objects.aggregate(total=Sum("size"))["total"] or 0


def after_everything() -> int:
    for days in range(8, 30, 2):
        with time_machine.travel(timezone.now() + timedelta(days=days)):
            collect.collect()
    return stored()


def lets_go(repository: Repository) -> Repository:
    Repository.objects.update(untagged_days=0)
    repository.refresh_from_db()
    return repository


def test_a_tag_with_aliases_frees_nothing(repository, reader):
    for name in ("1.0", "1", "latest"):
        push(lets_go(repository), WHOLE, name)
    found = impact_of_tags(repository, tags(repository, "1.0"), reader)
    assert (found.tags.shown, found.aliases.shown) == (["1.0"], ["1", "latest"])
    assert (found.untagged, found.freed_bytes, found.freed_at) == (0, 0, None)
    assert [(p.label, p.goes) for p in found.platforms] == [
        ("linux/amd64", False),
        ("linux/arm64", False),
    ]
    all_of_them = impact_of_tags(repository, tags(repository, "1.0", "1", "latest"), reader)
    assert (all_of_them.untagged, all_of_them.aliases.total) == (1, 0)
    assert all_of_them.freed_bytes == stored()


def test_bytes_and_parts_are_those_that_the_collector_takes(repository, other, reader):
    lets_go(repository)
    push(repository, WHOLE, "1.0")
    push(repository, artifact(WHOLE))
    push(repository, artifact(artifact(WHOLE), text="about what is about it"))
    push(repository, A, "a")  # keeps one platform
    push(other, image("b"), "b")  # and another repository the layers of the other
    found = impact_of_tags(repository, tags(repository, "1.0"), reader)
    assert [(p.label, p.goes) for p in found.platforms] == [
        ("linux/amd64", False),
        ("linux/arm64", True),
    ]
    assert [part.goes for part in found.referrers] == [True]
    before = stored()
    delete_tags(repository, ["1.0"], actor=ACTOR)
    assert before - after_everything() == found.freed_bytes > 0
    assert {m.digest for m in Manifest.objects.filter(repository=repository)} == {A.digest}


def test_the_moment_is_when_the_collector_may(repository, reader, hub_settings):
    lets_go(repository)
    hub_settings(trash_days=7, untag_grace_s=60, push_grace_s=3600, discard_grace_s=3600)
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        push(repository, A, "a")
        found = impact_of_tags(repository, tags(repository, "a"), reader)
        assert found.freed_at == now + timedelta(days=7, hours=2)
        Repository.objects.update(untagged_days=30)
        repository.refresh_from_db()
        found = impact_of_tags(repository, tags(repository, "a"), reader)
        assert found.freed_at - now == timedelta(days=30, hours=2)


def test_a_repository_that_keeps_untagged_images_keeps_them(repository, reader):
    push(repository, WHOLE, "1.0")
    found = impact_of_tags(repository, tags(repository, "1.0"), reader)
    assert (found.keeps, found.untagged, found.freed_bytes) == (True, 1, 0)
    assert not any(part.goes for part in found.platforms)
    before = stored()
    delete_tags(repository, ["1.0"], actor=ACTOR)
    assert after_everything() == before


@pytest.mark.parametrize("days", [None, 0])
def test_of_a_manifest_all_its_tags_go(repository, reader, days):
    Repository.objects.update(untagged_days=days)
    repository.refresh_from_db()
    push(repository, WHOLE, "1.0")
    push(repository, WHOLE, "latest")
    push(repository, artifact(WHOLE))
    manifest = Manifest.objects.get(digest=WHOLE.digest)
    found = impact_of_manifest(repository, manifest, reader)
    assert found.tags.shown == ["1.0", "latest"]
    assert {part.goes for part in (*found.platforms, *found.referrers)} == {days == 0}
    before = stored()
    delete_manifest(repository, Digest.parse(WHOLE.digest), actor=ACTOR)
    assert before - after_everything() == found.freed_bytes
    assert bool(found.freed_bytes) == (days == 0)


def test_of_a_repository_everything_counts(repository, other, alice, reader):
    push(repository, WHOLE, "1.0")
    push(repository, artifact(WHOLE))
    push(other, A, "a")
    acme = organization("acme", alice)
    for name in ("one", "two"):
        Collaborator.objects.create(repository=repository, user=make_person(name), role="read")
        Alias.objects.create(repository=repository, old_path=f"alice/{name}")
    TeamGrant.objects.create(repository=repository, team=team(acme, "dev"), role="read")
    Webhook.objects.create(repository=repository, url="http://127.0.0.1/x")
    today = timezone.now().date()
    for ago, pulls in ((0, 5), (29, 2), (30, 100)):
        day = today - timedelta(days=ago)
        PullCount.objects.create(repository=repository, day=day, pulls=pulls)
    found = impact_of_repository(repository, reader)
    assert (found.tags, found.images, found.referrers) == (1, 3, 1)
    assert (found.people, found.robots, found.teams, found.webhooks) == (2, 0, 1, 1)
    assert found.former_names.shown == ["alice/two", "alice/one"]
    assert found.recent_pulls == 7
    before = stored()
    delete_repository(repository, actor=ACTOR)
    assert before - after_everything() == found.freed_bytes > 0


def test_what_hidden_repositories_hold_is_not_told(repository, reader):
    """Else the size would say that somebody else has the same layers."""
    lets_go(repository)
    push(repository, A, "a")
    with time_machine.travel(timezone.now(), tick=False):
        alone = impact_of_tags(repository, tags(repository, "a"), reader)
        hidden = make_repository(make_person("mallory").namespace, "hidden")
        push(hidden, A, "a")
        assert impact_of_tags(repository, tags(repository, "a"), reader) == alone
    assert impact_of_repository(repository, reader).freed_bytes == alone.freed_bytes
    Repository.objects.filter(pk=hidden.pk).update(visibility="public")
    assert impact_of_tags(repository, tags(repository, "a"), reader).freed_bytes == 0


def test_webhooks_that_name_the_tag_or_will_be_told(repository, reader):
    push(repository, A, "v1")
    hooks = {
        "names it": (["push"], "v*", True),
        "told": (["tag.deleted"], "", True),
        "both": (["tag.deleted"], "v1", True),
        "another": (["tag.deleted"], "x*", True),
        "of pushes": (["push"], "", True),
        "off": (["tag.deleted"], "v*", False),
    }
    for name, (events, glob, active) in hooks.items():
        Webhook.objects.create(
            repository=repository, url=name, events=events, tag_filter=glob, active=active
        )
    rows = tags(repository, "v1")
    assert impact_of_tags(repository, rows, reader).hooks == []
    found = impact_of_tags(repository, rows, reader, with_hooks=True).hooks
    assert [(h.url, h.is_told) for h in found] == [
        ("names it", False),
        ("told", True),
        ("both", True),
    ]


def test_rules_and_what_clients_made_for_signatures(repository, reader):
    Repository.objects.update(immutable_tags=["v*"])
    repository.refresh_from_db()
    push(repository, A, "v1")
    signature = f"{A.digest.replace(':', '-')}.sig"
    push(repository, B, signature)
    found = impact_of_tags(repository, tags(repository, "v1"), reader)
    assert found.immutable.shown == ["v1"]
    assert found.attached.shown == [signature]


def test_queries_do_not_grow(repository, reader):
    lets_go(repository)

    def cost(count: int) -> int:
        names = []
        for n in range(count):
            push(repository, index([image(f"{n}")], ["amd64"]), f"t{n}")
            push(repository, artifact(index([image(f"{n}")], ["amd64"])))
            names.append(f"t{n}")
        rows = tags(repository, *names)
        with CaptureQueriesContext(connection) as queries:
            found = impact_of_tags(repository, rows, reader, with_hooks=True)
            impact_of_repository(repository, reader)
        assert found.tags.total == count
        assert len(found.tags.shown) == min(count, NAMED)
        return len(queries)

    assert cost(2) == cost(NAMED + 3)
