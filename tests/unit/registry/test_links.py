"""Links: earned by upload or mount, kept while promised, taken away only when unused."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from core.errors import Denied
from oci.errors import ManifestInvalid
from registry import selectors
from registry.errors import BlobUnknown, InUse, NameUnknown
from registry.models import Blob, BlobLink, ManifestBlob
from registry.services import collect, links
from registry.services.check import check
from repos.models import Collaborator, Repository
from repos.services.repositories import delete_repository
from storage.factory import get_store
from tests.images import image
from tests.unit.registry.pushing import (
    ACTOR,
    digest,
    make_person,
    make_repository,
    manifest,
    push,
    push_blob,
    put,
)
from tests.unit.repos.people import principal

pytestmark = pytest.mark.django_db
X = str(digest(b"x"))


def test_a_blob_is_found_only_through_a_link_of_the_repository(repository, other):
    push_blob(repository, b"x")
    assert selectors.get_link(repository, digest(b"x")).blob.size == 1
    with pytest.raises(BlobUnknown):
        selectors.get_link(other, digest(b"x"))


def test_mounting_links_without_copying_and_starts_a_grace(repository, other):
    blob = push_blob(repository, b"x")
    assert links.mount(other, repository, X) is True
    link = selectors.get_link(other, digest(b"x"))
    assert link.blob == blob
    assert link.review_after > timezone.now() + timedelta(hours=23)
    assert links.mount(other, repository, X) is True
    assert BlobLink.objects.count() == 2
    assert check() == []


def test_mounting_what_the_source_does_not_have_is_false_even_if_the_hub_has_it(repository, other):
    push_blob(other, b"x")
    assert links.mount(other, repository, X) is False
    assert links.mount(repository, repository, X) is False
    assert BlobLink.objects.count() == 1


def test_mounting_into_a_repository_on_its_way_out_is_refused(repository, other):
    push_blob(repository, b"x")
    delete_repository(other, actor=ACTOR)
    with pytest.raises(NameUnknown):
        links.mount(other, repository, X)


def test_a_link_collected_while_it_is_being_mounted_mounts_nothing(
    repository, other, monkeypatch, no_grace
):
    push_blob(repository, b"x")
    lock = links.lock_repository

    def lock_after_collection(row):
        collect.collect()
        return lock(row)

    monkeypatch.setattr(links, "lock_repository", lock_after_collection)
    assert links.mount(other, repository, X) is False
    assert not BlobLink.objects.exists()


def test_a_link_taken_away_while_it_is_being_mounted_mounts_nothing_even_if_the_blob_stays(
    repository, other, alice, monkeypatch
):
    third = make_repository(alice.namespace, "third")
    push_blob(repository, b"x")
    push_blob(third, b"x")
    lock = links.lock_repository

    def lock_after_unlink(row):
        monkeypatch.setattr(links, "lock_repository", lock)
        links.unlink(repository, X)
        return lock(row)

    monkeypatch.setattr(links, "lock_repository", lock_after_unlink)
    assert links.mount(other, repository, X) is False
    assert BlobLink.objects.get().repository == third


def test_a_right_lost_or_a_source_closed_while_it_is_being_mounted_mounts_nothing(
    repository, other
):
    def refuse(row):
        raise Denied("gone")

    push_blob(repository, b"x")
    assert links.mount(other, repository, X, may_pull=lambda: False) is False
    with pytest.raises(Denied):
        links.mount(other, repository, X, recheck=refuse)
    assert BlobLink.objects.get().repository == repository


@pytest.mark.parametrize("harm", ["shortened", "gone"])
def test_a_damaged_blob_is_not_mounted_so_that_it_is_pushed_again(repository, other, harm):
    blob = push_blob(repository, b"x" * 10)
    path = get_store().path(blob.storage_key)
    path.unlink() if harm == "gone" else path.write_bytes(b"x")
    assert not links.is_whole(blob.storage_key, blob.size)
    assert links.mount(other, repository, blob.digest) is False
    mended = push_blob(other, b"x" * 10)
    assert links.mount(repository, other, blob.digest) is True
    assert links.is_whole(mended.storage_key, mended.size)


@pytest.fixture
def bob():
    return make_person("bob")


def source(person, *scopes, within=None):
    found = selectors.find_mount_source(principal(person, *scopes), digest(b"x"), within=within)
    return found.path if found else None


def test_a_source_is_found_by_who_may_pull_from_it(repository, alice, bob):
    push_blob(repository, b"x")
    assert source(alice) == "alice/app"
    assert source(bob) is None
    assert source(None) is None
    grant = Collaborator.objects.create(repository=repository, user=bob, role="read")
    assert source(bob) == "alice/app"
    grant.delete()
    assert source(bob) is None
    Repository.objects.update(visibility="public")
    assert source(bob) == source(None) == "alice/app"
    delete_repository(repository, actor=ACTOR)
    assert source(alice) is None


def test_a_source_is_found_only_as_far_as_the_credential_reaches(repository, alice):
    push_blob(repository, b"x")
    for scope, expected in (
        ("alice/*:pull", "alice/app"),
        ("alice/app:pull,push", "alice/app"),
        ("alice/app:push", None),
        ("alice/other:pull", None),
    ):
        assert source(alice, scope) == expected, scope
    assert source(alice, within={"alice/app"}) == "alice/app"
    assert source(alice, within={"alice/other"}) is None
    assert source(alice, within=set()) is None
    Repository.objects.update(visibility="public")
    assert source(alice, within=set()) == source(alice, "x/y:push") == "alice/app"


def test_a_source_out_of_reach_does_not_hide_one_within(repository, other, alice, bob):
    """Whatever their order: what may be pulled is found behind what may only be pushed to."""
    push_blob(other, b"x")
    push_blob(repository, b"x")
    public = make_repository(bob.namespace, "public", visibility="public")
    assert source(alice, "alice/app:pull", "alice/other:push") == "alice/app"
    push_blob(public, b"x")
    assert source(alice, "alice/other:push") == "bob/public"


def test_looking_for_a_source_costs_the_same_for_none_and_for_many(
    alice, bob, django_assert_num_queries
):
    for wanted in ((bob,), (bob, "bob/*:pull")):
        queries = len(wanted)  # a limited token's repositories are read first
        with django_assert_num_queries(queries):
            assert source(*wanted) is None
        for number in range(20):
            push_blob(make_repository(alice.namespace, f"{len(wanted)}-{number}"), b"x")
        with django_assert_num_queries(queries):
            assert source(*wanted) is None


def test_keeping_writes_only_when_the_date_is_near(repository, django_assert_num_queries):
    push_blob(repository, b"x")
    link = BlobLink.objects.get()
    with django_assert_num_queries(0):
        links.keep(link)
    with time_machine.travel(timezone.now() + timedelta(hours=12)), django_assert_num_queries(1):
        links.keep(link)
    assert BlobLink.objects.get().review_after > timezone.now() + timedelta(hours=35)
    link.review_after = None
    with django_assert_num_queries(0):
        links.keep(link)


def test_keeping_a_link_that_went_away_is_unknown(repository):
    push_blob(repository, b"x")
    link = BlobLink.objects.get()
    BlobLink.objects.all().delete()
    with time_machine.travel(timezone.now() + timedelta(hours=23)), pytest.raises(BlobUnknown):
        links.keep(link)


def test_a_kept_link_outlives_a_collection_that_was_due(repository, hub_settings):
    push_blob(repository, b"x")
    link = BlobLink.objects.get()
    with time_machine.travel(link.review_after + timedelta(seconds=1)):
        links.keep(link)
        collect.collect()
    assert BlobLink.objects.filter(pk=link.pk).exists()


def test_unlinking_takes_the_blob_out_of_this_repository_only(repository, other):
    push_blob(repository, b"x")
    push_blob(other, b"x")
    links.unlink(repository, X)
    with pytest.raises(BlobUnknown):
        links.unlink(repository, X)
    assert selectors.get_link(other, digest(b"x"))
    collect.review_blobs()
    assert Blob.objects.get().review_after is None


def test_a_blob_in_use_is_not_unlinked_and_its_users_are_named(repository):
    stored = push(repository, image())
    with pytest.raises(InUse) as caught:
        links.unlink(repository, stored.blobs.first().digest)
    assert caught.value.detail == {"manifests": [stored.digest]}
    assert BlobLink.objects.count() == 3


def test_an_error_at_the_end_of_an_unlink_leaves_the_link(repository, monkeypatch):
    push_blob(repository, b"x")

    def explode(link):
        link.delete()
        raise MemoryError

    monkeypatch.setattr(links, "drop_link", explode)
    with pytest.raises(MemoryError):
        links.unlink(repository, X)
    assert BlobLink.objects.count() == 1


def test_bytes_that_arrive_later_fill_the_manifests_that_waited_for_them(repository):
    push_blob(repository, b"{}")
    kind = "application/vnd.oci.image.layer.nondistributable.v1.tar"
    layer = {"mediaType": kind, "digest": X, "size": 1}
    stored = put(repository, manifest(layers=[layer])).manifest
    assert stored.blobs.get(digest=X).link is None
    push_blob(repository, b"x")
    assert ManifestBlob.objects.get(digest=X).link.blob.digest == X
    assert check() == []


def test_bytes_that_arrive_later_with_another_size_than_claimed_do_not_break_the_manifest(
    repository,
):
    push_blob(repository, b"{}")
    kind = "application/vnd.oci.image.layer.nondistributable.v1.tar"
    layer = {"mediaType": kind, "digest": X, "size": 999}
    put(repository, manifest(layers=[layer]))
    push_blob(repository, b"x")
    assert check() == []
    with pytest.raises(ManifestInvalid):
        put(repository, manifest(layers=[layer, layer]))
