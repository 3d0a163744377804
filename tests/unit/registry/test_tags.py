"""Tags: a register with history."""

from __future__ import annotations

import pytest

from core.errors import Denied
from events.models import Event
from registry import selectors
from registry.errors import ManifestUnknown, NameUnknown, TagImmutable
from registry.models import Manifest, Tag, TagMove
from registry.services import tags
from registry.services.manifests import put_manifest
from registry.services.tags import delete_tag, is_immutable
from repos.models import Repository
from repos.services.repositories import delete_repository
from tests.images import image
from tests.unit.registry.pushing import ACTOR, digest, make_repository, push, push_blob, put

pytestmark = pytest.mark.django_db


def test_deleting_a_tag_leaves_the_manifest_its_other_tags_and_a_line_of_history(repository):
    stored = push(repository, image(), "one")
    put(repository, image(), "two")
    Event.objects.all().delete()
    delete_tag(repository, "one", actor=ACTOR)
    assert selectors.tags_of(stored) == ["two"]
    move = TagMove.objects.get(kind="delete")
    assert (move.name, move.digest, move.previous_digest) == ("one", "", stored.digest)
    assert move.manifest == stored
    event = Event.objects.get()
    assert (event.kind, event.actor_name) == ("tag.deleted", "alice")
    assert event.payload == {"tag": "one", "digest": stored.digest}
    assert Manifest.objects.get().review_after is not None


def test_a_tag_can_be_deleted_once_and_is_absent_elsewhere(repository, other):
    push(repository, image(), "one")
    with pytest.raises(ManifestUnknown):
        delete_tag(other, "one", actor=ACTOR)
    delete_tag(repository, "one", actor=ACTOR)
    with pytest.raises(ManifestUnknown):
        delete_tag(repository, "one", actor=ACTOR)
    assert Event.objects.filter(kind="tag.deleted").count() == 1


def test_an_immutable_tag_is_not_deleted(repository):
    Repository.objects.update(immutable_tags=["v*"])
    push(repository, image(), "v1")
    with pytest.raises(TagImmutable):
        delete_tag(repository, "v1", actor=ACTOR)
    assert Tag.objects.count() == 1


def push_under(repository, whole, *names, reference=None):
    return put_manifest(
        repository,
        whole.manifest,
        content_type=whole.media_type,
        reference=reference or digest(whole.manifest),
        tags=names,
        actor=ACTOR,
    )


def test_several_tags_move_at_once_each_with_its_line_of_history_and_its_event(repository):
    old = push(repository, image("old"), "b")
    new = push(repository, image("new"))
    Event.objects.all().delete()
    result = push_under(repository, image("new"), "a", "b", "a")
    assert result.manifest == new
    assert selectors.tags_of(new) == ["a", "b"]
    events = [event.payload for event in Event.objects.order_by("pk")]
    assert [(e["tag"], e["previous_digest"]) for e in events] == [("a", ""), ("b", old.digest)]
    assert TagMove.objects.filter(digest=new.digest).count() == 2
    push_under(repository, image("new"), "a", "b")
    assert Event.objects.count() == 2


@pytest.mark.parametrize("order", [("a", "v1", "b"), ("v1", "a", "b"), ("a", "b", "v1")])
def test_one_tag_that_may_not_move_holds_all_of_them(repository, order):
    Repository.objects.update(immutable_tags=["v*"])
    push(repository, image("old"), "v1")
    for data in image("new").blobs:
        push_blob(repository, data)
    before = (Manifest.objects.count(), Event.objects.count(), TagMove.objects.count())
    with pytest.raises(TagImmutable) as caught:
        push_under(repository, image("new"), *order)
    assert caught.value.detail == {"tag": "v1"}
    assert before == (Manifest.objects.count(), Event.objects.count(), TagMove.objects.count())
    assert selectors.list_tag_names(repository, last="", limit=9) == ["v1"]


def test_a_manifest_with_tags_waits_for_no_collector_one_without_does(repository):
    push(repository, image(), "x")
    Manifest.objects.all().update(review_after=None)
    push_under(repository, image(), "a")
    assert Manifest.objects.get().review_after is None


