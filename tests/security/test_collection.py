"""GC-01 to GC-04: what is alive is never collected, whatever happens at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oci.digest import Digest
from registry.errors import BlobUnknown, ManifestBlobUnknown
from registry.models import Blob, BlobLink, Manifest, ManifestBlob, Tag
from registry.services import collect, links
from registry.services.check import check
from registry.services.manifests import delete_manifest
from registry.services.tags import delete_tag
from repos.models import Repository
from storage.base import ObjectMissing
from storage.factory import get_store
from tests.images import Image, artifact, digest_of, image, index
from tests.security.world import undone
from tests.unit.registry import pushing
from tests.unit.repos.people import person, repository

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_once(hub_settings: Callable[..., None]) -> None:
    """Everything unreferenced is due at once."""
    hub_settings(push_grace_s=0, untag_grace_s=0, discard_grace_s=0, trash_days=0)


@pytest.fixture
def keeps() -> Repository:
    """A repository that lets untagged manifests go."""
    return repository(person("alice").namespace, "keeps", untagged_days=0)


def collect_all() -> None:
    """Until a round has nothing to do."""
    while any(collect.collect().values()):
        pass


# --- GC-01

IMAGES = [image(f"gc {n}", layers=1, size=20) for n in range(3)]
SHARED = Image(IMAGES[0].manifest.replace(b'"schemaVersion":2', b'"schemaVersion": 2'),
               IMAGES[0].media_type, IMAGES[0].blobs)  # fmt: skip
INDEXES = [index(IMAGES[:2], ["amd64", "arm64"]), index([IMAGES[1], SHARED], ["amd64", "arm64"])]
NESTED = index([INDEXES[0]], ["amd64"])
NOTES = [artifact(IMAGES[0], text="one"), artifact(INDEXES[0], text="two")]
ABOUT_A_NOTE = artifact(NOTES[0], text="three")
THINGS = [*IMAGES, SHARED, *INDEXES, NESTED, *NOTES, ABOUT_A_NOTE]


def marked(pushed: list[Image], tagged: list[Image]) -> tuple[set[str], set[str]]:
    """The naive marker: manifests and blobs that live when only `tagged` are held by tags."""
    there = {thing.digest: thing for thing in every(pushed)}
    alive = {thing.digest for thing in tagged}
    subjects = {NOTES[0].digest: IMAGES[0].digest, NOTES[1].digest: INDEXES[0].digest}
    subjects[ABOUT_A_NOTE.digest] = NOTES[0].digest
    while True:
        more = {child.digest for digest in alive for child in there[digest].children}
        more |= {note for note, about in subjects.items() if note in there and about in alive}
        if more <= alive:
            return alive, {digest_of(b) for digest in alive for b in there[digest].blobs}
        alive |= more


def every(things: list[Image]) -> Iterator[Image]:
    for thing in things:
        yield thing
        yield from every(thing.children)


picks = st.lists(st.sampled_from(THINGS), max_size=6, unique_by=lambda thing: thing.digest)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(held=picks, let_go=picks)
def test_gc01_what_lives_is_what_a_naive_marker_says(
    keeps: Repository, held: list[Image], let_go: list[Image]
) -> None:
    with undone():
        for number, thing in enumerate([*held, *let_go]):
            pushing.push(keeps, thing, f"t{number}")
        for number in range(len(held), len(held) + len(let_go)):
            delete_tag(keeps, f"t{number}", actor=pushing.ACTOR)
        collect_all()
        manifests, blobs = marked([*held, *let_go], held)
        assert set(Manifest.objects.values_list("digest", flat=True)) == manifests
        found = BlobLink.objects.filter(repository=keeps).values_list("blob__digest", flat=True)
        assert set(found) == blobs
        assert set(Blob.objects.values_list("digest", flat=True)) == blobs
        assert check(rehash=True) == []


def test_gc01_a_digest_shared_with_another_repository_lives_for_it(keeps: Repository) -> None:
    other = repository(keeps.namespace, "other")
    for where in (keeps, other):
        pushing.push(where, IMAGES[0], "1")
    delete_manifest(keeps, Digest.parse(IMAGES[0].digest), actor=pushing.ACTOR)
    collect_all()
    assert not Manifest.objects.filter(repository=keeps).exists()
    for blob in IMAGES[0].blobs:
        row = Blob.objects.get(digest=digest_of(blob))
        assert b"".join(get_store().open(row.storage_key)) == blob
        assert not BlobLink.objects.filter(repository=keeps, blob=row).exists()
    assert check(rehash=True) == []


# --- GC-02


def in_threads(*acts: Callable[[], Any]) -> None:
    """All at once; each has a connection of its own, and all must end well."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        try:
            barrier.wait()
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        for future in [pool.submit(run, act) for act in acts]:
            future.result()


def push_some(target: Repository, seed: int) -> None:
    """Eight images, every other one the same for all; every third loses its tag again."""
    for number in range(8):
        thing = image(f"{seed if number % 2 else 'both'} {number}", layers=1, size=20)
        push_stubbornly(target, thing, f"{seed}-{number}")
        for blob in thing.blobs:
            row = BlobLink.objects.get(repository=target, blob__digest=digest_of(blob)).blob
            assert b"".join(get_store().open(row.storage_key)) == blob
        if number % 3 == 2:
            delete_tag(target, f"{seed}-{number}", actor=pushing.ACTOR)


