"""RG-09, DU-01 to DU-03: bytes count when they are all here, are kept when it is said, and heal."""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone
from gunicorn.http.errors import NoMoreData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.models import Blob, BlobLink, Tag
from registry.services import collect
from registry.services.check import check
from storage.factory import CONTENT_PREFIXES, get_store
from tests.images import digest_of, image
from tests.security.lane import Answer, send
from tests.security.world import World, undone
from tests.unit.registry import pushing

pytestmark = pytest.mark.django_db
PATH = "alice/private"
UPLOADS = f"/v2/{PATH}/blobs/uploads/"


class Dying(io.BytesIO):
    """A chunked body whose connection ends before its last chunk."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data:
            raise NoMoreData(b"")
        return data


@pytest.fixture
def headers(world: World) -> dict[str, str]:
    return world.callers["owner"].basic()


# --- RG-09

data = st.binary(max_size=6)
steps = st.one_of(
    st.tuples(st.just("plain"), data, st.just(0)),
    st.tuples(st.just("chunked"), data, st.just(0)),
    st.tuples(st.just("range"), data, st.sampled_from([-1, 0, 0, 0, 1, 5])),
    st.tuples(st.just("short"), data, st.integers(1, 5)),
    st.tuples(st.just("dying"), data, st.just(0)),
    st.tuples(st.just("mismatch"), data, st.integers(1, 3)),
    st.tuples(st.just("nonsense"), data, st.just(0)),
)


class Chunks:
    """One upload beside a model of it: nothing but the bytes that count."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers
        self.kept = b""
        opened = send("POST", UPLOADS, headers=headers)
        self.where = opened.headers["Location"]

    def patch(self, body: Any, **more: Any) -> Answer:
        extra = more.pop("headers", {})
        return send("PATCH", self.where, headers={**self.headers, **extra}, body=body, **more)

    def play(self, kind: str, piece: bytes, number: int) -> None:
        start = len(self.kept) + number
        span = f"{max(start, 0)}-{max(start, 0) + max(len(piece), 1) - 1}"
        if kind == "plain":
            answer, counts = self.patch(piece), True
        elif kind == "chunked":
            answer, counts = self.patch(piece, chunked=True), True
        elif kind == "range":
            answer = self.patch(piece, headers={"Content-Range": span})
            counts = bool(piece) and max(start, 0) == len(self.kept)
        elif kind == "short":
            answer, counts = self.patch(piece, length=len(piece) + number), False
        elif kind == "dying":
            answer, counts = self.patch(Dying(piece), chunked=True), False
        elif kind == "mismatch":
            wrong = f"{len(self.kept)}-{len(self.kept) + len(piece) + number - 1}"
            answer, counts = self.patch(piece, headers={"Content-Range": wrong}), False
        else:
            answer, counts = self.patch(piece, headers={"Content-Range": "x-y"}), False
        if counts:
            self.kept += piece
        assert answer.status == 202 if counts else answer.status in (400, 416), (kind, answer)
        self.ask()

    def ask(self) -> None:
        told = send("GET", self.where, headers=self.headers)
        assert told.status == 204
        assert told.headers["Range"] == f"0-{max(len(self.kept) - 1, 0)}"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(played=st.lists(steps, max_size=6), last=data, honest=st.booleans())
def test_rg09_an_upload_is_the_chunks_that_came_whole_and_in_order(
    headers: dict[str, str], played: list[tuple[str, bytes, int]], last: bytes, honest: bool
) -> None:
    with undone():
        chunks = Chunks(headers)
        for kind, piece, number in played:
            chunks.play(kind, piece, number)
        whole = chunks.kept + last
        digest = digest_of(whole if honest else whole + b"x")
        known = BlobLink.objects.filter(repository__path=PATH, blob__digest=digest).exists()
        closed = send("PUT", f"{chunks.where}?digest={digest}", headers=headers, body=last)
        if honest or known:
            assert closed.status == 201 or (known and closed.status == 400)
            got = send("GET", f"/v2/{PATH}/blobs/{digest}", headers=headers)
            assert got.status == 200
            assert digest_of(got.body) == digest
        else:
            assert (closed.status, closed.code) == (400, "DIGEST_INVALID")
            assert send("GET", chunks.where, headers=headers).status == 404
            assert not Blob.objects.filter(digest=digest).exists()
        assert check(rehash=True) == []


