"""Uploads: offsets are honest, bytes are whole, and a crash anywhere can be repeated."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from core.errors import Denied, TooLarge
from events.types import Actor
from oci.errors import DigestInvalid
from registry.errors import NameUnknown, UploadRangeWrong, UploadUnknown
from registry.models import Blob, BlobLink, DiscardedObject, UploadPart, UploadSession
from registry.services import collect, uploads
from registry.services.check import check
from repos.services.repositories import delete_repository
from storage.factory import CONTENT_PREFIXES, get_store
from storage.local import LocalStore
from tests.unit.registry.pushing import ACTOR, digest, push_blob

pytestmark = pytest.mark.django_db


def stored(blob):
    return b"".join(get_store().open(blob.storage_key))


def objects():
    return sorted(o.key for prefix in CONTENT_PREFIXES for o in get_store().walk(prefix))


@pytest.fixture
def session(repository):
    return uploads.start(repository, actor=ACTOR)


def crash(*_, **__):
    raise SystemExit


def cut_off():
    yield b"half"
    raise ConnectionError("the client went away")


def test_a_chunked_upload_becomes_a_linked_blob_with_exactly_these_bytes(session, repository):
    for piece in (b"one ", b"two ", b"three"):
        session = uploads.append(session, [piece], start_at=session.offset)
    blob = uploads.finish(session, digest(b"one two three"))
    assert stored(blob) == b"one two three"
    assert (blob.size, blob.digest) == (13, str(digest(b"one two three")))
    assert BlobLink.objects.get().repository == repository
    assert BlobLink.objects.get().review_after > timezone.now() + timedelta(hours=23)
    assert not UploadSession.objects.exists()
    assert DiscardedObject.objects.count() == 3
    assert check(rehash=True) == []


def test_a_single_part_stays_where_it_was_written(session):
    session = uploads.append(session, [b"all at once"])
    [key] = objects()
    blob = uploads.finish(session, digest(b"all at once"))
    assert objects() == [key] == [blob.storage_key]
    assert not DiscardedObject.objects.exists()


def test_a_chunk_that_does_not_begin_at_the_offset_is_refused_with_the_true_offset(session):
    session = uploads.append(session, [b"12345"])
    for start in (0, 4, 6, 10):
        with pytest.raises(UploadRangeWrong) as caught:
            uploads.append(session, [b"x"], start_at=start)
        assert (caught.value.offset, caught.value.upload) == (5, str(session.uuid))
    assert len(objects()) == 1


def test_of_two_writers_at_one_offset_the_second_changes_nothing(session):
    stale = UploadSession.objects.get(pk=session.pk)
    uploads.append(session, [b"first"])
    with pytest.raises(UploadRangeWrong) as caught:
        uploads.append(stale, [b"second!"])
    assert caught.value.offset == 5
    assert UploadSession.objects.get().offset == 5
    assert [part.size for part in UploadPart.objects.all()] == [5]
    assert len(objects()) == 1


def test_an_error_in_the_body_leaves_offset_and_store_as_they_were(session):
    session = uploads.append(session, [b"kept"])
    before = objects()
    with pytest.raises(ConnectionError):
        uploads.append(session, cut_off())
    assert UploadSession.objects.get().offset == 4
    assert objects() == before
    session = uploads.append(session, [b" too"], start_at=4)
    assert stored(uploads.finish(session, digest(b"kept too"))) == b"kept too"


def test_an_empty_chunk_is_legal_and_changes_nothing(session):
    session = uploads.append(session, [b"abc"])
    assert uploads.append(session, [], start_at=3).offset == 3
    assert UploadPart.objects.count() == 1
    assert len(objects()) == 1


def test_appending_to_an_upload_that_ended_meanwhile_is_unknown_and_leaves_no_bytes(session):
    uploads.cancel(session)
    with pytest.raises(UploadUnknown):
        uploads.append(session, [b"late"])
    assert objects() == []


def test_more_than_the_limit_over_all_chunks_is_too_large(session, hub_settings):
    hub_settings(max_blob_bytes=10)
    session = uploads.append(session, [b"123456"])
    with pytest.raises(TooLarge):
        uploads.append(session, [b"7890", b"1"])
    assert UploadSession.objects.get().offset == 6
    assert uploads.append(session, [b"7890"]).offset == 10


@pytest.mark.parametrize("pieces", [[], [b"one"], [b"one", b"two"]], ids=["zero", "one", "two"])
def test_a_digest_that_does_not_match_ends_the_upload_and_discards_its_parts(session, pieces):
    for piece in pieces:
        session = uploads.append(session, [piece])
    with pytest.raises(DigestInvalid):
        uploads.finish(session, digest(b"other"))
    assert not UploadSession.objects.exists()
    assert not Blob.objects.exists()
    assert DiscardedObject.objects.count() == len(pieces)
    assert check() == []


def test_finishing_twice_is_unknown_the_second_time_and_leaves_the_blob_alone(session):
    session = uploads.append(session, [b"x"])
    blob = uploads.finish(session, digest(b"x"))
    with pytest.raises(UploadUnknown):
        uploads.finish(session, digest(b"x"))
    assert stored(blob) == b"x"
    assert not DiscardedObject.objects.filter(storage_key=blob.storage_key).exists()
    assert check(rehash=True) == []


@pytest.mark.parametrize("pieces", [[], [b"one"], [b"one", b"two"]], ids=["zero", "one", "two"])
def test_a_finish_that_crashed_between_join_and_commit_is_finished_by_the_next_try(
    session, pieces, monkeypatch
):
    for piece in pieces:
        session = uploads.append(session, [piece])
    whole = digest(b"".join(pieces))
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "_commit", crash)
        with pytest.raises(SystemExit):
            uploads.finish(session, whole)
    assert not Blob.objects.exists()
    joined = []
    monkeypatch.setattr(LocalStore, "join", lambda *a: joined.append(a))
    fresh = UploadSession.objects.get()
    blob = uploads.finish(fresh, whole)
    assert joined == []
    assert stored(blob) == b"".join(pieces)
    assert check(rehash=True) == []


def test_an_upload_that_crashed_between_join_and_commit_and_expired_leaves_no_bytes(
    session, monkeypatch, no_grace
):
    session = uploads.append(session, [b"one"])
    monkeypatch.setattr(uploads, "_commit", crash)
    with pytest.raises(SystemExit):
        uploads.finish(session, digest(b"one"))
    assert len(objects()) == 1
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        collect.collect()
    assert objects() == []


def test_bytes_joined_by_a_crashed_finish_go_when_it_is_finished_under_another_algorithm(
    session, monkeypatch, no_grace
):
    session = uploads.append(uploads.append(session, [b"one "]), [b"two"])
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "_commit", crash)
        with pytest.raises(SystemExit):
            uploads.finish(session, digest(b"one two"))
    blob = uploads.finish(UploadSession.objects.get(), digest(b"one two", "sha512"))
    collect.empty_discarded()
    assert objects() == [blob.storage_key]


def test_bytes_of_a_crashed_empty_finish_go_when_the_upload_goes_on_to_one_part(
    session, monkeypatch, no_grace
):
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "_commit", crash)
        with pytest.raises(SystemExit):
            uploads.finish(session, digest(b""))
    session = uploads.append(UploadSession.objects.get(), [b"one"])
    blob = uploads.finish(session, digest(b"one"))
    collect.empty_discarded()
    assert objects() == [blob.storage_key]


def test_a_part_added_while_another_request_finishes_is_discarded_with_the_rest(
    session, monkeypatch, no_grace
):
    session = uploads.append(uploads.append(session, [b"o"]), [b"ne"])
    join = uploads._join

    def join_while_a_chunk_arrives(*args):
        join(*args)
        uploads.append(UploadSession.objects.get(), [b"two"])

    monkeypatch.setattr(uploads, "_join", join_while_a_chunk_arrives)
    blob = uploads.finish(session, digest(b"one"))
    collect.empty_discarded()
    assert objects() == [blob.storage_key]


def test_an_upload_cancelled_while_it_is_finished_leaves_neither_blob_nor_bytes(
    session, monkeypatch, no_grace
):
    session = uploads.append(uploads.append(session, [b"on"]), [b"e"])
    join = uploads._join

    def join_after_cancel(*args):
        uploads.cancel(session)
        join(*args)

    monkeypatch.setattr(uploads, "_join", join_after_cancel)
    with pytest.raises(UploadUnknown):
        uploads.finish(session, digest(b"one"))
    collect.empty_discarded()
    assert not Blob.objects.exists()
    assert objects() == []


def test_an_upload_gone_before_its_bytes_are_joined_is_unknown_and_nothing_is_written(
    session, monkeypatch
):
    session = uploads.append(session, [b"one"])
    monkeypatch.setattr(
        uploads, "_bytes_agree", lambda *_: uploads.cancel(session) or collect.collect() or True
    )
    with pytest.raises(UploadUnknown):
        uploads.finish(session, digest(b"one"))
    assert not Blob.objects.exists()


def test_sha512_is_an_algorithm_of_its_own(session):
    whole = digest(b"ab", "sha512")
    session = uploads.append(session, [b"a"])
    session = uploads.append(session, [b"b"])
    blob = uploads.finish(session, whole)
    assert blob.digest == f"sha512:{hashlib.sha512(b'ab').hexdigest()}"
    assert check(rehash=True) == []


def test_a_single_part_hashed_one_way_may_be_finished_under_the_other(session):
    session = uploads.append(session, [b"abc"])
    assert uploads.finish(session, digest(b"abc", "sha512")).size == 3


@pytest.fixture
def reads(monkeypatch):
    """Keys of the objects that are read."""
    seen = []
    real = LocalStore.open
    monkeypatch.setattr(
        LocalStore, "open", lambda self, key, *a: seen.append(key) or real(self, key, *a)
    )
    return seen


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_no_number_of_parts_is_read_again_to_be_hashed(repository, reads, algorithm):
    for pieces in ([b"one part"], [b"two ", b"parts"], [b"a" * 63, b"b", b"c" * 65, b"d" * 128]):
        session = uploads.start(repository, actor=ACTOR, algorithm=algorithm)
        for piece in pieces:
            session = uploads.append(UploadSession.objects.get(pk=session.pk), [piece])
        whole = b"".join(pieces)
        blob = uploads.finish(session, digest(whole, algorithm))
        assert reads == []
        assert stored(blob) == whole
        reads.clear()


def damage_state(part):
    UploadPart.objects.filter(pk=part.pk).update(hash_state=b"of another build")


def lose_state(part):
    UploadPart.objects.filter(pk=part.pk).update(hash_state=b"")


@pytest.mark.parametrize("spoil", [damage_state, lose_state])
def test_without_a_usable_state_the_parts_are_read_again(session, reads, spoil):
    session = uploads.append(session, [b"one "])
    spoil(UploadPart.objects.get())
    session = uploads.append(session, [b"two"])
    uploads.finish(session, digest(b"one two"))
    assert len(reads) == 2
    assert check(rehash=True) == []


def test_another_digest_algorithm_at_the_end_reads_the_parts_again(session, reads):
    session = uploads.append(uploads.append(session, [b"a"]), [b"b"])
    uploads.finish(session, digest(b"ab", "sha512"))
    assert len(reads) == 2
    assert check(rehash=True) == []


def test_zero_bytes_make_a_blob(repository):
    assert push_blob(repository, b"").size == 0
    assert check(rehash=True) == []


@pytest.mark.parametrize(
    "damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"sho")]
)
def test_a_blob_whose_bytes_are_missing_or_cut_is_repaired_by_pushing_it_again(
    repository, other, damage
):
    blob = push_blob(repository, b"short life")
    damage(get_store().path(blob.storage_key))
    assert len(check()) == 1
    again = push_blob(other, b"short life")
    assert again.pk == blob.pk
    assert again.storage_key != blob.storage_key
    assert stored(Blob.objects.get()) == b"short life"
    assert DiscardedObject.objects.get().storage_key == blob.storage_key
    assert check(rehash=True) == []


def test_the_same_bytes_in_two_repositories_are_stored_once_and_linked_twice(repository, other):
    first, second = push_blob(repository, b"shared"), push_blob(other, b"shared")
    assert first == second
    assert first.storage_key == second.storage_key
    assert BlobLink.objects.count() == 2
    assert DiscardedObject.objects.count() == 1
    collect.collect()
    assert stored(Blob.objects.get()) == b"shared"


def test_pushing_the_same_bytes_again_prolongs_the_grace_of_the_link(repository):
    push_blob(repository, b"again")
    BlobLink.objects.update(review_after=timezone.now())
    push_blob(repository, b"again")
    assert BlobLink.objects.get().review_after > timezone.now() + timedelta(hours=23)


def test_an_upload_belongs_to_one_person_and_one_repository(session, repository, other):
    assert uploads.find(repository, session.uuid, actor=ACTOR) == session
    with pytest.raises(UploadUnknown):
        uploads.find(other, session.uuid, actor=ACTOR)
    with pytest.raises(UploadUnknown):
        uploads.find(repository, session.uuid, actor=Actor(2, "mallory"))


def test_an_upload_past_its_life_is_unknown_and_expires_with_its_parts(session, repository):
    session = uploads.append(session, [b"abc"])
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        with pytest.raises(UploadUnknown):
            uploads.find(repository, session.uuid, actor=ACTOR)
        assert uploads.expire() == 1
    assert not UploadSession.objects.exists()
    assert DiscardedObject.objects.count() == 1


def test_progress_prolongs_an_uploads_life(session):
    with time_machine.travel(timezone.now() + timedelta(hours=23)):
        uploads.append(session, [b"abc"])
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert uploads.expire() == 0


def test_an_upload_that_moved_on_since_it_was_listed_does_not_expire(session, monkeypatch):
    late = timezone.now() + timedelta(hours=25)
    drop = uploads._drop

    def drop_after_progress(row, **still):
        uploads.append(UploadSession.objects.get(), [b"abc"])
        drop(row, **still)

    monkeypatch.setattr(uploads, "_drop", drop_after_progress)
    with time_machine.travel(late):
        assert uploads.expire() == 0
    assert UploadSession.objects.get().offset == 3


def test_cancelling_discards_the_parts_and_is_unknown_the_second_time(session, no_grace):
    session = uploads.append(uploads.append(session, [b"a"]), [b"b"])
    uploads.cancel(session)
    with pytest.raises(UploadUnknown):
        uploads.cancel(session)
    collect.empty_discarded()
    assert objects() == []


def test_a_right_lost_before_the_commit_makes_no_blob_and_the_upload_may_be_tried_again(session):
    def refuse(row):
        raise Denied("gone")

    session = uploads.append(session, [b"abc"])
    with pytest.raises(Denied):
        uploads.finish(session, digest(b"abc"), recheck=refuse)
    assert not Blob.objects.exists()
    assert not BlobLink.objects.exists()
    assert uploads.finish(UploadSession.objects.get(), digest(b"abc")).size == 3


def test_nothing_can_be_finished_in_a_repository_on_its_way_out(session, repository):
    session = uploads.append(session, [b"abc"])
    delete_repository(repository, actor=ACTOR)
    with pytest.raises(NameUnknown):
        uploads.finish(session, digest(b"abc"))
    assert not Blob.objects.exists()


def test_an_error_at_the_end_of_the_commit_leaves_no_row(session, monkeypatch):
    session = uploads.append(uploads.append(session, [b"a"]), [b"b"])
    monkeypatch.setattr(uploads, "discard", lambda keys: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        uploads.finish(session, digest(b"ab"))
    assert not Blob.objects.exists()
    assert not BlobLink.objects.exists()
    assert UploadPart.objects.count() == 2
    monkeypatch.undo()


def test_a_whole_blob_whose_body_fails_leaves_neither_session_nor_bytes(repository):
    with pytest.raises(ConnectionError):
        uploads.put_blob(repository, cut_off(), digest(b"half"))
    assert not UploadSession.objects.exists()
    assert objects() == []


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_bytes_move(repository):
    seen = []

    def body():
        seen.append(connection.in_atomic_block)
        yield b"abc"

    push = uploads.put_blob(repository, body(), digest(b"abc"))
    assert seen == [False]
    assert stored(push) == b"abc"
