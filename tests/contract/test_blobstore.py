"""What every store keeps to, and how files on a disk keep to it."""

from __future__ import annotations

import errno
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import HubError
from storage.base import BlobStore, ObjectMissing, StoreUnavailable
from storage.local import LocalStore
from storage.memory import MemoryStore

MIB = 1024 * 1024


@pytest.fixture(params=[LocalStore, MemoryStore], ids=["local", "memory"])
def store(request, tmp_path) -> BlobStore:
    return MemoryStore() if request.param is MemoryStore else LocalStore(tmp_path / "root")


@pytest.fixture
def local(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "root")


def read(store, key, *part) -> bytes:
    return b"".join(store.open(key, *part))


def keys(store) -> list[str]:
    return sorted(o.key for prefix in ("a", "b", "staging") for o in store.walk(prefix))


def left(root: Path) -> list[str]:
    """Every file and directory under the root."""
    return sorted(str(p.relative_to(root)) for p in root.rglob("*"))


class Interrupted(Exception):
    pass


def interrupted():
    yield b"some bytes"
    raise Interrupted


# --- the contract


@pytest.mark.parametrize(
    "chunks",
    [[], [b""], [b"x"], [b"one", b"", b"two"], [b"x" * (3 * MIB)], [bytearray(b"ab")]],
    ids=["none", "empty", "one", "some", "large", "buffer"],
)
def test_what_was_put_is_read_back_whole(store, chunks):
    whole = b"".join(chunks)
    assert store.put("a/b/c", chunks) == len(whole)
    assert read(store, "a/b/c") == whole
    assert store.size("a/b/c") == len(whole)


def test_chunks_may_be_a_generator_and_are_taken_once(store):
    assert store.put("a/x", (bytes([n]) for n in range(5))) == 5
    assert read(store, "a/x") == bytes(range(5))


@pytest.mark.parametrize(
    "error", [Interrupted, KeyboardInterrupt, OSError("socket"), ConnectionResetError]
)
def test_an_exception_of_the_chunks_passes_unchanged_and_leaves_nothing(store, error, tmp_path):
    def chunks():
        yield b"some bytes"
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)) as caught:
        store.put("a/b/c", chunks())
    assert not isinstance(caught.value, HubError)
    assert keys(store) == []
    with pytest.raises(ObjectMissing):
        store.size("a/b/c")
    assert left(tmp_path / "root") == []


def test_an_object_is_not_visible_before_it_is_complete(store):
    def chunks():
        yield b"half"
        assert keys(store) == []
        with pytest.raises(ObjectMissing):
            store.open("a/x")
        yield b"whole"

    store.put("a/x", chunks())
    assert read(store, "a/x") == b"halfwhole"


def test_joining_nothing_makes_an_empty_object(store):
    assert store.join([], "a/x") == 0
    assert read(store, "a/x") == b""


def test_joining_one_moves_it(store):
    store.put("staging/u/p", [b"only"])
    assert store.join(["staging/u/p"], "a/x") == 4
    assert read(store, "a/x") == b"only"
    assert keys(store) == ["a/x"]


def test_joining_several_keeps_their_order_and_leaves_them(store):
    for name, data in (("2", b"two"), ("1", b"one"), ("3", b"three")):
        store.put(f"staging/u/{name}", [data])
    assert store.join([f"staging/u/{n}" for n in "123"], "a/x") == 11
    assert read(store, "a/x") == b"onetwothree"
    assert len(keys(store)) == 4


@pytest.mark.parametrize("names", ["9", "19", "91", "129"])
def test_joining_with_a_source_missing_says_so_and_makes_nothing(store, names):
    store.put("staging/u/1", [b"one"])
    store.put("staging/u/2", [b"two"])
    with pytest.raises(ObjectMissing):
        store.join([f"staging/u/{n}" for n in names], "a/x")
    assert keys(store) == ["staging/u/1", "staging/u/2"]


def test_a_missing_object_has_no_bytes_and_no_size_and_may_be_deleted(store):
    with pytest.raises(ObjectMissing):
        store.open("a/none")  # before the first piece is asked for
    with pytest.raises(ObjectMissing):
        store.size("a/none")
    store.delete("a/none")
    store.delete("a/none")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(start=st.integers(0, 12), stop=st.none() | st.integers(0, 15))
def test_a_part_is_what_slicing_gives(store, start, stop):
    if stop is not None and stop < start:
        stop = start
    store.put("a/x", [b"0123456789"])
    assert read(store, "a/x", start, stop) == b"0123456789"[start:stop]


