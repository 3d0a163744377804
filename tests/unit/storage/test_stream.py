"""Readers that look at bytes while they pass."""

from __future__ import annotations

import errno
import hashlib
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TooLarge
from registry.errors import BodyCutShort
from storage.base import StoreUnavailable
from storage.factory import CONTENT_PREFIXES, get_store, object_key
from storage.local import LocalStore
from storage.memory import MemoryStore
from storage.stream import HashingReader


@given(st.lists(st.binary(max_size=50), max_size=8), st.sampled_from(["sha256", "sha512"]))
def test_bytes_pass_unchanged_and_are_counted_and_hashed(pieces, algorithm):
    reader = HashingReader(pieces, algorithm, limit_bytes=1000)
    assert list(reader) == pieces
    whole = b"".join(pieces)
    assert reader.size == len(whole)
    assert reader.hexdigest() == hashlib.new(algorithm, whole).hexdigest()


def test_the_limit_is_allowed_and_one_byte_more_is_not_passed_on():
    assert list(HashingReader([b"12", b"34"], "sha256", 4)) == [b"12", b"34"]
    reader = iter(HashingReader([b"12", b"345"], "sha256", 4))
    assert next(reader) == b"12"
    with pytest.raises(TooLarge):
        next(reader)


def test_keys_of_content_lie_under_the_prefixes_that_are_walked():
    assert object_key("abcd", "part") == "objects/ab/abcd-part"
    assert object_key("abcd", "part").split("/")[0] in CONTENT_PREFIXES


def test_the_store_lies_where_the_settings_say_else_in_the_data_folder(
    hub_settings, tmp_path, settings
):
    hub_settings(storage_options={"root": str(tmp_path / "here")})
    get_store.cache_clear()
    assert get_store().root == tmp_path / "here"
    hub_settings(storage_options={})
    get_store.cache_clear()
    assert isinstance(get_store(), LocalStore)
    assert get_store().root == settings.HUB.data_dir / "store"


class Hose:
    """A spout that writes pieces; what is no piece is done, so it can raise."""

    def __init__(self, *pieces):
        self._pieces = list(pieces)

    def move(self, descriptor, size):
        if not self._pieces:
            return 0
        piece = self._pieces.pop(0)
        return os.write(descriptor, piece) if isinstance(piece, bytes) else piece(descriptor)


@pytest.fixture
def descriptor(tmp_path):
    with (tmp_path / "file").open("x+b", buffering=0) as file:
        yield file.fileno()


def pouring():
    """Threads that hash behind a writer."""
    return [thread for thread in threading.enumerate() if thread.name == "upload-hash"]


def fail(error):
    def act(descriptor):
        raise error

    return act


BYTES = bytes(range(256)) * 4096


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize(
    "pieces",
    [[], [b"one"], [b"a"] * 300, [BYTES] * 20, [BYTES * 3, b"x", BYTES]],
    ids=["none", "one", "tiny", "more than is written back at once", "uneven"],
)
def test_what_is_poured_is_counted_and_hashed(descriptor, pieces, algorithm):
    reader = HashingReader(Hose(*pieces), algorithm, limit_bytes=10**9)
    whole = b"".join(pieces)
    assert reader.pour(descriptor) == reader.size == len(whole)
    assert reader.hexdigest() == hashlib.new(algorithm, whole).hexdigest()
    assert os.pread(descriptor, len(whole) + 1, 0) == whole
    assert pouring() == []


def test_a_hash_that_has_seen_bytes_before_goes_on(descriptor):
    seen = hashlib.sha256(b"before ")
    reader = HashingReader(Hose(b"after"), seen, 100)
    assert reader.pour(descriptor) == 5
    assert reader.hexdigest() == hashlib.sha256(b"before after").hexdigest()


def test_pieces_that_are_no_spout_are_not_poured(descriptor):
    reader = HashingReader([b"one"], "sha256", 100)
    assert reader.pour(descriptor) is None
    assert list(reader) == [b"one"]


def test_the_limit_holds_for_what_is_poured(descriptor):
    assert HashingReader(Hose(b"12", b"34"), "sha256", 4).pour(descriptor) == 4
    reader = HashingReader(Hose(b"12", b"345"), "sha256", 4)
    with pytest.raises(TooLarge):
        reader.pour(descriptor)
    assert pouring() == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, BrokenPipeError])
def test_an_exception_of_the_spout_passes_and_the_thread_ends(descriptor, error):
    with pytest.raises(error):
        HashingReader(Hose(BYTES, fail(error)), "sha256", 10**9).pour(descriptor)
    assert pouring() == []


def test_a_file_that_is_shorter_than_what_went_in_is_an_error(descriptor):
    def claim(descriptor):
        os.write(descriptor, b"12")
        return 3

    with pytest.raises(OSError, match="shorter"):
        HashingReader(Hose(claim), "sha256", 100).pour(descriptor)
    assert pouring() == []


SHORT = [b"one", lambda descriptor: 5]


@pytest.mark.parametrize(
    ("pieces", "limit", "error"),
    [
        ([b"12", b"345"], 4, TooLarge),
        ([BYTES, fail(BodyCutShort("cut"))], 10**9, BodyCutShort),
        ([BYTES, fail(KeyboardInterrupt)], 10**9, KeyboardInterrupt),
        ([BYTES, fail(OSError(errno.ENOSPC, "full"))], 10**9, StoreUnavailable),
        (SHORT, 100, StoreUnavailable),
    ],
    ids=["too large", "cut", "interrupted", "full", "short"],
)
def test_a_store_keeps_nothing_of_what_was_poured_in_vain(tmp_path, pieces, limit, error):
    root = tmp_path / "poured"
    with pytest.raises(error):
        LocalStore(root).put("a/b/c", HashingReader(Hose(*pieces), "sha256", limit))
    assert [path for path in root.rglob("*") if path.is_file()] == []
    assert pouring() == []


def test_what_was_poured_into_a_store_is_read_back(tmp_path):
    store = LocalStore(tmp_path / "poured")
    reader = HashingReader(Hose(BYTES, b"end"), "sha256", 10**9)
    assert store.put("a/b", reader) == len(BYTES) + 3
    assert b"".join(store.open("a/b")) == BYTES + b"end"
    assert reader.hexdigest() == hashlib.sha256(BYTES + b"end").hexdigest()


def test_a_store_in_memory_takes_pieces(tmp_path):
    reader = HashingReader(iter([b"a", b"b"]), "sha256", 10)
    assert MemoryStore().put("a/b", reader) == 2
    assert reader.hexdigest() == hashlib.sha256(b"ab").hexdigest()
