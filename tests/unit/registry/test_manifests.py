"""Manifests: nothing is kept whose content is not here, and every write is whole or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from core.errors import Denied
from events.models import Event
from oci.digest import Digest
from oci.errors import DigestInvalid, ManifestInvalid
from registry import selectors
from registry.errors import (
    InUse,
    ManifestBlobUnknown,
    ManifestUnknown,
    NameUnknown,
    TagImmutable,
)
from registry.models import BlobLink, Manifest, ManifestBlob, ManifestChild, Tag, TagMove
from registry.services import manifests, tags
from registry.services.check import check
from registry.services.manifests import delete_manifest, put_manifest
from repos.models import Repository
from repos.services.repositories import delete_repository
from tests.images import (
    OCI_INDEX,
    OCI_MANIFEST,
    artifact,
    as_json,
    descriptor,
    digest_of,
    image,
    index,
    multi,
)
from tests.unit.registry.pushing import ACTOR, digest, manifest, push, push_blob, put

pytestmark = pytest.mark.django_db
BIG = 2**63 - 1


def rows():
    """Every row a push can make."""
    models = (Manifest, ManifestBlob, ManifestChild, Tag, TagMove, Event)
    return {m.__name__: m.objects.count() for m in models}


def explode(*_, **__):
    raise MemoryError


def test_a_push_by_tag_keeps_the_exact_bytes_and_all_it_names(repository):
    whole = image()
    stored = push(repository, whole, "latest")
    assert bytes(Manifest.objects.get().payload) == whole.manifest
    assert (stored.digest, stored.media_type) == (whole.digest, OCI_MANIFEST)
    assert [(b.role, b.position, b.digest) for b in stored.blobs.order_by("pk")] == [
        ("config", 0, digest_of(whole.blobs[0])),
        ("layer", 0, digest_of(whole.blobs[1])),
        ("layer", 1, digest_of(whole.blobs[2])),
    ]
    assert stored.total_size == sum(map(len, whole.blobs))
    assert (stored.pushed_by_id, stored.pushed_by_name) == (1, "alice")
    assert not BlobLink.objects.exclude(review_after=None).exists()
    assert Repository.objects.get(pk=repository.pk).last_pushed_at is not None
    assert check(rehash=True) == []


def test_every_missing_digest_is_named_and_nothing_is_kept(repository, other):
    whole = image(layers=3)
    push_blob(repository, whole.blobs[1])
    push_blob(other, whole.blobs[2])  # linked, but elsewhere
    before = rows()
    with pytest.raises(ManifestBlobUnknown) as caught:
        put(repository, whole, "latest")
    missing = [digest_of(whole.blobs[i]) for i in (0, 2, 3)]
    assert caught.value.missing == missing
    assert caught.value.detail == [{"digest": d} for d in missing]
    assert rows() == before


def test_a_lying_size_of_a_blob_is_refused(repository):
    push_blob(repository, b"{}")
    push_blob(repository, b"layer")
    lie = {**descriptor("text/plain", b"layer"), "size": 6}
    with pytest.raises(ManifestInvalid, match="is 5, not 6"):
        put(repository, manifest(layers=[lie]))
    assert not Manifest.objects.exists()


def test_a_lying_size_of_a_child_is_refused(repository):
    child = image()
    push(repository, child)
    lie = {**descriptor(child.media_type, child.manifest), "size": 1}
    payload = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [lie]})
    with pytest.raises(ManifestInvalid, match=f"is {len(child.manifest)}, not 1"):
        put(repository, payload)


def test_a_child_must_be_in_the_same_repository(repository, other):
    child = image()
    push(other, child)
    with pytest.raises(ManifestBlobUnknown) as caught:
        put(repository, index([child], ["amd64"]))
    assert caught.value.missing == [child.digest]


def test_an_index_knows_its_children_in_order_with_their_platforms_and_total_size(repository):
    whole = multi()
    stored = push(repository, whole, "latest")
    rows = list(stored.children.order_by("position"))
    assert [(r.child_digest, r.platform) for r in rows] == [
        (c.digest, f"linux/{a}")
        for c, a in zip(whole.children, ("amd64", "arm64", "arm"), strict=True)
    ]
    assert [r.child.digest for r in rows] == [c.digest for c in whole.children]
    assert stored.total_size == sum(len(b) for c in whole.children for b in c.blobs)
    assert check() == []


def test_a_child_listed_twice_counts_once_in_size_and_twice_in_rows(repository):
    child = image()
    stored = push(repository, index([child, child], ["amd64", "arm64"]))
    assert stored.children.count() == 2
    assert stored.total_size == sum(map(len, child.blobs))


def test_an_index_of_blobs_as_build_caches_push_it_keeps_them_linked(repository):
    layer, config = b"cached layer", b'{"layers":[]}'
    for data in (layer, config):
        push_blob(repository, data)
    kinds = ("application/vnd.oci.image.layer.v1.tar", "application/vnd.buildkit.cacheconfig.v0")
    entries = [descriptor(k, d) for k, d in zip(kinds, (layer, config), strict=True)]
    payload = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    stored = put(repository, payload, "cache").manifest
    assert [b.role for b in stored.blobs.order_by("position")] == ["child", "child"]
    assert not BlobLink.objects.exclude(review_after=None).exists()
    lie = [{**entries[0], "size": 1}]
    payload = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": lie})
    with pytest.raises(ManifestInvalid):
        put(repository, payload)
    assert check() == []


def test_a_blob_link_an_index_does_not_use_stays_in_the_collectors_queue(repository):
    child = image()
    push(repository, child)
    push_blob(repository, child.manifest)  # the child's bytes as a blob too
    put(repository, index([child], ["amd64"]))
    link = BlobLink.objects.get(blob__digest=child.digest)
    assert link.review_after is not None
    assert check() == []


@pytest.mark.parametrize("reference", ["latest", None])
def test_putting_the_same_again_changes_nothing(repository, reference):
    whole = image()
    first = push(repository, whole, reference)
    before = rows()
    again = put(repository, whole, reference)
    assert again.manifest == first
    assert rows() == before


def test_a_digest_kept_under_one_type_is_refused_under_another(repository):
    push_blob(repository, b"{}")
    payload = manifest(mediaType=None)
    docker = "application/vnd.docker.distribution.manifest.v2+json"
    put_manifest(
        repository, payload, content_type=OCI_MANIFEST, reference=digest(payload), actor=ACTOR
    )
    with pytest.raises(ManifestInvalid, match="already kept as"):
        put_manifest(
            repository, payload, content_type=docker, reference=digest(payload), actor=ACTOR
        )


def test_the_digest_of_the_address_must_be_that_of_the_bytes(repository):
    push_blob(repository, b"{}")
    with pytest.raises(DigestInvalid):
        put(repository, manifest(), digest(b"something else"))
    assert put(repository, manifest(), digest(manifest(), "sha512")).digest.startswith("sha512:")
    assert check() == []


def test_foreign_layers_may_be_absent_and_claim_any_size(repository):
    push_blob(repository, b"{}")
    kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    layers = [{**descriptor(kind, bytes([n])), "size": BIG} for n in range(2)]
    stored = put(repository, manifest(layers=layers)).manifest
    assert Manifest.objects.get(pk=stored.pk).total_size == BIG
    assert check() == []


def test_a_long_platform_is_cut_to_what_the_column_holds(repository):
    child = image()
    push(repository, child)
    platform = {"os": "o" * 255, "architecture": "a" * 255}
    entry = descriptor(child.media_type, child.manifest, platform=platform)
    payload = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
    put(repository, payload)
    assert len(ManifestChild.objects.get().platform) == 255


def test_a_tag_moves_with_history_and_exactly_one_event_for_each_real_move(repository):
    one, two = image("1"), image("2")
    for whole in (one, one, two, two, one):
        push(repository, whole, "latest")
    moves = TagMove.objects.order_by("pk").values_list("previous_digest", "digest", "kind")
    assert list(moves) == [
        ("", one.digest, "push"),
        (one.digest, two.digest, "push"),
        (two.digest, one.digest, "push"),
    ]
    assert [e.payload for e in Event.objects.order_by("pk")] == [
        {"tag": "latest", "digest": d, "media_type": OCI_MANIFEST, "previous_digest": p}
        for p, d, _ in moves
    ]
    assert Event.objects.first().repository_path == "alice/app"
    assert Tag.objects.get().manifest.digest == one.digest


def test_the_manifest_a_tag_left_is_queued_for_review(repository):
    one = push(repository, image("1"), "latest")
    push(repository, image("2"), "latest")
    one.refresh_from_db()
    assert one.review_after > timezone.now() + timedelta(hours=23)


def test_a_manifest_pushed_by_digest_is_queued_and_pushing_it_again_prolongs_that(repository):
    stored = push(repository, image())
    stored.refresh_from_db()
    first = stored.review_after
    assert first > timezone.now() + timedelta(hours=23)
    with time_machine.travel(timezone.now() + timedelta(hours=5)):
        put(repository, image())
    stored.refresh_from_db()
    assert stored.review_after >= first + timedelta(hours=4)


@pytest.mark.parametrize(
    ("module", "name"), [(manifests, "save_info"), (tags, "record"), (manifests, "_child_rows")]
)
def test_an_error_anywhere_in_a_put_leaves_nothing(repository, monkeypatch, module, name):
    whole = image()
    for data in whole.blobs:
        push_blob(repository, data)
    before = rows()
    monkeypatch.setattr(module, name, explode)
    with pytest.raises(MemoryError):
        put(repository, whole, "latest")
    assert rows() == before
    assert not BlobLink.objects.filter(review_after=None).exists()
    assert Repository.objects.get(pk=repository.pk).last_pushed_at is None


@pytest.mark.parametrize(
    ("module", "name"), [(manifests, "record"), (manifests, "drop_manifest"), (tags, "record")]
)
def test_an_error_anywhere_in_a_delete_leaves_everything(repository, monkeypatch, module, name):
    stored = push(repository, image(), "latest")
    before = rows()
    monkeypatch.setattr(module, name, explode)
    with pytest.raises(MemoryError):
        delete_manifest(repository, Digest.parse(stored.digest), actor=ACTOR)
    assert rows() == before
    assert Tag.objects.get().manifest == stored


def test_a_right_lost_before_the_commit_puts_and_deletes_nothing(repository):
    def refuse(row):
        raise Denied("gone")

    stored = push(repository, image(), "latest")
    before = rows()
    with pytest.raises(Denied):
        put_manifest(
            repository,
            image().manifest,
            content_type=OCI_MANIFEST,
            reference="other",
            actor=ACTOR,
            recheck=refuse,
        )
    with pytest.raises(Denied):
        delete_manifest(repository, Digest.parse(stored.digest), actor=ACTOR, recheck=refuse)
    assert rows() == before


def test_nothing_can_be_put_into_a_repository_on_its_way_out(repository):
    whole = image()
    push(repository, whole)
    delete_repository(repository, actor=ACTOR)
    with pytest.raises(NameUnknown):
        put(repository, whole, "latest")


def test_deleting_a_manifest_drops_its_tags_keeps_their_history_and_queues_its_links(repository):
    stored = push(repository, image(), "one")
    put(repository, image(), "two")
    push(repository, image("2"), "three")
    Event.objects.all().delete()
    delete_manifest(repository, Digest.parse(stored.digest), actor=ACTOR)
    assert [t.name for t in Tag.objects.all()] == ["three"]
    kinds = [e.kind for e in Event.objects.order_by("pk")]
    assert kinds == ["tag.deleted", "tag.deleted", "manifest.deleted"]
    gone = TagMove.objects.filter(kind="delete")
    assert {(m.name, m.previous_digest, m.manifest) for m in gone} == {
        ("one", stored.digest, None),
        ("two", stored.digest, None),
    }
    assert BlobLink.objects.exclude(review_after=None).count() == 3
    with pytest.raises(ManifestUnknown):
        selectors.get_manifest(repository, Digest.parse(stored.digest))
    with pytest.raises(ManifestUnknown):
        delete_manifest(repository, Digest.parse(stored.digest), actor=ACTOR)
    assert check() == []


def test_a_deleted_manifest_may_be_pushed_again(repository):
    whole = image()
    push(repository, whole, "latest")
    delete_manifest(repository, digest(whole.manifest), actor=ACTOR)
    push(repository, whole, "latest")
    assert selectors.get_manifest(repository, "latest").digest == whole.digest
    assert check() == []


def test_what_a_deleted_manifest_kept_alive_is_queued_for_review(repository):
    subject = multi()
    push(repository, subject, "latest")
    push(repository, artifact(subject))
    Manifest.objects.update(review_after=None)
    delete_manifest(repository, digest(subject.manifest), actor=ACTOR)
    assert Manifest.objects.count() == 4
    assert not Manifest.objects.filter(review_after=None).exists()


def test_a_child_of_an_index_stays_until_the_index_is_deleted(repository):
    whole = multi()
    push(repository, whole, "latest")
    child = digest(whole.children[0].manifest)
    with pytest.raises(InUse) as caught:
        delete_manifest(repository, child, actor=ACTOR)
    assert caught.value.detail == {"manifests": [whole.digest]}
    delete_manifest(repository, digest(whole.manifest), actor=ACTOR)
    assert Manifest.objects.exclude(review_after=None).count() == 3
    delete_manifest(repository, child, actor=ACTOR)
    assert Manifest.objects.count() == 2


def test_an_immutable_tag_neither_moves_nor_loses_its_manifest(repository):
    Repository.objects.update(immutable_tags=["v*"])
    one, two = image("1"), image("2")
    push(repository, one, "v1")
    put(repository, one, "v1")  # the same is no move
    with pytest.raises(TagImmutable):
        push(repository, two, "v1")
    with pytest.raises(TagImmutable):
        delete_manifest(repository, digest(one.manifest), actor=ACTOR)
    assert selectors.get_manifest(repository, "v1").digest == one.digest
    assert not Manifest.objects.filter(digest=two.digest).exists()
    push(repository, two, "w1")


def test_referrers_list_what_names_a_subject_even_if_it_came_first(repository, other):
    subject = image()
    early = artifact(subject, "application/x.early", "1")
    late = artifact(subject, "application/x.late", "2")
    assert push(repository, early).subject_digest == subject.digest
    push(repository, subject, "latest")
    push(repository, late)
    push(other, late)
    found, _ = selectors.list_referrers(repository, digest(subject.manifest))
    assert [(m.digest, m.artifact_type) for m in found] == [
        (early.digest, "application/x.early"),
        (late.digest, "application/x.late"),
    ]
    assert found[0].annotations == {"note": "1"}


def test_the_result_of_a_put_names_the_subject_for_the_answer(repository):
    subject = image()
    whole = artifact(subject)
    push(repository, whole)
    assert put(repository, whole, "x").subject_digest == subject.digest
    assert put(repository, manifest(), "y").subject_digest == ""


def test_an_artifact_without_a_type_of_its_own_is_listed_with_that_of_its_config(repository):
    push_blob(repository, b"{}")
    config = descriptor("application/x.config", b"{}")
    assert put(repository, manifest(config=config)).manifest.artifact_type == "application/x.config"
