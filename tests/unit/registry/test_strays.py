"""What dead writers leave in the store goes, and nothing else ever does."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from registry.models import Blob, UploadSession
from registry.services import check as walk
from registry.services import collect, uploads
from registry.services.check import check, list_strays, without_row
from repos.models import Repository
from repos.services.repositories import delete_repository
from storage.factory import CONTENT_PREFIXES, get_store
from tests.images import image
from tests.unit.registry.pushing import ACTOR, digest, push, push_blob

pytestmark = pytest.mark.django_db
FAR = timezone.now() + timedelta(days=365)


def keys():
    return sorted(o.key for prefix in CONTENT_PREFIXES for o in get_store().walk(prefix))


def opened(repository, *pieces):
    session = uploads.start(repository, actor=ACTOR)
    for piece in pieces:
        session = uploads.append(session, [piece])
    return session


def test_everything_a_row_names_is_no_stray_whoever_names_it(repository, no_grace):
    push_blob(repository, b"a blob")
    opened(repository, b"a part")
    broken = opened(repository, b"joined", b" but not committed")
    with pytest.raises(ZeroDivisionError):
        uploads.finish(broken, digest(b"joined but not committed"), recheck=lambda row: 1 / 0)
    assert UploadSession.objects.get(pk=broken.pk).final_key in keys()
    uploads.cancel(opened(repository, b"discarded"))
    assert len(keys()) == 6
    assert list(list_strays(FAR)) == []


@pytest.mark.parametrize("pieces", [(b"one piece",), (b"two ", b"pieces")])
def test_bytes_whose_upload_is_finished_after_the_first_question_are_no_stray(repository, pieces):
    session = opened(repository, *pieces)
    with pytest.raises(ZeroDivisionError):
        uploads.finish(session, digest(b"".join(pieces)), recheck=lambda row: 1 / 0)
    asked = []

    def finish_then(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        asked.append(sql)
        if len(asked) == 1:
            uploads.finish(UploadSession.objects.get(), digest(b"".join(pieces)))
        return result

    before = keys()
    with connection.execute_wrapper(finish_then):
        assert without_row(before) == []
    assert Blob.objects.get().storage_key in before


def test_bytes_collected_while_the_walk_reads_are_no_finding(repository, no_grace, monkeypatch):
    blob = push_blob(repository, b"x")
    objects = get_store().walk

    def walk_and_collect(prefix):
        for found in objects(prefix):
            collect.collect()
            yield found

    monkeypatch.setattr(get_store(), "walk", walk_and_collect)
    with time_machine.travel(timezone.now() + timedelta(days=4)):
        assert list(walk._strays()) == []
    assert blob.storage_key not in keys()


def test_the_sweep_looks_again_before_it_deletes(repository, monkeypatch):
    get_store().put("objects/ab/left", [b"x"])
    get_store().put("objects/ab/named", [b"x"])
    seen = list_strays

    def seen_and_named(before):
        found = list(seen(before))
        Blob.objects.create(digest=str(digest(b"x")), size=1, storage_key="objects/ab/named")
        return found

    monkeypatch.setattr(collect, "list_strays", seen_and_named)
    with time_machine.travel(timezone.now() + timedelta(days=4)):
        assert collect.sweep() == 1
    assert keys() == ["objects/ab/named"]


def test_a_blob_on_its_way_to_the_commit_is_left_alone_however_short_uploads_live(
    repository, hub_settings
):
    hub_settings(upload_lifetime_s=1)
    with time_machine.travel(timezone.now(), tick=False) as clock:

        def recheck(row):
            clock.shift(timedelta(minutes=59))
            assert collect.sweep() == 0

        push_blob(repository, b"slow to commit", recheck=recheck)
    assert check(rehash=True) == []


def test_fsck_tells_of_a_stray_only_when_the_sweep_must_have_seen_it(repository):
    get_store().put("objects/ab/left", [b"x"])
    finding = "'objects/ab/left' is stored and no row names it"
    for hours, found in ((49, []), (71, []), (73, [finding])):
        with time_machine.travel(timezone.now() + timedelta(hours=hours)):
            assert check() == found
    with time_machine.travel(timezone.now() + timedelta(hours=49)):
        assert collect.sweep() == 1


def test_a_file_whose_name_is_no_text_stops_neither_walk_nor_sweep(repository, no_grace):
    push(repository, image(), "latest")
    root = os.fsencode(get_store().root)
    foreign = os.path.join(root, b"objects", b"\xff\xfe")
    with open(foreign, "wb") as file:
        file.write(b"not ours")
    with time_machine.travel(timezone.now() + timedelta(days=4)):
        assert [f for f in check() if "no row names it" in f] == [
            "'objects/\\udcff\\udcfe' is stored and no row names it"
        ]
        assert collect.sweep() == 1
    assert not os.path.exists(foreign)
    assert check(rehash=True) == []


def test_a_tombstone_stays_until_the_last_upload_that_names_it_is_gone(repository, hub_settings):
    hub_settings(upload_lifetime_s=5 * 24 * 3600, trash_days=0)
    delete_repository(repository, actor=ACTOR)
    collect.collect()
    late = opened(repository, b"from a request that was under way")
    now = timezone.now()
    with time_machine.travel(now + timedelta(days=4)):
        collect.collect()
        assert Repository.objects.filter(pk=repository.pk).exists()
    with time_machine.travel(now + timedelta(days=6)):
        collect.collect()
        assert not UploadSession.objects.filter(pk=late.pk).exists()
        assert not Repository.objects.filter(pk=repository.pk).exists()
    assert list(list_strays(FAR)) == []
