"""Digests that are put away and taken up again, and what happens where that cannot be."""

from __future__ import annotations

import ctypes.util
import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import hashing

ALGORITHMS = ["sha256", "sha512"]
ALGORITHM = st.sampled_from(ALGORITHMS)
LONG = bytes(range(256)) * 40


@pytest.fixture
def no_library(monkeypatch):
    """A machine without libcrypto."""
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    hashing._families.cache_clear()
    yield
    hashing._families.cache_clear()


def state_of(algorithm: str, data: bytes) -> bytes:
    running = hashing.start(algorithm)
    running.update(data)
    return hashing.saved(running)


@given(st.binary(max_size=700), st.lists(st.integers(0, 700), max_size=6), ALGORITHM)
def test_any_cuts_saved_and_resumed_give_the_digest_of_the_whole(data, cuts, algorithm):
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    running = hashing.start(algorithm)
    for begin, end in pairwise(edges):
        running.update(data[begin:end])
        assert running.hexdigest() == hashlib.new(algorithm, data[:end]).hexdigest()
        running = hashing.resume(algorithm, hashing.saved(running))
        assert running is not None
    assert running.hexdigest() == hashlib.new(algorithm, data).hexdigest()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        LONG,
        bytearray(),
        bytearray(LONG),
        memoryview(LONG),
        memoryview(LONG)[7:300],
        memoryview(bytearray(LONG))[7:300],
        memoryview(b""),
    ],
    ids=lambda data: f"{type(data).__name__} of {len(data)}",
)
def test_every_kind_of_bytes_is_hashed_and_left_as_it_was(algorithm, data):
    before = bytes(data)
    running = hashing.start(algorithm)
    running.update(data)
    running.update(b"and more")
    assert running.hexdigest() == hashlib.new(algorithm, before + b"and more").hexdigest()
    assert bytes(data) == before


def test_a_resumed_digest_and_its_source_go_their_own_ways():
    first = hashing.start("sha256")
    first.update(b"common ")
    second = hashing.resume("sha256", hashing.saved(first))
    first.update(b"one")
    second.update(b"two")
    assert first.hexdigest() == hashlib.sha256(b"common one").hexdigest()
    assert second.hexdigest() == hashlib.sha256(b"common two").hexdigest()


STATE = state_of("sha256", LONG)


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"garbage",
        STATE[:-1],
        STATE + b"\0",
        STATE.replace(b"OpenSSL", b"OtherSSL", 1)[: len(STATE)],
        b"OpenSSL 9.9.9 1 Jan 2099/8\0" + STATE.partition(b"\0")[2],
        STATE.partition(b"\0")[2],
        state_of("sha512", LONG),
    ],
    ids=["none", "garbage", "short", "long", "renamed", "newer", "unmarked", "other algorithm"],
)
def test_a_state_of_another_build_is_not_taken_up(state):
    assert hashing.resume("sha256", state) is None


def test_the_library_of_this_machine_is_one_that_can_save():
    assert isinstance(hashing.start("sha256"), hashing.KeptHash)
    assert isinstance(hashing.start("sha512"), hashing.KeptHash)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "sha384"])
def test_without_the_library_digests_are_right_and_cannot_be_saved(no_library, algorithm):
    running = hashing.start(algorithm)
    running.update(LONG)
    assert running.hexdigest() == hashlib.new(algorithm, LONG).hexdigest()
    assert hashing.saved(running) == b""
    assert hashing.resume(algorithm, STATE) is None


def test_a_library_without_the_functions_is_as_good_as_none(monkeypatch):
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: "libm.so.6")
    hashing._families.cache_clear()
    assert hashing._families() == {}
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: "libnothing.so.0")
    hashing._families.cache_clear()
    assert hashing._families() == {}
    hashing._families.cache_clear()


def test_a_library_that_counts_differently_fails_the_known_answers():
    right = hashing._families()["sha256"]
    short = hashing._Family(right.size - 40, right.length, right.init, right.update, right.final)
    assert hashing._is_right("sha256", right)
    assert not hashing._is_right("sha512", right)
    assert not hashing._is_right("sha256", short)
