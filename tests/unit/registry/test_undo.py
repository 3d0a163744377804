"""Undoing the deletion of tags: what a deleted tag named waits for it, whole."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from core.errors import Denied, NotFound
from events.models import Event
from oci.digest import Digest
from registry import selectors
from registry.errors import ManifestUnknown, NameUnknown, TagImmutable, TagTaken
from registry.models import Blob, Manifest, Tag, TagMove
from registry.services import collect
from registry.services.check import check
from registry.services.manifests import delete_manifest
from registry.services.tags import delete_tag, delete_tags
from registry.services.undo import list_deleted, undo_deletions
from repos.models import Repository
from repos.services.repositories import delete_repository
from repos.services.trash import purge_due
from storage.factory import get_store
from tests.images import artifact, image, index
from tests.unit.registry.pushing import ACTOR, push, put

pytestmark = pytest.mark.django_db
WHOLE = index([image("a"), image("b")], ["amd64", "arm64"])


@pytest.fixture(autouse=True)
def _eager(no_grace, hub_settings):
    """The collector takes at once whatever nothing keeps; the trash keeps for a week."""
    hub_settings(trash_days=7)


def rounds():
    while any(collect.collect().values()):
        pass


def deleted(repository, name="1.0", content=WHOLE):
    push(repository, content, name)
    return delete_tag(repository, name, actor=ACTOR)


@pytest.mark.parametrize("days", [None, 0])
def test_all_that_a_deleted_tag_named_waits_and_comes_back(repository, days):
    Repository.objects.update(untagged_days=days)
    push(repository, WHOLE, "1.0")
    push(repository, artifact(WHOLE))  # signed, as it were
    rounds()
    kept = (Manifest.objects.count(), Blob.objects.count())
    move = delete_tag(repository, "1.0", actor=ACTOR)
    assert move.keep_until - timezone.now() > timedelta(days=6, hours=23)
    with time_machine.travel(timezone.now() + timedelta(days=6)):
        rounds()
        assert (Manifest.objects.count(), Blob.objects.count()) == kept
        assert check(rehash=True) == []
        Event.objects.all().delete()
        assert undo_deletions(repository, [move.pk], actor=ACTOR) == ["1.0"]
        rounds()
    assert selectors.get_manifest(repository, "1.0").digest == WHOLE.digest
    assert (Manifest.objects.count(), Blob.objects.count()) == kept
    back = TagMove.objects.order_by("pk").last()
    assert (back.kind, back.digest, back.previous_digest) == ("restore", WHOLE.digest, "")
    event = Event.objects.get()
    assert (event.kind, event.payload["tag"]) == ("tag.moved", "1.0")
    with time_machine.travel(timezone.now() + timedelta(days=30)):
        rounds()
        assert (Manifest.objects.count(), Blob.objects.count()) == kept
        assert check(rehash=True) == []


def test_when_its_time_is_over_it_all_goes(repository):
    Repository.objects.update(untagged_days=0)
    move = deleted(repository)
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        assert not list_deleted(repository).exists()
        with pytest.raises(NotFound):
            undo_deletions(repository, [move.pk], actor=ACTOR)
        rounds()
        assert not Manifest.objects.exists()
        assert check(rehash=True) == []
    assert [o.key for o in get_store().walk("objects")] == []


def test_without_a_trash_nothing_waits(repository, hub_settings):
    hub_settings(trash_days=0)
    Repository.objects.update(untagged_days=0)
    move = deleted(repository)
    assert move.keep_until is None
    assert not list_deleted(repository).exists()
    with pytest.raises(NotFound):
        undo_deletions(repository, [move.pk], actor=ACTOR)
    rounds()
    assert not Manifest.objects.exists()


def test_the_list_has_each_name_and_image_once_and_not_what_is_back(repository):
    for _ in range(2):
        deleted(repository)
    other = deleted(repository, "1.0", image("c"))
    last = deleted(repository, "2.0")
    found = list(list_deleted(repository))
    assert [(m.name, m.manifest.digest, m.current) for m in found] == [
        ("2.0", WHOLE.digest, None),
        ("1.0", image("c").digest, None),
        ("1.0", WHOLE.digest, None),
    ]
    undo_deletions(repository, [other.pk], actor=ACTOR)
    assert [(m.name, m.current) for m in list_deleted(repository)] == [
        ("2.0", None),
        ("1.0", image("c").digest),
    ]
    undo_deletions(repository, [last.pk], actor=ACTOR)
    undo_deletions(repository, [last.pk], actor=ACTOR)  # is back already
    assert TagMove.objects.filter(kind="restore").count() == 2


def test_a_name_that_means_something_else_is_replaced_only_if_that_is_said(repository):
    move = deleted(repository)
    put_other = push(repository, image("c"), "1.0")
    with pytest.raises(TagTaken):
        undo_deletions(repository, [move.pk], actor=ACTOR)
    undo_deletions(repository, [move.pk], actor=ACTOR, replace=True)
    back = TagMove.objects.order_by("pk").last()
    assert (back.digest, back.previous_digest) == (WHOLE.digest, put_other.digest)


def test_an_immutable_tag_is_not_replaced_but_may_come_back(repository):
    move = deleted(repository)
    Repository.objects.update(immutable_tags=["1.*"])
    push(repository, image("c"), "1.0")
    with pytest.raises(TagImmutable):
        undo_deletions(repository, [move.pk], actor=ACTOR, replace=True)
    Tag.objects.all().delete()
    assert undo_deletions(repository, [move.pk], actor=ACTOR) == ["1.0"]


def test_several_go_and_come_back_together_or_not_at_all(repository):
    for name in ("a", "b", "c"):
        push(repository, WHOLE, name)
    with pytest.raises(ManifestUnknown):
        delete_tags(repository, ["a", "gone"], actor=ACTOR)
    Repository.objects.update(immutable_tags=["c"])
    with pytest.raises(TagImmutable):
        delete_tags(repository, ["a", "c"], actor=ACTOR)
    assert Tag.objects.count() == 3
    assert not TagMove.objects.filter(kind="delete").exists()
    moves = delete_tags(repository, ["a", "b"], actor=ACTOR)
    keys = [move.pk for move in moves]
    with pytest.raises(NotFound):
        undo_deletions(repository, [*keys, 0], actor=ACTOR)
    push(repository, image("x"), "b")
    with pytest.raises(TagTaken):
        undo_deletions(repository, keys, actor=ACTOR)
    assert selectors.list_tag_names(repository, last="", limit=9) == ["b", "c"]
    assert undo_deletions(repository, keys, actor=ACTOR, replace=True) == ["a", "b"]


def test_it_is_undone_in_its_repository_by_who_may_still(repository, other):
    move = deleted(repository)

    def denied(row):
        raise Denied("no")

    for wrong in ([], [move.pk + 1]):
        with pytest.raises(NotFound):
            undo_deletions(repository, wrong, actor=ACTOR)
    with pytest.raises(NotFound):
        undo_deletions(other, [move.pk], actor=ACTOR)
    with pytest.raises(Denied):
        undo_deletions(repository, [move.pk], actor=ACTOR, recheck=denied)
    pushed = TagMove.objects.filter(kind="push").first()
    with pytest.raises(NotFound):
        undo_deletions(repository, [pushed.pk], actor=ACTOR)
    assert not Tag.objects.exists()


def test_by_digest_it_is_final(repository):
    push(repository, WHOLE, "1.0")
    delete_manifest(repository, Digest.parse(WHOLE.digest), actor=ACTOR)
    move = TagMove.objects.get(kind="delete")
    assert (move.keep_until, move.manifest) == (None, None)
    assert not list_deleted(repository).exists()
    with pytest.raises(NotFound):
        undo_deletions(repository, [move.pk], actor=ACTOR)


def test_deleting_by_digest_ends_what_waited(repository):
    move = deleted(repository)
    delete_manifest(repository, Digest.parse(WHOLE.digest), actor=ACTOR)
    assert not list_deleted(repository).exists()
    with pytest.raises(NotFound):
        undo_deletions(repository, [move.pk], actor=ACTOR)


def test_a_push_of_the_same_image_is_not_in_the_way(repository):
    move = deleted(repository)
    put(repository, WHOLE, "1.0")
    assert undo_deletions(repository, [move.pk], actor=ACTOR) == ["1.0"]
    assert not TagMove.objects.filter(kind="restore").exists()


def test_content_of_a_repository_in_the_trash_waits_and_then_goes(repository, other):
    Repository.objects.update(untagged_days=0)
    push(repository, WHOLE, "1.0")
    push(repository, artifact(WHOLE))
    push(other, image("a"), "shared")
    delete_repository(repository, actor=ACTOR)
    with pytest.raises(NameUnknown):
        push(repository, image("late"), "late")
    kept = (Manifest.objects.count(), Blob.objects.count(), Tag.objects.count())
    with time_machine.travel(timezone.now() + timedelta(days=6)):
        rounds()
        assert (Manifest.objects.count(), Blob.objects.count(), Tag.objects.count()) == kept
        assert check(rehash=True) == []
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        rounds()
        assert purge_due() == 0
        assert {m.repository_id for m in Manifest.objects.all()} == {other.pk}
        assert Blob.objects.count() == len(image("a").blobs)
        assert check(rehash=True) == []
    assert not Repository.objects.filter(pk=repository.pk).exists()