def test_a_tag_beside_others_is_moved_with_them(repository):
    push(repository, image())
    push_under(repository, image(), "b", reference="a")
    assert selectors.list_tag_names(repository, last="", limit=9) == ["a", "b"]


def test_an_error_at_the_end_of_a_delete_leaves_the_tag(repository, monkeypatch):
    push(repository, image(), "one")
    before = (Event.objects.count(), TagMove.objects.count())

    def explode(manifest):
        raise MemoryError

    monkeypatch.setattr(tags, "review_manifest", explode)
    with pytest.raises(MemoryError):
        delete_tag(repository, "one", actor=ACTOR)
    assert Tag.objects.count() == 1
    assert (Event.objects.count(), TagMove.objects.count()) == before


def test_a_right_lost_or_a_repository_gone_before_the_commit_deletes_nothing(repository):
    def refuse(row):
        raise Denied("gone")

    push(repository, image(), "one")
    with pytest.raises(Denied):
        delete_tag(repository, "one", actor=ACTOR, recheck=refuse)
    delete_repository(repository, actor=ACTOR)
    with pytest.raises(NameUnknown):
        delete_tag(repository, "one", actor=ACTOR)
    assert Tag.objects.count() == 1


@pytest.mark.parametrize(
    ("patterns", "name", "expected"),
    [
        ([], "v1", False),
        (["v1"], "v1", True),
        (["v1"], "v10", False),
        (["v*"], "V1", False),
        (["*"], "latest", True),
        (["a", "v?"], "v2", True),
    ],
)
def test_immutable_rules_are_patterns_of_whole_names_case_counts(
    repository, patterns, name, expected
):
    repository.immutable_tags = patterns
    assert is_immutable(repository, name) is expected


def test_tag_names_come_in_byte_order_and_pages_join_without_gap_or_repeat(repository):
    names = ["a", "A", "_", "a.b", "a-b", "a_b", "10", "9", "aa", "Z", "z"]
    push(repository, image(), "a")
    for name in names[1:]:
        put(repository, image(), name)
    whole = selectors.list_tag_names(repository, last="", limit=100)
    assert whole == sorted(names)
    pages, last = [], ""
    while page := selectors.list_tag_names(repository, last=last, limit=3):
        pages += page
        last = page[-1]
    assert pages == whole
    assert selectors.list_tag_names(repository, last="", limit=0) == []


def test_a_last_that_no_database_can_compare_is_no_error(repository):
    push(repository, image(), "a")
    put(repository, image(), "b")
    assert selectors.list_tag_names(repository, last="a\0zzz", limit=9) == ["b"]
    assert selectors.list_tag_names(repository, last="\0", limit=9) == ["a", "b"]
    visible = Repository.objects.all()
    assert selectors.list_paths(visible, last="alice/aa\0", limit=9) == ["alice/app"]


def test_paths_come_in_byte_order_and_only_of_repositories_that_were_pushed_to(alice, repository):
    for name in ("b", "b-b", "b/b", "b_b", "never"):
        made = make_repository(alice.namespace, name)
        if name != "never":
            push(made, image())
    paths = selectors.list_paths(Repository.objects.all(), last="", limit=9)
    assert paths == ["alice/b", "alice/b-b", "alice/b/b", "alice/b_b"]


def test_a_page_of_tags_costs_the_same_number_of_queries_for_two_and_for_twenty(
    repository, django_assert_num_queries
):
    for n in range(20):
        push(repository, image(str(n % 3)), f"t{n}")
    for rows in (2, 20):
        with django_assert_num_queries(3):
            for tag in selectors.tag_rows(repository)[:rows]:
                assert selectors.platforms_of(tag.manifest) == ["linux/amd64"]
                assert len(tag.manifest.blobs.all()) == 3


def test_a_pull_by_tag_or_digest_is_one_query(repository, django_assert_num_queries):
    push(repository, image(), "latest")
    with django_assert_num_queries(1):
        selectors.get_manifest(repository, "latest")