def test_a_part_may_cross_pieces(store):
    data = os.urandom(2 * MIB + 10)
    store.put("a/x", [data])
    assert read(store, "a/x", MIB - 5, 2 * MIB + 5) == data[MIB - 5 : 2 * MIB + 5]


def test_what_is_being_read_stays_readable_after_its_deletion(store):
    store.put("a/x", [b"x" * (2 * MIB)])
    pieces = store.open("a/x")
    first = next(pieces)
    store.delete("a/x")
    assert len(first) + sum(map(len, pieces)) == 2 * MIB
    with pytest.raises(ObjectMissing):
        store.size("a/x")


def test_a_walk_finds_every_object_under_its_prefix_with_size_and_time(store):
    before = datetime.now(UTC) - timedelta(seconds=5)
    for key in ("a/x", "a/b/c/d", "b/x", "ab/x"):
        store.put(key, [key.encode()])
    found = {o.key: o for o in store.walk("a")}
    assert set(found) == {"a/x", "a/b/c/d"}
    assert found["a/b/c/d"].size == 7
    assert before < found["a/x"].modified_at < datetime.now(UTC) + timedelta(seconds=5)
    assert list(store.walk("c")) == []


@pytest.mark.parametrize(
    "key",
    ["", "/", "..", "../x", "a/../x", "a/..", "/etc/x", "a//b", "a/", "./a", "a/./b", "a/\0b"],
)
def test_a_key_that_could_lead_out_is_refused_by_every_method(store, key, tmp_path):
    calls = [
        lambda: store.put(key, [b"x"]),
        lambda: store.join([], key),
        lambda: store.join([key], "a/x"),
        lambda: store.join([key, key], "a/x"),
        lambda: store.open(key),
        lambda: store.size(key),
        lambda: store.delete(key),
        lambda: list(store.walk(key)),
    ]
    for call in calls:
        with pytest.raises(ValueError):
            call()
    assert not (tmp_path / "x").exists()
    assert keys(store) == []


def test_these_stores_have_no_addresses_of_their_own(store):
    store.put("a/x", [b"x"])
    assert store.location("a/x", expires_s=60) is None


# --- files on a disk


@pytest.fixture
def calls(monkeypatch, local) -> list[str]:
    """What reaches the disk, in order: `write`, `sync`, `rename` and the name."""
    seen: list[str] = []
    real = {name: getattr(os, name) for name in ("fsync", "write")}
    rename = Path.rename

    def name_of(descriptor: int) -> str:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        return "temporary" if path.name.startswith(".writing-") else path.name

    def fsync(descriptor):
        seen.append(f"sync {name_of(descriptor)}")
        real["fsync"](descriptor)

    def write(descriptor, data):
        if name_of(descriptor) == "temporary":
            seen.append("write temporary")
        return real["write"](descriptor, data)

    def renamed(self, target):
        seen.append(f"rename to {Path(target).name}")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(Path, "rename", renamed)
    return seen


def test_bytes_are_synced_before_they_get_their_name_and_the_name_after(local, calls):
    local.root.mkdir()
    local.put("a/b/x", [b"1", b"2"])
    assert calls == [
        "sync root",  # a is new in it
        "sync a",  # b is new in it
        "write temporary",
        "write temporary",
        "sync temporary",
        "rename to x",
        "sync b",
    ]


def test_joining_one_syncs_the_directory_of_its_new_name(local, calls):
    local.put("staging/u/p", [b"1"])
    calls.clear()
    local.join(["staging/u/p"], "a/x")
    assert calls == ["sync root", "rename to x", "sync a"]


def test_joining_one_leaves_no_empty_directory_behind(local):
    local.put("staging/u/p", [b"1"])
    local.join(["staging/u/p"], "a/x")
    assert left(local.root) == ["a", "a/x"]


def test_deleting_leaves_no_empty_directory_and_never_takes_the_root(local):
    for key in ("staging/u/p", "staging/v/p", "x"):
        local.put(key, [b"1"])
    local.delete("staging/u/p")
    assert left(local.root) == ["staging", "staging/v", "staging/v/p", "x"]
    local.delete("staging/v/p")
    local.delete("x")
    assert left(local.root) == []
    assert local.root.is_dir()


def test_a_walk_passes_over_unfinished_files_and_what_goes_meanwhile(local, monkeypatch):
    local.put("a/one", [b"1"])
    local.put("a/two", [b"2"])
    (local.root / "a" / ".writing-abc").write_bytes(b"unfinished")
    walk = local.walk("a")
    assert next(walk).key == "a/one"
    local.delete("a/two")
    assert list(walk) == []


