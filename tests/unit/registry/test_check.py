"""The invariant walk finds each kind of damage, and tells nothing about a healthy hub."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from registry.models import (
    Blob,
    BlobLink,
    DiscardedObject,
    Manifest,
    ManifestBlob,
    ManifestChild,
    Tag,
    UploadPart,
    UploadSession,
)
from registry.services import check as walk
from registry.services import uploads
from registry.services.check import check
from repos.models import Repository
from storage.factory import get_store
from tests.images import image, multi
from tests.unit.registry.pushing import ACTOR, push, push_blob

pytestmark = pytest.mark.django_db


@pytest.fixture
def full(repository, other):
    """A healthy hub with some of everything."""
    push(repository, multi(), "latest")
    push(other, image("other"), "latest")
    push_blob(repository, b"loose")
    session = uploads.append(uploads.start(repository, actor=ACTOR), [b"one"])
    uploads.append(session, [b"two"])
    assert check(rehash=True) == []
    return repository


def path(blob):
    return get_store().path(blob.storage_key)


def foreign_tag(repository, other):
    Tag.objects.filter(repository=other).update(manifest=Manifest.objects.first())
    return "another repository"


def wrong_payload(repository, other):
    Manifest.objects.filter(repository=other).update(payload=b"{}")
    return "do not have the digest"


def lost_row(repository, other):
    ManifestBlob.objects.filter(manifest__repository=other, role="layer").first().delete()
    return "which no row keeps"


def lost_link(repository, other):
    row = ManifestBlob.objects.filter(manifest__repository=other).first()
    ManifestBlob.objects.filter(pk=row.pk).update(link=None)
    BlobLink.objects.filter(pk=row.link_id).update(review_after=timezone.now())
    return "has no link"


def link_elsewhere(repository, other):
    blob = BlobLink.objects.filter(repository=other).first().blob
    link = BlobLink.objects.create(repository=repository, blob=blob)
    row = ManifestBlob.objects.get(manifest__repository=other, digest=blob.digest)
    BlobLink.objects.filter(pk=row.link_id).update(review_after=timezone.now())
    ManifestBlob.objects.filter(pk=row.pk).update(link=link)
    return "linked in another repository"


def link_to_other_bytes(repository, other):
    one, two = ManifestBlob.objects.filter(manifest__repository=other)[:2]
    BlobLink.objects.filter(pk=one.link_id).update(review_after=timezone.now())
    ManifestBlob.objects.filter(pk=one.pk).update(link=two.link)
    return "a blob of other bytes"


def lost_child(repository, other):
    ManifestChild.objects.filter(position=0).update(child=None)
    return "is missing"


def child_elsewhere(repository, other):
    ManifestChild.objects.filter(position=0).update(child=Manifest.objects.get(repository=other))
    return "is of another repository"


def lost_bytes(repository, other):
    path(Blob.objects.first()).unlink()
    return "missing or cut"


def cut_bytes(repository, other):
    path(Blob.objects.first()).write_bytes(b"x")
    return "missing or cut"


def long_offset(repository, other):
    UploadSession.objects.update(offset=100)
    return "but 6 bytes are stored"


def gap_between_parts(repository, other):
    UploadPart.objects.filter(start=3).update(start=4)
    return "a part begins at 4, not 3"


def lost_part(repository, other):
    get_store().delete(UploadPart.objects.first().storage_key)
    return "missing or cut"


def blob_discarded(repository, other):
    DiscardedObject.objects.create(storage_key=Blob.objects.first().storage_key)
    return "a blob's and discarded"


def part_discarded(repository, other):
    DiscardedObject.objects.create(storage_key=UploadPart.objects.first().storage_key)
    return "a part's and discarded"


def final_discarded(repository, other):
    UploadSession.objects.update(final_key="objects/ab/final")
    DiscardedObject.objects.create(storage_key="objects/ab/final")
    return "an upload's and discarded"


def forgotten_blob(repository, other):
    BlobLink.objects.filter(uses=None).delete()
    return "has no link and is not queued"


def forgotten_link(repository, other):
    BlobLink.objects.filter(uses=None).update(review_after=None)
    return "unused and not queued"


def forgotten_manifest(repository, other):
    Repository.objects.update(untagged_days=3)
    Tag.objects.filter(repository=other).delete()
    return "has no tag and is not queued"


DAMAGES = [
    foreign_tag,
    wrong_payload,
    lost_row,
    lost_link,
    link_elsewhere,
    link_to_other_bytes,
    lost_child,
    child_elsewhere,
    lost_bytes,
    cut_bytes,
    long_offset,
    gap_between_parts,
    lost_part,
    blob_discarded,
    part_discarded,
    final_discarded,
    forgotten_blob,
    forgotten_link,
    forgotten_manifest,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
def test_each_kind_of_damage_is_found(full, other, damage):
    expected = damage(full, other)
    findings = check()
    assert any(expected in finding for finding in findings), findings


def test_damaged_bytes_of_the_right_length_are_found_by_hashing_only(full):
    blob = Blob.objects.first()
    path(blob).write_bytes(b"x" * blob.size)
    assert check() == []
    assert check(rehash=True) == [f"blob {blob.digest}: its bytes are damaged"]


def test_a_collector_that_stopped_is_found(full):
    DiscardedObject.objects.create(storage_key="blobs/gone")
    Blob.objects.update(review_after=timezone.now())
    Manifest.objects.update(review_after=timezone.now())
    with time_machine.travel(timezone.now() + timedelta(days=4)):
        found = "\n".join(check())
    for what in ("manifests wait", "links wait", "blobs wait", "uploads have", "objects wait"):
        assert what in found


def test_a_blob_collected_while_the_walk_reads_is_no_finding(full, monkeypatch):
    size = walk._size

    def size_after_collection(key):
        Blob.objects.filter(storage_key=key).update(storage_key=f"{key}-moved")
        get_store().delete(key)
        return size(key)

    monkeypatch.setattr(walk, "_size", size_after_collection)
    UploadSession.objects.all().delete()
    assert list(walk._blobs(rehash=False)) == []


def fsck(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("fsck", *arguments, stdout=out)
    except SystemExit as stop:
        return stop.code, out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_all_is_well_or_fails_with_a_line_a_finding(full):
    assert fsck("--rehash") == (0, "Nothing is wrong.\n")
    blob = Blob.objects.first()
    path(blob).unlink()
    assert fsck() == (1, f"blob {blob.digest}: its bytes are missing or cut\n1 findings.\n")


def test_the_command_can_speak_json(full):
    code, text = fsck("--json")
    assert (code, json.loads(text)) == (0, {"findings": [], "rehash": False})
    blob = Blob.objects.first()
    path(blob).write_bytes(b"x" * blob.size)
    code, text = fsck("--json", "--rehash")
    assert code == 1
    assert json.loads(text) == {
        "findings": [f"blob {blob.digest}: its bytes are damaged"],
        "rehash": True,
    }
