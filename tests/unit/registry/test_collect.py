"""Collection: nothing live goes, everything dead goes, and a crash in between does no harm."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from core.errors import Unavailable
from registry import selectors
from registry.models import (
    Blob,
    BlobLink,
    DiscardedObject,
    Manifest,
    Tag,
    TagMove,
    UploadSession,
)
from registry.services import collect, uploads
from registry.services.check import check
from registry.services.manifests import delete_manifest
from registry.services.tags import delete_tag
from repos.models import Repository
from repos.services.repositories import create_repository, delete_repository
from storage.factory import CONTENT_PREFIXES, get_store
from storage.local import LocalStore
from tests.images import artifact, image, index, multi
from tests.unit.registry.pushing import ACTOR, digest, push, push_blob

pytestmark = pytest.mark.django_db


def objects():
    return [o.key for prefix in CONTENT_PREFIXES for o in get_store().walk(prefix)]


def rounds(count: int = 4) -> None:
    for _ in range(count):
        collect.collect()


def test_a_whole_life_ends_with_no_row_and_no_byte(repository, no_grace):
    Repository.objects.update(untagged_days=0)
    push(repository, multi(), "latest")
    rounds()
    assert (Manifest.objects.count(), len(objects())) == (4, 9)
    delete_tag(repository, "latest", actor=ACTOR)
    rounds()
    for model in (Manifest, BlobLink, Blob, DiscardedObject, Tag):
        assert not model.objects.exists(), model
    assert objects() == []
    assert check() == []


def test_each_round_tells_how_many_of_what_it_dropped(repository, no_grace):
    stored = push(repository, image(), "latest")
    delete_manifest(repository, digest(bytes(stored.payload)), actor=ACTOR)
    uploads.start(repository, actor=ACTOR)
    UploadSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert collect.collect() == {
        "uploads": 1,
        "legacy pushes": 0,
        "abandoned": 0,
        "repositories": 0,
        "manifests": 0,
        "links": 3,
        "blobs": 3,
        "objects": 3,
    }


def test_a_blob_no_manifest_followed_goes_after_its_grace_and_not_before(repository):
    push_blob(repository, b"x")
    now = timezone.now()
    with time_machine.travel(now + timedelta(hours=23)):
        rounds()
        assert BlobLink.objects.exists()
    with time_machine.travel(now + timedelta(hours=25)):
        rounds()
        assert not BlobLink.objects.exists()
        assert not Blob.objects.exists()
        assert len(objects()) == 1
    with time_machine.travel(now + timedelta(hours=28)):
        rounds()
        assert objects() == []


def test_discarded_bytes_stay_for_who_still_reads_them_until_their_grace_is_over(
    repository, hub_settings
):
    hub_settings(push_grace_s=0, untag_grace_s=0, discard_grace_s=3600, trash_days=0)
    blob = push_blob(repository, b"being read")
    rounds()
    assert not Blob.objects.exists()
    assert b"".join(get_store().open(blob.storage_key)) == b"being read"
    with time_machine.travel(timezone.now() + timedelta(minutes=59)):
        rounds()
        assert get_store().size(blob.storage_key) == 10
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        rounds()
    assert objects() == []


def test_untagged_manifests_are_kept_unless_the_repository_says_otherwise(repository, no_grace):
    stored = push(repository, image("1"), "latest")
    push(repository, image("2"), "latest")
    push(repository, image("3"))
    rounds()
    assert Manifest.objects.count() == 3
    assert Manifest.objects.get(pk=stored.pk).review_after is None


def test_an_untagged_manifest_goes_when_it_is_as_old_as_the_rule_says(repository, no_grace):
    Repository.objects.update(untagged_days=7)
    push(repository, image("1"), "latest")
    push(repository, image("2"), "latest")
    push(repository, image("3"))  # never had a tag
    now = timezone.now()
    with time_machine.travel(now + timedelta(days=6)):
        rounds()
        assert Manifest.objects.count() == 3
    with time_machine.travel(now + timedelta(days=8)):
        rounds()
    assert [m.digest for m in Manifest.objects.all()] == [image("2").digest]
    assert check() == []


def test_children_live_as_long_as_their_index(repository, no_grace):
    Repository.objects.update(untagged_days=0)
    inner = index([image("1")], ["amd64"])
    push(repository, index([inner], ["amd64"]), "latest")
    rounds()
    assert Manifest.objects.count() == 3
    delete_tag(repository, "latest", actor=ACTOR)
    rounds()
    assert not Manifest.objects.exists()
    assert objects() == []


def test_referrers_live_as_long_as_their_subject(repository, no_grace):
    Repository.objects.update(untagged_days=0)
    subject = image()
    push(repository, subject, "latest")
    push(repository, artifact(subject))
    rounds()
    assert Manifest.objects.count() == 2
    delete_tag(repository, "latest", actor=ACTOR)
    rounds()
    assert not Manifest.objects.exists()


def test_a_manifest_a_kept_move_names_is_not_collected(repository, no_grace):
    Repository.objects.update(untagged_days=0)
    push(repository, image(), "latest")
    delete_tag(repository, "latest", actor=ACTOR)
    TagMove.objects.update(keep_until=timezone.now() + timedelta(hours=1))
    rounds()
    assert Manifest.objects.count() == 1
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        rounds()
    assert not Manifest.objects.exists()


def test_layers_shared_with_a_live_image_or_another_repository_stay(repository, other, no_grace):
    Repository.objects.update(untagged_days=0)
    push(repository, image("1", layers=1), "one")
    push(other, image("1", layers=1), "one")
    delete_tag(repository, "one", actor=ACTOR)
    rounds()
    assert not BlobLink.objects.filter(repository=repository).exists()
    assert BlobLink.objects.filter(repository=other).count() == 2
    assert check(rehash=True) == []


def test_a_link_that_got_a_manifest_since_it_was_queued_leaves_the_queue(repository, no_grace):
    push(repository, image(), "latest")
    BlobLink.objects.update(review_after=timezone.now())
    Blob.objects.update(review_after=timezone.now())
    assert set(collect.collect().values()) == {0}
    assert not BlobLink.objects.exclude(review_after=None).exists()
    assert not Blob.objects.exclude(review_after=None).exists()
    assert check() == []


def test_a_manifest_that_got_a_tag_since_it_was_queued_leaves_the_queue(repository, no_grace):
    Repository.objects.update(untagged_days=0)
    push(repository, image(), "latest")
    Manifest.objects.update(review_after=timezone.now())
    collect.collect()
    assert Manifest.objects.get().review_after is None


@pytest.mark.parametrize("reviewed", ["manifest", "link", "blob"])
def test_a_date_moved_later_since_the_row_was_listed_is_respected(
    repository, no_grace, monkeypatch, reviewed
):
    Repository.objects.update(untagged_days=0)
    if reviewed == "manifest":
        push(repository, image(layers=0))
    else:
        push_blob(repository, b"x")
    if reviewed == "blob":
        collect.review_links()
    model = {"manifest": Manifest, "link": BlobLink, "blob": Blob}[reviewed]
    pk = model.objects.get().pk
    model.objects.update(review_after=timezone.now() + timedelta(hours=1))
    assert getattr(collect, f"_review_{reviewed}")(pk) is False
    assert model.objects.filter(pk=pk).exists()


def test_a_review_of_what_has_gone_is_nothing(repository):
    for reviewed in ("manifest", "link", "blob"):
        assert getattr(collect, f"_review_{reviewed}")(2**40) is False


@pytest.mark.parametrize("reviewed", ["manifest", "link"])
def test_a_review_whose_repository_goes_meanwhile_is_nothing(
    repository, no_grace, monkeypatch, reviewed
):
    push(repository, image(layers=0))
    model = {"manifest": Manifest, "link": BlobLink}[reviewed]
    pk = model.objects.get().pk
    lock = collect._lock

    def lock_after_purge(key):
        monkeypatch.setattr(collect, "_lock", lock)
        delete_repository(repository, actor=ACTOR)
        collect.purge_repositories()
        return lock(key)

    monkeypatch.setattr(collect, "_lock", lock_after_purge)
    assert getattr(collect, f"_review_{reviewed}")(pk) is False


def test_deleting_a_repository_frees_everything_and_its_path_at_once(repository, alice, no_grace):
    push(repository, multi(), "latest")
    push(repository, artifact(image("x")), "x")
    uploads.append(uploads.start(repository, actor=ACTOR), [b"unfinished"])
    delete_repository(repository, actor=ACTOR)
    fresh = create_repository(alice.namespace, "app", actor=ACTOR)
    assert fresh.pk != repository.pk
    assert selectors.list_tag_names(fresh, last="", limit=9) == []
    rounds(2)
    for model in (Manifest, BlobLink, Blob, DiscardedObject, UploadSession):
        assert not model.objects.exists(), model
    assert objects() == []
    # The bare row stays while deliveries about it may be under way.
    assert [r.state for r in Repository.objects.order_by("pk")] == ["deleted", "active"]
    with time_machine.travel(timezone.now() + timedelta(days=4), tick=False):
        rounds(1)
    assert [r.pk for r in Repository.objects.all()] == [fresh.pk]
    assert not TagMove.objects.exists()


def test_what_another_repository_shares_survives_the_deletion(repository, other, no_grace):
    push(repository, image(), "latest")
    push(other, image(), "latest")
    delete_repository(repository, actor=ACTOR)
    rounds()
    assert Blob.objects.count() == 3
    assert check(rehash=True) == []


def test_two_rounds_at_once_over_a_deleted_repository_do_no_harm(repository, no_grace, monkeypatch):
    push(repository, image(), "latest")
    uploads.append(uploads.start(repository, actor=ACTOR), [b"unfinished"])
    delete_repository(repository, actor=ACTOR)
    cancel = uploads.cancel

    def cancel_after_the_other_round(session):
        monkeypatch.setattr(uploads, "cancel", cancel)
        assert collect.purge_repositories() == 1
        cancel(session)

    monkeypatch.setattr(uploads, "cancel", cancel_after_the_other_round)
    assert collect.purge_repositories() == 0
    rounds()
    assert objects() == []


def test_an_upload_that_begins_during_the_deletion_is_dropped_by_the_next_round(
    repository, no_grace, monkeypatch
):
    delete_repository(repository, actor=ACTOR)
    drop = collect._drop_links

    def drop_while_an_upload_begins(row):
        monkeypatch.setattr(collect, "_drop_links", drop)
        uploads.append(uploads.start(row, actor=ACTOR), [b"late"])
        return drop(row)

    monkeypatch.setattr(collect, "_drop_links", drop_while_an_upload_begins)
    assert collect.purge_repositories() == 0
    assert collect.purge_repositories() == 1
    collect.empty_discarded()
    assert objects() == []


def test_a_store_that_fails_leaves_the_work_for_the_next_round(repository, no_grace, monkeypatch):
    push_blob(repository, b"x")

    def fail(self, key):
        raise Unavailable("disk")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "delete", fail)
        with pytest.raises(Unavailable):
            collect.collect()
    assert DiscardedObject.objects.count() == 1
    assert check() == []
    rounds(1)
    assert objects() == []


def test_dropped_blobs_pushed_again_get_a_new_key_the_old_copy_cannot_harm(
    repository, hub_settings, no_grace
):
    hub_settings(discard_grace_s=3600)
    old = push_blob(repository, b"x")
    rounds()
    new = push_blob(repository, b"x")
    assert new.storage_key != old.storage_key
    hub_settings(discard_grace_s=0)
    collect.empty_discarded()
    assert b"".join(get_store().open(Blob.objects.get().storage_key)) == b"x"


def test_what_a_killed_process_left_in_the_store_is_swept_after_a_while(repository, tmp_path):
    session = uploads.start(repository, actor=ACTOR)
    uploads.append(session, [b"still being uploaded"])
    store = get_store()
    lost = f"staging/{uuid.uuid4()}/{uuid.uuid4().hex}"
    store.put(lost, [b"its row was never written"])
    half = store.path(lost).with_name(".writing-1")
    half.write_bytes(b"half")
    assert collect.sweep() == 0
    with time_machine.travel(timezone.now() + timedelta(days=3), tick=False):
        assert collect.sweep() == 2
        assert collect.sweep() == 0
    assert not half.exists()
    assert len(objects()) == 1
