"""Digests, names, tags, scopes and ranges: what parses formats back; junk raises only our errors."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import HubError, RangeWrong
from oci.digest import ALGORITHMS, Digest, hasher
from oci.errors import DigestInvalid, NameInvalid, SizeInvalid, TagInvalid
from oci.names import (
    MAX_NAME_LENGTH,
    RepositoryName,
    is_component,
    is_path,
    is_tag,
    parse_reference,
    parse_tag,
)
from oci.ranges import MAX_RANGES, ByteRange, parse_chunk, parse_ranges
from oci.scope import MAX_SCOPES, Scope, parse_scope, parse_scopes

HEX = "0123456789abcdef" * 4
JUNK = st.text(st.characters(), max_size=60)  # NUL and halves of surrogate pairs too
COMPONENT = st.from_regex(r"[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True)
PATH = st.lists(COMPONENT, min_size=2, max_size=6).map("/".join)
TAG = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", fullmatch=True)
DIGEST = st.builds(Digest.of, st.binary(max_size=8), algorithm=st.sampled_from(sorted(ALGORITHMS)))
SCOPE_WORD = st.from_regex(r"[a-z0-9/._:-]{1,20}", fullmatch=True)
SCOPES = st.builds(
    Scope,
    type=st.from_regex(r"[a-z]{1,10}", fullmatch=True),
    name=SCOPE_WORD,
    actions=st.lists(st.sampled_from(["pull", "push", "delete", "*"]), unique=True).map(tuple),
)


@given(DIGEST)
def test_a_digest_parses_back_from_its_text(value):
    assert Digest.parse(str(value)) == value
    assert parse_reference(str(value)) == value


@given(st.binary(), st.sampled_from(sorted(ALGORITHMS)))
def test_a_digest_is_the_hash_of_exactly_these_bytes(data, algorithm):
    assert Digest.of(data, algorithm).hex == hashlib.new(algorithm, data).hexdigest()


@given(JUNK)
def test_junk_raises_only_errors_of_ours(text):
    for parse in (Digest.parse, RepositoryName.parse, parse_tag, parse_reference, parse_chunk):
        with suppress(HubError):
            parse(text)
    assert parse_scope(text) is None or parse_scope(text).name
    assert len(parse_scopes([text, text])) <= MAX_SCOPES
    with suppress(RangeWrong):
        assert all(0 <= found.start < found.stop <= 10 for found in parse_ranges(text, 10))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "sha256",
        "sha256:",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        f"sha256:{HEX.upper()}",
        f"SHA256:{HEX}",
        f"sha256:{HEX}\n",
        f" sha256:{HEX}",
        f"sha256:../{HEX[3:]}",
        f"sha256:{HEX[:-1]}g",
        f"sha256:{HEX[:-1]}١",
        f"sha256:{HEX[:-1]}\0",
        f"sha512:{HEX}",
        f"sha384:{HEX}{HEX[:32]}",
        f"md5:{HEX[:32]}",
        f"sha256+b64:{HEX}",
        f"sha256::{HEX}",
    ],
)
def test_a_digest_that_is_not_exactly_one_is_refused(text):
    with pytest.raises(DigestInvalid):
        Digest.parse(text)


def test_only_supported_algorithms_hash():
    assert hasher("sha512").name == "sha512"
    with pytest.raises(DigestInvalid):
        hasher("md5")


@given(PATH)
def test_a_path_parses_back_from_its_text(path):
    name = RepositoryName.parse(path)
    assert str(name) == path
    assert RepositoryName.parse(str(name)) == name
    assert is_component(name.namespace)


@given(COMPONENT)
def test_a_single_component_belongs_to_the_library(word):
    assert RepositoryName.parse(word) == RepositoryName("library", word)


@given(st.integers(min_value=150, max_value=230))
def test_what_parses_has_a_text_that_parses_whatever_the_length(length):
    for text in ("a" * length, f"b/{'a' * (length - 2)}"):
        try:
            name = RepositoryName.parse(text)
        except NameInvalid:
            continue
        assert len(str(name)) <= MAX_NAME_LENGTH
        assert RepositoryName.parse(str(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "A/b",
        "a/B",
        "a b/c",
        "a/b\n",
        "\na/b",
        "a/b:tag",
        "a/.b",
        "a/b.",
        "a/b..c",
        "a/b._c",
        "a/b___c",
        "a/-b",
        "a/b-",
        "a/_b",
        "../b",
        "a/../b",
        "a/%2e",
        "ä/b",
        "a/１",
        "a/ſ",
        "a\0/b",
        "a\\b/c",
        "a" * 201,
    ],
)
def test_a_name_outside_the_grammar_is_refused(text):
    assert not is_path(text)
    with pytest.raises(NameInvalid):
        RepositoryName.parse(text)


@pytest.mark.parametrize(
    "text", ["a/b", "a/b-c", "a/b--c", "a/b---c", "a/b__c", "a/b_c", "a/b.c", "a/b/c/d", "0/1"]
)
def test_a_name_inside_the_grammar_is_taken(text):
    assert str(RepositoryName.parse(text)) == text


@given(TAG)
def test_a_tag_inside_the_grammar_is_its_own_text(tag):
    assert parse_tag(tag) == tag
    assert parse_reference(tag) == tag


@pytest.mark.parametrize(
    "text",
    ["", ".a", "-a", "a b", "a\n", "a/b", "a+b", "é", "a١", "a\0", "a" * 129, "@", "a@sha256"],
)
def test_a_tag_outside_the_grammar_is_refused(text):
    assert not is_tag(text)
    with pytest.raises(TagInvalid):
        parse_tag(text)


@pytest.mark.parametrize("text", ["sha256:abc", ":", "a:b", f"md5:{HEX}"])
def test_a_bad_digest_is_never_looked_up_as_a_tag(text):
    with pytest.raises(DigestInvalid):
        parse_reference(text)


@pytest.mark.parametrize("size", [1000, 100_000])
@pytest.mark.parametrize("shape", ["a-", "a.", "a_", "a__", "-", "a-" * 3 + "!", "a/", "0"])
def test_adversarial_text_costs_linear_time(shape, size):
    text = shape * (size // len(shape))
    started = time.process_time()
    is_component(text)
    is_component(f"{text}!")
    is_path(text)
    is_tag(text)
    parse_scope(text)
    assert time.process_time() - started < 0.5


@given(SCOPES)
def test_a_scope_parses_back_from_its_text(scope):
    assert parse_scope(str(scope)) == scope


@given(JUNK)
def test_any_scope_that_parses_formats_to_the_same_scope(text):
    scope = parse_scope(text)
    if scope is not None:
        assert parse_scope(str(scope)) == scope


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("repository:a/b:pull,push", Scope("repository", "a/b", ("pull", "push"))),
        ("repository:host:5000/a/b:pull", Scope("repository", "host:5000/a/b", ("pull",))),
        ("repository(plugin):a/b:pull", Scope("repository", "a/b", ("pull",))),
        ("registry:catalog:*", Scope("registry", "catalog", ("*",))),
        ("repository:a/b:", Scope("repository", "a/b", ())),
        ("repository:a/b:,pull,", Scope("repository", "a/b", ("pull",))),
        ("repository:a/b", None),
        ("repository::pull", None),
        (":a:pull", None),
        ("(plugin):a:pull", None),
        ("repository", None),
        ("", None),
    ],
)
def test_scopes_as_clients_write_them(text, expected):
    assert parse_scope(text) == expected


def test_scopes_of_one_resource_are_merged_in_order_and_bad_ones_dropped():
    found = parse_scopes(
        ["repository:a/b:pull junk", "repository:a/b:push,pull repository:c/d:pull", ""]
    )
    assert [str(s) for s in found] == ["repository:a/b:pull,push", "repository:c/d:pull"]


def test_no_more_resources_than_the_limit_are_kept_and_many_cost_linear_time():
    assert len(parse_scopes([f"repository:a/{n}:pull" for n in range(500)])) == MAX_SCOPES
    started = time.process_time()
    (scope,) = parse_scopes([" ".join(f"r:a:{n}" for n in range(30_000))])
    assert len(scope.actions) == 30_000
    assert time.process_time() - started < 1


@given(SCOPES, st.sets(st.sampled_from(["pull", "push", "delete"])))
def test_a_scope_cut_down_holds_only_what_was_asked_for_and_allowed(scope, allowed):
    wanted = {"pull", "push", "delete"} if "*" in scope.actions else set(scope.actions)
    assert set(scope.only(allowed).actions) == wanted & allowed


@given(st.integers(0, 10**18), st.integers(0, 10**18))
def test_a_chunk_range_parses_back(start, length):
    found = parse_chunk(f"{start}-{start + length}")
    assert found == ByteRange(start, start + length + 1)
    assert found.length == length + 1


@pytest.mark.parametrize(
    "text",
    [
        "0--1",
        "0 -4",
        f"{'1' * 20}-{'2' * 20}",
        "",
        "-",
        "5-4",
        "0-",
        "-5",
        "a-b",
        "bytes 0-4/5",
        "bytes=0-4",
        "+0-4",
        "0-4,5-6",
        "٠-٤",
    ],
)
def test_a_chunk_range_of_another_form_is_refused(text):
    with pytest.raises(SizeInvalid):
        parse_chunk(text)


@given(st.integers(1, 1000), st.integers(0, 1200), st.integers(0, 1200))
def test_a_range_gives_the_same_bytes_as_slicing(size, first, last):
    data = bytes(n % 251 for n in range(size))
    if first <= last and first < size:
        (found,) = parse_ranges(f"bytes={first}-{last}", size)
        assert data[found.start : found.stop] == data[first : last + 1]
        assert parse_ranges(f"bytes={first}-", size) == (ByteRange(first, size),)
    if last:
        (found,) = parse_ranges(f"bytes=-{last}", size)
        assert data[found.start : found.stop] == data[-last:]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-1,3-4", [(0, 2), (3, 5)]),
        ("BYTES= 3-4 ,\t0-1 ", [(3, 5), (0, 2)]),
        ("bytes=,0-0,,-1,", [(0, 1), (9, 10)]),
        ("bytes=0-4,5-", [(0, 5), (5, 10)]),
        ("bytes=0-1,50-60,-0", [(0, 2)]),
        ("bytes=9-0,8-8", [(8, 9)]),
    ],
)
def test_several_ranges_come_as_listed_without_those_outside(text, expected):
    assert parse_ranges(text, 10) == tuple(ByteRange(*pair) for pair in expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "lines=0-1",
        "0-1",
        "bytes=a-b",
        "bytes=0-1,x",
        "bytes=0-1,-",
        "bytes=0 -1",
        "bytes=0-5,4-9",
        "bytes=0-,-1",
    ],
)
def test_other_units_nonsense_and_more_than_there_is_mean_the_whole(text):
    assert parse_ranges(text, 10) == ()


def test_only_so_many_ranges_are_served_apart():
    listed = [f"{2 * n}-{2 * n}" for n in range(MAX_RANGES + 1)]
    assert len(parse_ranges(f"bytes={','.join(listed[1:])}", 1000)) == MAX_RANGES
    assert parse_ranges(f"bytes={','.join(listed)}", 1000) == ()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("bytes=10-", 10),
        ("bytes=10-20", 10),
        ("bytes=5-4", 10),
        ("bytes=-0", 10),
        ("bytes=0-", 0),
        ("bytes=-1", 0),
        ("bytes=10-,20-,-0", 10),
    ],
)
def test_a_range_outside_the_content_is_refused_with_the_size(text, size):
    with pytest.raises(RangeWrong) as caught:
        parse_ranges(text, size)
    assert caught.value.detail == {"size": size}
