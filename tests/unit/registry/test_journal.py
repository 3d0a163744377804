"""The journal beside the bytes, and making every row anew from it, on each kind of store."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import Namespace
from events.jobs import run_job
from events.types import SYSTEM
from oci.digest import Digest
from registry.models import Blob, BlobLink, Manifest, ManifestBlob, ManifestChild, Tag, TagMove
from registry.services import journal, rebuild
from registry.services.check import check
from registry.services.manifests import delete_manifest
from registry.services.tags import delete_tag
from repos.models import Repository
from repos.services.repositories import delete_repository, update_repository
from storage import factory
from storage.local import LocalStore
from storage.memory import MemoryStore
from tests.images import image, multi
from tests.unit.registry.pushing import ACTOR, make_repository, push

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True, params=["local", "memory"])
def store(request, tmp_path, monkeypatch):
    """The store of everything in this test."""
    made = MemoryStore() if request.param == "memory" else LocalStore(tmp_path / "bytes")
    monkeypatch.setattr(factory, "LocalStore", lambda root: made)
    factory.get_store.cache_clear()
    return made


def keys(store) -> list[str]:
    return sorted(stored.key for stored in store.walk("journal"))


def everything() -> dict[str, object]:
    """All that a client can see, by path."""
    return {
        repository.path: (
            str(repository.visibility),
            sorted(
                Tag.objects.filter(repository=repository).values_list("name", "manifest__digest")
            ),
            sorted(
                (m.digest, m.media_type, bytes(m.payload), m.subject_digest, m.total_size)
                for m in Manifest.objects.filter(repository=repository)
            ),
            sorted(
                ManifestBlob.objects.filter(manifest__repository=repository).values_list(
                    "digest", "link__blob__storage_key"
                )
            ),
            sorted(
                ManifestChild.objects.filter(parent__repository=repository).values_list(
                    "child__digest", "platform"
                )
            ),
        )
        for repository in Repository.objects.filter(state="active")
    }


def lose_the_database() -> None:
    Tag.objects.all().delete()
    TagMove.objects.all().delete()
    ManifestChild.objects.all().delete()
    Manifest.objects.all().delete()
    BlobLink.objects.all().delete()
    Blob.objects.all().delete()
    Repository.objects.all().delete()
    Namespace.objects.all().delete()


def test_a_lost_database_comes_back_with_the_same_digests(repository, alice):
    deep = make_repository(alice.namespace, "tags/manifests/app", visibility="public")
    make_repository(alice.namespace, "empty")
    push(repository, image("a"), "1.0")
    push(repository, image("a"), "latest")
    push(repository, multi("b"), "2.0")
    push(repository, image("untagged"))
    push(deep, multi("b"), "x")
    journal.catch_up_all()
    before = everything()
    lose_the_database()
    report = rebuild.rebuild()
    assert report.problems == []
    assert everything() == before
    assert (report.repositories, report.tags) == (3, 4)
    assert check() == []
    again = rebuild.rebuild()
    assert (again.repositories, again.manifests, again.tags, again.problems) == (0, 0, 0, [])


def test_the_job_writes_what_changed_and_takes_away_what_went(repository, store):
    run_job(journal.JOB)
    one = push(repository, image("a"), "1.0")
    two = push(repository, image("b"), "2.0")
    run_job(journal.JOB)
    folder = "journal/alice:app"
    assert keys(store) == [
        *sorted(f"{folder}/manifests/{m.digest}" for m in (one, two)),
        f"{folder}/repository/private",
        f"{folder}/tags/1.0/{one.digest}",
        f"{folder}/tags/2.0/{two.digest}",
    ]
    push(repository, image("b"), "1.0")
    delete_tag(repository, "2.0", actor=ACTOR)
    update_repository(repository, actor=ACTOR, visibility="public")
    run_job(journal.JOB)
    found = keys(store)
    assert f"{folder}/tags/1.0/{two.digest}" in found
    assert f"{folder}/repository/public" in found
    assert len([key for key in found if "/tags/" in key or "/repository/" in key]) == 2
    delete_manifest(repository, Digest.parse(two.digest), actor=ACTOR)
    run_job(journal.JOB)
    assert [key for key in keys(store) if two.digest in key] == []
    delete_repository(repository, actor=ACTOR)
    run_job(journal.JOB)
    assert keys(store) == []


def test_what_the_job_missed_is_found_by_the_nightly_one(repository, store):
    run_job(journal.JOB)
    push(repository, image("a"), "1.0")
    long_ago = timezone.now() - timezone.timedelta(days=1)
    Repository.objects.update(last_pushed_at=long_ago)
    repository.refresh_from_db()
    Repository.objects.filter(pk=repository.pk).update(path="alice/new", name="new")
    run_job("registry.journal_all")
    assert {key.split("/")[1] for key in keys(store)} == {"alice:new"}


def test_nothing_is_written_twice(repository, store, monkeypatch):
    push(repository, multi("a"), "1.0")
    journal.catch_up_all()
    written = []
    monkeypatch.setattr(store, "put", lambda key, chunks: written.append(key))
    journal.catch_up_all()
    assert written == []


def test_another_database_leaves_the_journal_alone_until_it_was_rebuilt(repository, store):
    push(repository, image("a"), "1.0")
    run_job(journal.JOB)
    before, kept = everything(), keys(store)
    lose_the_database()
    for job in (journal.JOB, "registry.journal_all"):
        run_job(job)
    assert not journal.is_ours()
    assert keys(store) == kept
    rebuild.rebuild()
    assert journal.is_ours()
    assert everything() == before
    delete_repository(Repository.objects.get(), actor=ACTOR)
    run_job("registry.journal_all")
    assert keys(store) == []


def test_of_two_digests_of_a_tag_the_newer_one_counts(repository, store):
    old, new = push(repository, image("a"), "1.0"), push(repository, image("b"), "1.0")
    journal.catch_up_all()
    (key,) = [key for key in keys(store) if "/tags/" in key]
    store.delete(key)
    for digest in (old.digest, new.digest):  # as if the job died between the two steps
        store.put(f"journal/alice:app/tags/1.0/{digest}", [b"-"])
    lose_the_database()
    rebuild.rebuild()
    assert Tag.objects.get().manifest.digest == new.digest


def test_bytes_that_lie_elsewhere_are_found_by_their_digest(repository, store):
    push(repository, image("a"), "1.0")
    journal.catch_up_all()
    before = everything()
    blob = Blob.objects.order_by("pk").first()
    lose_the_database()
    data = b"".join(store.open(blob.storage_key))
    store.delete(blob.storage_key)
    store.put("objects/zz/elsewhere-1", [data])
    assert rebuild.rebuild().problems == []
    assert Blob.objects.get(digest=blob.digest).storage_key == "objects/zz/elsewhere-1"
    assert everything()["alice/app"][1] == before["alice/app"][1]


def test_what_cannot_be_made_is_told_and_the_rest_is_made(repository, store):
    push(repository, image("a"), "good")
    bad = push(repository, image("b"), "bad")
    journal.catch_up_all()
    gone = ManifestBlob.objects.filter(manifest=bad).first().link.blob.storage_key
    lose_the_database()
    store.delete(gone)
    report = rebuild.rebuild()
    assert sorted(report.problems) == sorted(
        [
            f"alice/app:bad: its manifest {bad.digest} is missing",
            f"alice/app@{bad.digest}: parts of it are missing",
        ]
    )
    assert [tag.name for tag in Tag.objects.all()] == ["good"]


def test_rows_that_are_there_win(repository):
    push(repository, image("a"), "1.0")
    journal.catch_up_all()
    newer = push(repository, image("b"), "1.0")
    rebuild.rebuild()
    assert Tag.objects.get().manifest == newer
    assert not Repository.objects.exclude(pk=repository.pk).exists()
    assert SYSTEM.id is None