@pytest.fixture
def fail(monkeypatch):
    """Make one call of the system fail: `fail("write")`."""

    def fail(name: str, number: int = errno.ENOSPC, after: int = 0) -> None:
        owner = Path if name in ("rename", "mkdir") else os
        real = getattr(owner, name)
        count = [after]

        def failing(*args, **values):
            count[0] -= 1
            if count[0] < 0:
                raise OSError(number, os.strerror(number))
            return real(*args, **values)

        monkeypatch.setattr(owner, name, failing)

    return fail


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize(
    ("call", "after"),
    [
        ("write", 0),
        ("write", 1),
        ("mkdir", 0),
        ("mkdir", 1),
        ("rename", 0),
        ("fsync", 0),
        ("fsync", 1),
        ("fsync", 2),
    ],
)
def test_a_disk_that_refuses_makes_the_store_unavailable_and_nothing_is_left(
    local, fail, monkeypatch, call, after, number
):
    local.root.mkdir()
    fail(call, number, after)
    with pytest.raises(StoreUnavailable):
        local.put("a/b/x", [b"1", b"2"])
    monkeypatch.undo()
    assert left(local.root) == []
    assert local.put("a/b/x", [b"1", b"2"]) == 2


def test_a_failed_sync_is_never_tried_again(local, monkeypatch):
    synced = []

    def fsync(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        if ".writing-" in synced[-1]:
            raise OSError(errno.EIO, "lost")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoreUnavailable):
        local.put("a/x", [b"1"])
    assert len([name for name in synced if ".writing-" in name]) == 1
    assert keys(local) == []


def test_a_full_disk_during_a_join_keeps_the_sources(local, fail, monkeypatch):
    local.put("staging/u/1", [b"one"])
    local.put("staging/u/2", [b"two"])
    fail("copy_file_range")
    with pytest.raises(StoreUnavailable):
        local.join(["staging/u/1", "staging/u/2"], "a/x")
    monkeypatch.undo()
    assert keys(local) == ["staging/u/1", "staging/u/2"]
    assert local.join(["staging/u/1", "staging/u/2"], "a/x") == 6


def test_short_writes_are_continued(local, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    assert local.put("a/x", [b"0123456789"]) == 10
    monkeypatch.undo()
    assert read(local, "a/x") == b"0123456789"


def test_a_file_that_cannot_be_opened_is_unavailable_not_missing(local, monkeypatch):
    local.put("a/x", [b"1"])

    def refuse(*_, **__):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StoreUnavailable):
        local.open("a/x")


def test_files_are_readable_by_their_owner_only(local):
    local.put("a/x", [b"1"])
    assert (local.root / "a").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("step", ["mkdir", "open"])
def test_a_directory_tidied_away_at_the_worst_moment_is_made_again(local, monkeypatch, step):
    """A delete of the last object beside it may come between making and using a directory."""
    real = getattr(Path, step)
    times = [0]

    def tidied(self, *args, **values):
        if local.root in self.parents and times[0] < 3:
            times[0] += 1
            if step == "mkdir":
                result = real(self, *args, **values)
                self.rmdir()
                return result
            local._tidy(self)
        return real(self, *args, **values)

    local.root.mkdir()
    monkeypatch.setattr(Path, step, tidied)
    assert local.put("a/b/x", [b"1"]) == 1
    assert times[0] == 3
    monkeypatch.undo()
    assert read(local, "a/b/x") == b"1"


def test_a_directory_tidied_away_before_a_join_moves_into_it_is_made_again(local, monkeypatch):
    local.put("staging/u/p", [b"1"])
    real = Path.rename
    times = [0]

    def tidied(self, target):
        if times[0] < 3:
            times[0] += 1
            local._tidy(Path(target))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", tidied)
    assert local.join(["staging/u/p"], "a/b/x") == 1
    assert times[0] == 3
    assert read(local, "a/b/x") == b"1"


def test_a_directory_that_never_stays_makes_the_store_unavailable_at_last(local, monkeypatch):
    real = Path.open

    def tidied(self, *args, **values):
        local._tidy(self)
        return real(self, *args, **values)

    monkeypatch.setattr(Path, "open", tidied)
    with pytest.raises(StoreUnavailable):
        local.put("a/b/x", [b"1"])


def test_puts_joins_and_deletes_in_one_directory_never_disturb_each_other(local, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # only the names matter here
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(150):
                part, key = f"staging/u/{number}-{turn}", f"a/b/{number}-{turn}"
                local.put(part, [b"1"])
                local.join([part], key)
                assert local.size(key) == 1
                local.delete(key)
        except (HubError, ObjectMissing, OSError, AssertionError) as error:
            errors.append(error.__cause__ or error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert left(local.root) == []