def test_rg09_a_body_that_ends_early_makes_no_blob_by_any_route(headers: dict[str, str]) -> None:
    count, before = Blob.objects.count(), Tag.objects.count()
    whole = b"a blob that never arrives in full"
    digest = digest_of(whole)
    opened = send("POST", UPLOADS, headers=headers).headers["Location"]
    for method, target in (
        ("POST", f"{UPLOADS}?digest={digest}"),
        ("PUT", f"{opened}?digest={digest}"),
        ("PATCH", opened),
        ("PUT", f"/v2/{PATH}/manifests/short"),
    ):
        for cut in ({"length": len(whole)}, {"length": 2**40}):
            answer = send(method, target, headers=headers, body=whole[:-1], **cut)
            assert answer.status in (400, 413), (method, cut)
        answer = send(method, target, headers=headers, body=Dying(whole), chunked=True)
        assert answer.status == 400, method
        assert send("GET", opened, headers=headers).headers["Range"] == "0-0"
    assert (Blob.objects.count(), Tag.objects.count()) == (count, before)


def test_rg09_no_bytes_are_a_blob_too(headers: dict[str, str]) -> None:
    digest = digest_of(b"")
    for how in range(3):
        if how == 0:
            answer = send("POST", f"{UPLOADS}?digest={digest}", headers=headers)
        else:
            opened = send("POST", UPLOADS, headers=headers).headers["Location"]
            if how == 2:
                assert send("PATCH", opened, headers=headers).status == 202
            answer = send("PUT", f"{opened}?digest={digest}", headers=headers)
        assert answer.status == 201
        got = send("GET", f"/v2/{PATH}/blobs/{digest}", headers=headers)
        assert (got.status, got.body, got.headers["Content-Length"]) == (200, b"", "0")


# --- DU-01

PUSHED = b"bytes that must outlive a power cut"


def push_whole(headers: dict[str, str]) -> Answer:
    return send("POST", f"{UPLOADS}?digest={digest_of(PUSHED)}", headers=headers, body=PUSHED)


def push_in_put(headers: dict[str, str]) -> Answer:
    opened = send("POST", UPLOADS, headers=headers).headers["Location"]
    target = f"{opened}?digest={digest_of(PUSHED)}"
    return send("PUT", target, headers=headers, body=PUSHED)


def push_in_pieces(headers: dict[str, str]) -> Answer:
    opened = send("POST", UPLOADS, headers=headers).headers["Location"]
    for piece in (PUSHED[:9], PUSHED[9:]):
        answer = send("PATCH", opened, headers=headers, body=piece)
        if answer.status != 202:
            return answer
    return send("PUT", f"{opened}?digest={digest_of(PUSHED)}", headers=headers)


def push_in_one_patch(headers: dict[str, str]) -> Answer:
    opened = send("POST", UPLOADS, headers=headers).headers["Location"]
    answer = send("PATCH", opened, headers=headers, body=PUSHED)
    if answer.status != 202:
        return answer
    return send("PUT", f"{opened}?digest={digest_of(PUSHED)}", headers=headers)


WAYS = [push_whole, push_in_put, push_in_one_patch, push_in_pieces]


@pytest.mark.parametrize("push", WAYS)
def test_du01_bytes_and_their_name_are_on_the_disk_before_any_row_says_so(
    headers: dict[str, str], push: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, int]] = []
    told: list[list[tuple[str, int]]] = []

    def fsync(descriptor: int) -> None:
        found = os.fstat(descriptor)
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), found.st_size))

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        if re.match(r'INSERT INTO "?registry_blob"? ', sql):
            told.append(list(synced))
        return execute(sql, *rest)

    monkeypatch.setattr(os, "fsync", fsync)
    with connection.execute_wrapper(watch):
        assert push(headers).status == 201
    assert len(told) == 1
    file = Path(get_store().path(Blob.objects.get(digest=digest_of(PUSHED)).storage_key))
    names = [name for name, _ in told[0]]
    data = [n for n, (name, size) in enumerate(told[0]) if ".writing-" in name and size > 0]
    named = [n for n, name in enumerate(names) if name == str(file.parent)]
    assert data, names
    assert named[-1] > data[-1], "the name is made durable after the bytes"
    assert told[0][data[-1]][1] == len(PUSHED)


def test_du01_an_empty_file_in_the_place_of_a_blob_is_never_promised(
    world: World, headers: dict[str, str]
) -> None:
    blob = pushing.push_blob(world.repositories[PATH], PUSHED)
    address = f"/v2/{PATH}/blobs/{digest_of(PUSHED)}"
    assert send("HEAD", address, headers=headers).status == 200
    get_store().path(blob.storage_key).write_bytes(b"")
    assert send("HEAD", address, headers=headers).status == 404
    assert check() != []


# --- DU-02

