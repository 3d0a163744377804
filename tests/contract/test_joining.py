"""Joining files: inside the kernel where it can, by pieces where it cannot, all or nothing."""

from __future__ import annotations

import errno
import os

import pytest

from storage.base import ObjectMissing, StoreUnavailable
from storage.local import LocalStore
from storage.memory import MemoryStore

MIB = 1024 * 1024


@pytest.fixture(params=[LocalStore, MemoryStore], ids=["local", "memory"])
def store(request, tmp_path):
    return MemoryStore() if request.param is MemoryStore else LocalStore(tmp_path / "root")


@pytest.fixture
def local(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "root")


def read(store, key) -> bytes:
    return b"".join(store.open(key))


def put(store, *sizes: int) -> tuple[list[str], bytes]:
    """Sources of these sizes, and all they hold."""
    keys, whole = [], b""
    for number, size in enumerate(sizes):
        data = (b"%05d" % number * (size // 5 + 1))[:size]
        keys.append(f"staging/u/p{number}")
        store.put(keys[-1], [data])
        whole += data
    return keys, whole


def files(store: LocalStore) -> list[str]:
    return sorted(str(p.relative_to(store.root)) for p in store.root.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    "sizes",
    [(3, 4), (0, 5, 0), (0, 0), (17,) * 300, (MIB + 1, 5 * MIB, 1)],
    ids=["two", "with empty ones", "empty", "many", "large"],
)
def test_sources_are_joined_in_order_and_stay(store, sizes):
    keys, whole = put(store, *sizes)
    assert store.join(keys, "a/x") == len(whole)
    assert read(store, "a/x") == whole
    assert b"".join(read(store, key) for key in keys) == whole


def test_a_source_larger_than_one_copy_is_joined_whole(local, monkeypatch):
    monkeypatch.setattr("storage.local.COPY_BYTES", 1000)
    keys, whole = put(local, 2500, 1000, 999)
    assert local.join(keys, "a/x") == len(whole)
    assert read(local, "a/x") == whole


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_the_kernel_cannot_copy_pieces_are_written(local, monkeypatch, number):
    calls = []

    def refuse(*arguments):
        calls.append(arguments)
        raise OSError(number, "cannot")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    keys, whole = put(local, 3 * MIB, 5)
    assert local.join(keys, "a/x") == len(whole)
    assert read(local, "a/x") == whole
    assert len(calls) == 1


def test_the_kernel_does_copy_where_it_can(local, monkeypatch):
    def unused(*arguments):
        raise AssertionError("pieces were read")

    keys, whole = put(local, 10, 20)
    monkeypatch.setattr("storage.local._write_all", unused)
    assert local.join(keys, "a/x") == len(whole)
    assert read(local, "a/x") == whole


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EXDEV])
def test_an_error_in_the_middle_keeps_the_sources_and_nothing_else(local, monkeypatch, number):
    copy, calls = os.copy_file_range, []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise OSError(number, "no")
        return copy(*arguments)

    keys, whole = put(local, 10, 20)
    before = files(local)
    monkeypatch.setattr(os, "copy_file_range", failing)
    with pytest.raises(StoreUnavailable):
        local.join(keys, "a/x")
    assert files(local) == before
    monkeypatch.undo()
    assert local.join(keys, "a/x") == len(whole)
    assert read(local, "a/x") == whole


def test_an_error_of_the_first_copy_that_is_no_refusal_is_told(local, monkeypatch):
    def broken(*arguments):
        raise OSError(errno.EIO, "broken")

    keys, _ = put(local, 10, 20)
    before = files(local)
    monkeypatch.setattr(os, "copy_file_range", broken)
    with pytest.raises(StoreUnavailable):
        local.join(keys, "a/x")
    assert files(local) == before


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_source_leaves_the_others_and_no_target(store, missing):
    keys, _ = put(store, 3, 4, 5)
    store.delete(keys[missing])
    with pytest.raises(ObjectMissing):
        store.join(keys, "a/x")
    with pytest.raises(ObjectMissing):
        store.size("a/x")
    assert [store.size(key) for n, key in enumerate(keys) if n != missing]
