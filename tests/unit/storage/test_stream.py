"""Readers that look at bytes while they pass."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TooLarge
from storage.factory import CONTENT_PREFIXES, blob_key, get_store, part_key
from storage.local import LocalStore
from storage.stream import HashingReader


@given(st.lists(st.binary(max_size=50), max_size=8), st.sampled_from(["sha256", "sha512"]))
def test_bytes_pass_unchanged_and_are_counted_and_hashed(pieces, algorithm):
    reader = HashingReader(pieces, algorithm, limit_bytes=1000)
    assert list(reader) == pieces
    whole = b"".join(pieces)
    assert reader.size == len(whole)
    assert reader.digest() == f"{algorithm}:{hashlib.new(algorithm, whole).hexdigest()}"


def test_the_limit_is_allowed_and_one_byte_more_is_not_passed_on():
    assert list(HashingReader([b"12", b"34"], "sha256", 4)) == [b"12", b"34"]
    reader = iter(HashingReader([b"12", b"345"], "sha256", 4))
    assert next(reader) == b"12"
    with pytest.raises(TooLarge):
        next(reader)


def test_keys_of_content_lie_under_the_prefixes_that_are_walked():
    assert part_key("u", "p").split("/")[0] in CONTENT_PREFIXES
    assert blob_key("sha256", "abcd", "u") == "blobs/sha256/ab/abcd/u"
    assert blob_key("sha256", "abcd", "u").split("/")[0] in CONTENT_PREFIXES


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