CALLS: tuple[tuple[Any, str], ...] = (
    (os, "write"),
    (os, "fsync"),
    (os, "open"),
    (Path, "mkdir"),
    (Path, "rename"),
    (Path, "stat"),
    (os, "copy_file_range"),
)
PICTURE = image("full disk", layers=1, size=50)


@contextmanager
def failing(owner: Any, name: str, number: int, code: int) -> Iterator[list[int]]:
    """The n-th call from now on fails, once; gives the number of calls."""
    real, calls = getattr(owner, name), [0]

    def call(*args: Any, **values: Any) -> Any:
        calls[0] += 1
        if calls[0] == number:
            raise OSError(code, os.strerror(code))
        return real(*args, **values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, call)
        yield calls


def push_image(headers: dict[str, str]) -> list[Answer]:
    """As a client that gives up at the first error."""
    answers = []
    for way in WAYS:
        answers.append(way(headers))
        if answers[-1].status >= 400:
            return answers
    for blob in PICTURE.blobs:
        target = f"{UPLOADS}?digest={digest_of(blob)}"
        answers.append(send("POST", target, headers=headers, body=blob))
        if answers[-1].status >= 400:
            return answers
    kind = {**headers, "Content-Type": PICTURE.media_type}
    target = f"/v2/{PATH}/manifests/full"
    return [*answers, send("PUT", target, headers=kind, body=PICTURE.manifest)]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
@pytest.mark.parametrize(("owner", "name"), CALLS, ids=[name for _, name in CALLS])
def test_du02_a_disk_that_fails_anywhere_in_a_push_is_a_503_and_no_harm(
    world: World, headers: dict[str, str], owner: Any, name: str, code: int
) -> None:
    for number in range(1, 80):
        with undone():
            before = set(Tag.objects.values_list("name", flat=True))
            with failing(owner, name, number, code) as calls:
                answers = push_image(headers)
            last = answers[-1]
            if calls[0] < number:
                assert last.status == 201
                break
            if last.status != 201:  # else what failed was only tidying up
                assert (last.status, last.headers["Retry-After"]) == (503, "1"), (name, number)
                assert set(Tag.objects.values_list("name", flat=True)) == before
            assert check(rehash=True) == []
            assert push_image(headers)[-1].status == 201, "it works again at once"
            got = send("GET", f"/v2/{PATH}/blobs/{digest_of(PUSHED)}", headers=headers)
            assert got.body == PUSHED
    assert number > 1


def test_du02_what_failed_leaves_no_bytes_behind(
    world: World, headers: dict[str, str], hub_settings: Callable[..., None]
) -> None:
    hub_settings(push_grace_s=0, untag_grace_s=0, discard_grace_s=0, trash_days=0)
    for owner, name in ((os, "write"), (os, "fsync"), (Path, "rename")):
        for number in range(1, 8):
            with failing(owner, name, number, errno.ENOSPC):
                push_image(headers)
    with time_machine.travel(timezone.now() + timedelta(days=30), tick=False):
        for _ in range(4):
            collect.collect()
        collect.sweep()
    stored = {found.key for prefix in CONTENT_PREFIXES for found in get_store().walk(prefix)}
    assert stored == set(Blob.objects.values_list("storage_key", flat=True))
    assert check(rehash=True) == []


# --- DU-03

DAMAGE: dict[str, Callable[[Path], Any]] = {
    "gone": Path.unlink,
    "empty": lambda file: file.write_bytes(b""),
    "short": lambda file: file.write_bytes(PUSHED[:-1]),
    "long": lambda file: file.write_bytes(PUSHED + b"x"),
}


@pytest.mark.parametrize("push", WAYS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_du03_pushing_again_heals_a_damaged_blob_everywhere(
    world: World, headers: dict[str, str], damage: str, push: Callable[..., Answer]
) -> None:
    for path in (PATH, "alice/public"):
        blob = pushing.push_blob(world.repositories[path], PUSHED)
    DAMAGE[damage](get_store().path(blob.storage_key))
    assert check() != []
    digest = digest_of(PUSHED)
    for path in (PATH, "alice/public"):
        assert send("HEAD", f"/v2/{path}/blobs/{digest}", headers=headers).status == 404
    mount = f"/v2/acme/public/blobs/uploads/?mount={digest}&from={PATH}"
    writer = world.callers["writer"].basic()
    assert send("POST", mount, headers=writer).status == 202, "a client told 201 sends nothing"
    assert push(headers).status == 201
    for path in (PATH, "alice/public"):
        got = send("GET", f"/v2/{path}/blobs/{digest}", headers=headers)
        assert (got.status, got.body) == (200, PUSHED)
    assert check(rehash=True) == []
