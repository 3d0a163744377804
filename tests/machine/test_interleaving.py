"""The collector, and one other request at every moment between its transactions (GC-02, GC-03).

No grace: afterwards exactly what a naive marker reaches from the tags is there, whatever the order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection, transaction

from core.errors import HubError
from oci.digest import Digest
from registry.models import Blob, BlobLink, DiscardedObject, Manifest, Tag
from registry.selectors import get_link
from registry.services import collect, links, uploads
from registry.services.check import check
from registry.services.manifests import delete_manifest
from registry.services.tags import delete_tag
from repos.models import Repository
from repos.services.repositories import delete_repository
from storage import factory
from storage.memory import MemoryStore
from tests.images import Image, artifact, digest_of, image, index
from tests.unit.registry.pushing import (
    ACTOR,
    make_person,
    make_repository,
    push,
    push_blob,
    put,
)

pytestmark = pytest.mark.django_db
CHILD = image("child", layers=1)
INDEX = index([CHILD], ["amd64"])
ABOUT = artifact(INDEX)
LAYER = CHILD.blobs[1]


@dataclass
class Scene:
    """An index, its child and something about it, whose last tag has just gone."""

    drops: Repository
    other: Repository
    store: MemoryStore


@pytest.fixture
def scene(no_grace: None, monkeypatch: pytest.MonkeyPatch) -> Scene:
    store = MemoryStore()
    monkeypatch.setattr(factory, "LocalStore", lambda root: store)
    factory.get_store.cache_clear()
    alice = make_person("alice")
    drops = make_repository(alice.namespace, "drops", untagged_days=0)
    other = make_repository(alice.namespace, "other", untagged_days=0)
    push(drops, INDEX, "latest")
    push(drops, ABOUT)
    delete_tag(drops, "latest", actor=ACTOR)
    return Scene(drops, other, store)


def put_again(scene: Scene) -> None:
    put(scene.drops, INDEX, "again")


def push_again(scene: Scene) -> None:
    push(scene.drops, INDEX, "again")


def push_the_child(scene: Scene) -> None:
    push(scene.drops, CHILD, "child")


def put_something_about_it(scene: Scene) -> None:
    push(scene.drops, artifact(INDEX, text="more"), "more")


def delete_the_index(scene: Scene) -> None:
    delete_manifest(scene.drops, Digest.of(INDEX.manifest), actor=ACTOR)


def mount_the_layer(scene: Scene) -> None:
    if links.mount(scene.other, scene.drops, digest_of(LAYER)):
        push(scene.other, CHILD, "mounted")


def ask_for_the_layer_and_put(scene: Scene) -> None:
    """What a HEAD promises without grace is nothing, but it must not do harm."""
    links.keep(get_link(scene.drops, Digest.of(LAYER)))
    put(scene.drops, CHILD, "child")


def upload_the_layer(scene: Scene) -> None:
    session = uploads.start(scene.drops, actor=ACTOR)
    for piece in (LAYER[:10], LAYER[10:]):
        session = uploads.append(session, [piece])
    uploads.finish(session, Digest.of(LAYER))


def push_the_layer_elsewhere(scene: Scene) -> None:
    push_blob(scene.other, LAYER)


def delete_the_repository(scene: Scene) -> None:
    delete_repository(scene.drops, actor=ACTOR)


def collect_as_well(scene: Scene) -> None:
    collect.collect()


OTHERS = [
    put_again,
    push_again,
    push_the_child,
    put_something_about_it,
    delete_the_index,
    mount_the_layer,
    ask_for_the_layer_and_put,
    upload_the_layer,
    push_the_layer_elsewhere,
    delete_the_repository,
    collect_as_well,
]


@pytest.mark.parametrize("other", OTHERS, ids=lambda act: act.__name__)
def test_whenever_it_comes_nothing_live_goes_and_nothing_dead_stays(scene, other):
    moment = 0
    while happens_at(moment, scene, other):
        moment += 1
    assert moment > 20, "there are not that few moments between transactions"


def happens_at(moment: int, scene: Scene, other: Callable[[Scene], None]) -> bool:
    """Play it once and undo everything; False if the collector had no such moment."""
    objects, point = dict(scene.store._objects), transaction.savepoint()
    try:
        with in_between(moment, lambda: other(scene)) as happened:
            collect_everything()
        collect_everything()
        nothing_live_is_gone_and_nothing_dead_is_left(scene)
    finally:
        transaction.savepoint_rollback(point)
        scene.store._objects = objects
    return bool(happened)


@contextmanager
def in_between(moment: int, act: Callable[[], None]) -> Iterator[list[bool]]:
    """Act before the query of this number that is made while no transaction is open."""
    depth, seen, happened = len(connection.savepoint_ids), [0], []

    def count(execute: Callable[..., Any], sql: str, *call: Any) -> Any:
        ends = sql.startswith("RELEASE")  # the same moment as the next one
        if len(connection.savepoint_ids) == depth and not happened and not ends:
            if seen[0] == moment:
                happened.append(True)
                with suppress(HubError):  # collected already, or on its way out
                    act()
            seen[0] += 1
        return execute(sql, *call)

    with connection.execute_wrapper(count):
        yield happened


def collect_everything() -> None:
    while any(collect.collect().values()):
        pass


def nothing_live_is_gone_and_nothing_dead_is_left(scene: Scene) -> None:
    assert check(rehash=True) == []
    for repository in (scene.drops, scene.other):
        tags = Tag.objects.filter(repository=repository)
        live: set[str] = set()
        for tag in tags.select_related("manifest"):
            mark(repository, bytes(tag.manifest.payload), live)
        kept = Manifest.objects.filter(repository=repository).values_list("digest", flat=True)
        linked = BlobLink.objects.filter(repository=repository)
        assert {*kept, *linked.values_list("blob__digest", flat=True)} == live
    assert not DiscardedObject.objects.exists()
    assert not Blob.objects.filter(links=None).exists()
    assert {*scene.store._objects} == {*Blob.objects.values_list("storage_key", flat=True)}


def mark(repository: Repository, payload: bytes, live: set[str]) -> None:
    """Everything reachable from a manifest: what it names, and what is about it."""
    document, digest = json.loads(payload), digest_of(payload)
    live.add(digest)
    named = [document["config"]] if "config" in document else []
    live |= {entry["digest"] for entry in [*named, *document.get("layers", [])]}
    below = Manifest.objects.filter(repository=repository)
    children = [entry["digest"] for entry in document.get("manifests", [])]
    for manifest in [*below.filter(digest__in=children), *below.filter(subject_digest=digest)]:
        if manifest.digest not in live:
            mark(repository, bytes(manifest.payload), live)


def test_the_marker_itself_sees_what_is_missing_and_what_is_left(scene):
    collect_everything()
    nothing_live_is_gone_and_nothing_dead_is_left(scene)
    push(scene.drops, Image(CHILD.manifest, CHILD.media_type, CHILD.blobs))
    with pytest.raises(AssertionError):
        nothing_live_is_gone_and_nothing_dead_is_left(scene)
