"""Moving tags without pushing: history, events and rules are those of a push."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from core.errors import Denied
from events.models import Event
from events.types import Origin, origin
from oci.errors import TagInvalid
from registry import history
from registry.errors import ManifestUnknown, NameUnknown, TagImmutable, TagTaken
from registry.models import Manifest, Tag, TagMove
from registry.services.retag import retag, roll_back
from registry.services.tags import delete_tag
from repos.models import Repository
from repos.services.repositories import delete_repository
from tests.images import image
from tests.unit.registry.pushing import ACTOR, push

pytestmark = pytest.mark.django_db


def digest_of(repository, name):
    return Tag.objects.get(repository=repository, name=name).manifest.digest


@pytest.fixture
def moved(repository):
    """`app:1` was pushed twice; the manifests in their order."""
    return [push(repository, image(seed), "1") for seed in ("old", "new")]


def refuse(row):
    raise Denied("gone")


def test_another_name_is_a_push_to_history_events_and_the_repository(repository):
    stored = push(repository, image(), "1")
    Event.objects.all().delete()
    Repository.objects.update(last_pushed_at=None)
    assert retag(repository, "2", stored.digest, actor=ACTOR)
    assert digest_of(repository, "2") == stored.digest
    move = TagMove.objects.get(name="2")
    assert (move.kind, move.digest, move.previous_digest) == ("push", stored.digest, "")
    event = Event.objects.get()
    assert event.kind == "tag.moved"
    assert event.payload["tag"] == "2"
    assert Repository.objects.get(pk=repository.pk).last_pushed_at is not None
    assert not retag(repository, "2", stored.digest, actor=ACTOR)
    assert Event.objects.count() == 1


def test_a_tag_leaves_another_image_only_if_that_is_said(repository, moved):
    old, new = moved
    with pytest.raises(TagTaken) as caught:
        retag(repository, "1", old.digest, actor=ACTOR)
    assert caught.value.detail == {"tag": "1", "digest": new.digest}
    assert digest_of(repository, "1") == new.digest
    assert retag(repository, "1", old.digest, actor=ACTOR, replace=True)
    assert digest_of(repository, "1") == old.digest


@pytest.mark.parametrize("name", ["", ".a", "-a", "a b", "a" * 129, "ä"])
def test_a_name_outside_the_grammar_is_refused(repository, name):
    stored = push(repository, image(), "1")
    with pytest.raises(TagInvalid):
        retag(repository, name, stored.digest, actor=ACTOR)
    assert Tag.objects.count() == 1


def test_only_images_of_this_repository_can_be_named(repository, other):
    stored = push(other, image(), "1")
    with pytest.raises(ManifestUnknown):
        retag(repository, "2", stored.digest, actor=ACTOR)
    assert not Tag.objects.filter(repository=repository).exists()


def test_an_immutable_tag_can_be_made_and_then_neither_moved_nor_rolled_back(repository, moved):
    old, new = moved
    Repository.objects.update(immutable_tags=["v*", "1"])
    assert retag(repository, "v1", old.digest, actor=ACTOR)
    with pytest.raises(TagImmutable):
        retag(repository, "v1", new.digest, actor=ACTOR, replace=True)
    with pytest.raises(TagImmutable):
        roll_back(repository, "1", old.digest, actor=ACTOR)
    assert digest_of(repository, "v1") == old.digest
    assert digest_of(repository, "1") == new.digest


def test_a_rollback_is_a_move_of_its_own_kind_that_everybody_is_told_of(repository, moved):
    old, new = moved
    Event.objects.all().delete()
    assert roll_back(repository, "1", old.digest, actor=ACTOR)
    assert digest_of(repository, "1") == old.digest
    move = TagMove.objects.order_by("-pk").first()
    assert (move.kind, move.digest, move.previous_digest) == ("restore", old.digest, new.digest)
    event = Event.objects.get()
    assert event.kind == "tag.moved"
    assert event.payload == {
        "tag": "1",
        "digest": old.digest,
        "media_type": old.media_type,
        "previous_digest": new.digest,
    }
    assert not roll_back(repository, "1", old.digest, actor=ACTOR)
    assert Event.objects.count() == 1
    assert roll_back(repository, "1", new.digest, actor=ACTOR)


def test_a_tag_goes_back_only_to_where_it_was_and_what_is_still_there(repository, moved):
    old, _ = moved
    elsewhere = push(repository, image("elsewhere"), "2")
    with pytest.raises(ManifestUnknown, match="never"):
        roll_back(repository, "1", elsewhere.digest, actor=ACTOR)
    Manifest.objects.filter(pk=old.pk).delete()
    with pytest.raises(ManifestUnknown, match="no longer"):
        roll_back(repository, "1", old.digest, actor=ACTOR)
    assert TagMove.objects.filter(kind="restore").count() == 0


def test_a_deleted_tag_comes_back(repository, moved):
    _, new = moved
    delete_tag(repository, "1", actor=ACTOR)
    assert roll_back(repository, "1", new.digest, actor=ACTOR)
    assert digest_of(repository, "1") == new.digest


@pytest.mark.parametrize("act", [retag, roll_back])
def test_a_right_lost_or_a_repository_gone_before_the_commit_moves_nothing(repository, moved, act):
    old, new = moved
    with pytest.raises(Denied):
        act(repository, "1", old.digest, actor=ACTOR, recheck=refuse)
    delete_repository(repository, actor=ACTOR)
    with pytest.raises(NameUnknown):
        act(repository, "1", old.digest, actor=ACTOR)
    assert digest_of(repository, "1") == new.digest


# --- what pages show of it


def test_history_is_cut_into_pages_and_says_where_one_can_go_back(repository, monkeypatch):
    monkeypatch.setattr(history, "ROWS", 2)
    stored = [push(repository, image(str(n)), "1") for n in range(3)]
    delete_tag(repository, "1", actor=ACTOR)
    Manifest.objects.filter(pk=stored[1].pk).delete()
    first, has_more = history.list_places(repository, "1", before=None, with_client=False)
    assert has_more
    assert [(p.move.kind, p.target) for p in first] == [
        ("delete", stored[2].digest),
        ("push", stored[2].digest),
    ]
    rest, has_more = history.list_places(
        repository, "1", before=first[-1].move.pk, with_client=False
    )
    assert not has_more
    assert [p.target for p in rest] == ["", stored[0].digest]


def test_the_client_of_each_move_is_that_of_its_own_event(repository, django_assert_num_queries):
    for n, client in enumerate(("docker/27", "crane/0.20", "")):
        token = origin.set(Origin("203.0.113.7", client))
        push(repository, image(str(n)), "1")
        push(repository, image(f"x{n}"), "2")
        origin.reset(token)
    with django_assert_num_queries(2):
        places, _ = history.list_places(repository, "1", before=None, with_client=True)
    assert [p.client for p in places] == ["", "crane/0.20", "docker/27"]
    with django_assert_num_queries(1):
        places, _ = history.list_places(repository, "1", before=None, with_client=False)
    assert {p.client for p in places} == {""}


def test_an_event_that_has_gone_or_is_of_another_time_tells_no_client(repository):
    token = origin.set(Origin("203.0.113.7", "docker/27"))
    push(repository, image(), "1")
    origin.reset(token)
    Event.objects.update(occurred_at=timezone.now() - timedelta(hours=1))
    places, _ = history.list_places(repository, "1", before=None, with_client=True)
    assert [p.client for p in places] == [""]