def push_stubbornly(target: Repository, thing: Image, tag: str) -> None:
    """A blob may be collected before the manifest comes; then clients send it again."""
    for _ in range(200):
        with suppress(ManifestBlobUnknown):
            pushing.push(target, thing, tag)
            return
    pytest.fail("the manifest never found its blobs")


@pytest.mark.django_db(transaction=True)
def test_gc02_pushers_deleters_and_collectors_without_grace(keeps: Repository) -> None:
    """A push that was acknowledged is whole at once and as long as its tag is there."""
    stop = threading.Event()

    def pushers() -> None:
        try:
            in_threads(*(lambda seed=seed: push_some(keeps, seed) for seed in range(2)))
        finally:
            stop.set()

    def collector() -> None:
        while not stop.is_set():
            collect.collect()

    in_threads(pushers, collector, collector)
    collect_all()
    assert check(rehash=True) == []
    assert Tag.objects.count() == 12
    for part in ManifestBlob.objects.filter(manifest__in=Tag.objects.values("manifest")):
        assert part.link is not None
        assert get_store().size(part.link.blob.storage_key) == part.size


@pytest.mark.django_db(transaction=True)
def test_gc02_bytes_pushed_again_outlive_the_delete_of_the_old_ones(keeps: Repository) -> None:
    """What the discard pile deletes has a key that nothing new ever gets."""
    data = b"deleted and pushed again"
    for _ in range(15):
        pushing.push_blob(keeps, data)
        in_threads(collect.collect, lambda: pushing.push_blob(keeps, data))
        link = BlobLink.objects.filter(repository=keeps).first()
        if link is not None:
            assert b"".join(get_store().open(link.blob.storage_key)) == data
        collect_all()
    assert Blob.objects.count() == 0
    assert check() == []


@pytest.mark.django_db(transaction=True)
def test_gc02_a_promise_to_a_client_and_a_collection_do_not_cross(
    keeps: Repository, hub_settings: Callable[..., None]
) -> None:
    """HEAD says that a blob is here, and the collector takes it: one of the two comes first."""
    for _ in range(15):
        hub_settings(push_grace_s=0)
        blob = pushing.push_blob(keeps, b"kept or gone")
        link = BlobLink.objects.select_related("blob").get(blob=blob)
        hub_settings(push_grace_s=3600)
        kept: list[bool] = []

        def promise(link: BlobLink = link, kept: list[bool] = kept) -> None:
            with suppress(BlobUnknown):
                links.keep(link)
                kept.append(True)

        in_threads(promise, collect.review_links)
        assert BlobLink.objects.filter(pk=link.pk).exists() == bool(kept)
        BlobLink.objects.filter(pk=link.pk).update(review_after=timezone.now())
        collect_all()
        hub_settings(push_grace_s=0)
        collect_all()


# --- GC-03


class Held:
    """Stops a thread at a place of our choosing, until another has had time to come between."""

    def __init__(self, real: Callable[..., Any], act: Callable[[], Any]) -> None:
        self.real = real
        self.act = act
        self.crossed = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.act()
        finally:
            self.crossed.set()
            connection.close()

    def __call__(self, *arguments: Any, **values: Any) -> Any:
        found = self.real(*arguments, **values)
        if not self.thread.is_alive() and not self.crossed.is_set():
            self.thread.start()
            self.crossed.wait(0.3)
        return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("reviewed", ["link", "manifest"])
def test_gc03_a_delete_that_crosses_a_review_stays_in_the_queue(
    keeps: Repository, monkeypatch: pytest.MonkeyPatch, reviewed: str
) -> None:
    """The review has seen that the row is in use; before it says so, the use ends."""
    manifest = pushing.push(keeps, INDEXES[0], "1")
    past = timezone.now() - timezone.timedelta(seconds=5)
    if reviewed == "link":
        act, rows = collect.review_links, BlobLink.objects.filter(repository=keeps)
    else:
        act, rows = collect.review_manifests, Manifest.objects.exclude(pk=manifest.pk)
    rows.update(review_after=past)
    real = collect._due
    held = Held(real, lambda: delete_manifest(
        keeps, Digest.parse(INDEXES[0].digest), actor=pushing.ACTOR))  # fmt: skip
    monkeypatch.setattr(collect, "_due", held)
    act()
    held.thread.join(20)
    monkeypatch.setattr(collect, "_due", real)
    assert not Manifest.objects.filter(pk=manifest.pk).exists()
    collect_all()
    assert Manifest.objects.count() == BlobLink.objects.count() == Blob.objects.count() == 0
    assert check() == []


# --- GC-04


def test_gc04_odd_entries_of_the_store_do_not_stop_the_walk(keeps: Repository) -> None:
    pushing.push(keeps, IMAGES[0], "1")
    root = get_store().root
    odd = root / "objects" / "zz"
    odd.mkdir(parents=True)
    (odd / "README").write_text("not ours")
    (odd / "a b\u00fc\n").write_text("odd name")
    (odd / "link").symlink_to("/nowhere")
    (odd / "deep").mkdir()
    (root / "lost+found").mkdir()
    pushing.push(keeps, IMAGES[1], "2")
    delete_tag(keeps, "2", actor=pushing.ACTOR)
    collect_all()
    collect.sweep()
    assert check() == []
    gone = {digest_of(b) for b in IMAGES[1].blobs} - {digest_of(b) for b in IMAGES[0].blobs}
    assert not Blob.objects.filter(digest__in=gone).exists()
    for row in Blob.objects.all():
        try:
            assert get_store().size(row.storage_key) == row.size
        except ObjectMissing:
            pytest.fail(f"{row.digest} was live")
