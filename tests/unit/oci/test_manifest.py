"""Manifests: what is valid reads as written, what is not is refused, and nothing crashes."""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oci import media
from oci.digest import Digest
from oci.errors import ManifestInvalid, ManifestTooLarge
from oci.manifest import MAX_DEPTH, MAX_DESCRIPTORS, MAX_MANIFEST_BYTES, parse
from tests.images import artifact, as_json, descriptor, image, index, multi

INT = {"mediaType": "text/plain", "digest": f"sha256:{'a' * 64}", "size": 1}
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def oci(**values):
    """An image manifest; `values` replace, or with `...` take away."""
    whole = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": INT,
        "layers": [INT],
        **values,
    }
    return as_json({key: value for key, value in whole.items() if value is not ...})


def listing(**values):
    """An image index."""
    whole = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": [INT], **values}
    return as_json({key: value for key, value in whole.items() if value is not ...})


def test_an_image_reads_as_written():
    whole = image(layers=2)
    parsed = parse(whole.manifest, whole.media_type)
    assert not parsed.is_index
    assert [d.digest for d in parsed.blobs] == [Digest.of(data) for data in whole.blobs]
    assert parsed.total_size == sum(map(len, whole.blobs))
    assert parsed.children == ()


def test_an_index_reads_as_written():
    whole = multi()
    parsed = parse(whole.manifest, whole.media_type)
    assert parsed.is_index
    assert parsed.blobs == ()
    assert [str(d.platform) for d in parsed.children] == [
        "linux/amd64",
        "linux/arm64",
        "linux/arm",
    ]
    assert [str(d.digest) for d in parsed.children] == [c.digest for c in whole.children]


def test_docker_types_read_like_their_successors():
    one = image(docker=True)
    assert parse(one.manifest).media_type == media.DOCKER_MANIFEST
    assert parse(index([one], ["amd64"], docker=True).manifest).is_index


def test_an_artifact_tells_its_type_subject_and_annotations():
    parsed = parse(artifact(image(), "application/x.sbom", "text").manifest)
    assert parsed.artifact_type == "application/x.sbom"
    assert str(parsed.subject.digest) == image().digest
    assert parsed.annotations == {"note": "text"}


def test_a_layer_listed_twice_counts_once():
    assert parse(oci(layers=[INT, INT])).total_size == 1


@pytest.mark.parametrize(
    ("payload", "header", "expected"),
    [
        (oci(mediaType=...), "", media.OCI_MANIFEST),
        (oci(mediaType=...), f"{media.DOCKER_MANIFEST}; charset=utf-8", media.DOCKER_MANIFEST),
        (oci(), f" {media.OCI_MANIFEST} ;x=y", media.OCI_MANIFEST),
        (listing(mediaType=...), "", media.OCI_INDEX),
        (listing(mediaType=...), media.DOCKER_LIST, media.DOCKER_LIST),
    ],
)
def test_the_type_is_the_bodys_own_else_the_headers_else_that_of_its_shape(
    payload, header, expected
):
    assert parse(payload, header).media_type == expected


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


BAD = {
    "empty": b"",
    "no object": b"[]",
    "null": b"null",
    "text": b'"x"',
    "no json": b"{",
    "trailing": oci() + b"x",
    "NaN": oci(x="X").replace(b'"X"', b"NaN"),
    "Infinity": oci(x="X").replace(b'"X"', b"-Infinity"),
    "huge number": b'{"schemaVersion":' + b"2" * 5000 + b"}",
    "UTF-16": oci().decode().encode("utf-16"),
    "UTF-16 without mark": oci().decode().encode("utf-16-le"),
    "UTF-32": oci().decode().encode("utf-32"),
    "byte order mark": b"\xef\xbb\xbf" + oci(),
    "Latin-1": oci(annotations={"a": "X"}).replace(b"X", b"\xe9"),
    "overlong UTF-8": oci(annotations={"a": "X"}).replace(b"X", b"\xc0\x80"),
    "CESU surrogate": oci(annotations={"a": "X"}).replace(b"X", b"\xed\xa0\x80"),
    "duplicate key": b'{"schemaVersion":2,"schemaVersion":2}',
    "duplicate key inside": oci(annotations={"X": "1", "Y": "2"}).replace(b"Y", b"X"),
    "duplicate key by escape": oci(annotations={"X": "1", "Y": "2"}).replace(b"Y", b"\\u0058"),
    "too deep": oci(x=nested(MAX_DEPTH)),
    "far too deep": b'{"schemaVersion":2,"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "no version": oci(schemaVersion=...),
    "version 1": oci(schemaVersion=1),
    "version 3": oci(schemaVersion=3),
    "version as text": oci(schemaVersion="2"),
    "schema 1": as_json({"schemaVersion": 1, "fsLayers": [], "history": [], "name": "a"}),
    "schema 1 type": oci(mediaType="application/vnd.docker.distribution.manifest.v1+json"),
    "signed schema 1 type": oci(
        mediaType="application/vnd.docker.distribution.manifest.v1+prettyjws"
    ),
    "unknown type": oci(mediaType="application/x"),
    "type no text": oci(mediaType=5),
    "type a list": oci(mediaType=[media.OCI_MANIFEST]),
    "image with manifests": oci(manifests=[]),
    "image with no manifests": oci(manifests=None),
    "image with fsLayers": oci(fsLayers=[]),
    "image with signatures": oci(signatures=[]),
    "index with config": listing(config=INT),
    "index with layers": listing(layers=[]),
    "index with history": listing(history=[]),
    "image without config": oci(config=...),
    "config null": oci(config=None),
    "config a list": oci(config=[INT]),
    "layers an object": oci(layers=INT),
    "layers text": oci(layers="x"),
    "layers null": oci(layers=None),
    "layer null": oci(layers=[None]),
    "index without manifests": listing(manifests=...),
    "manifests null": listing(manifests=None),
    "manifests an object": listing(manifests={}),
    "subject text": oci(subject="x"),
    "subject a list": oci(subject=[]),
    "artifact type no text": oci(artifactType=5),
    "annotations a list": oci(annotations=[]),
    "annotations text": oci(annotations="x"),
    "annotation a number": oci(annotations={"a": 1}),
    "annotation null": oci(annotations={"a": None}),
    "too many layers": oci(layers=[INT] * (MAX_DESCRIPTORS + 1)),
    "too many manifests": listing(manifests=[INT] * (MAX_DESCRIPTORS + 1)),
}
DESCRIPTORS = {
    "no type": {**INT, "mediaType": None},
    "empty type": {**INT, "mediaType": ""},
    "type a number": {**INT, "mediaType": 1},
    "long type": {**INT, "mediaType": "a" * 256},
    "no digest": {**INT, "digest": None},
    "short digest": {**INT, "digest": "sha256:abc"},
    "upper-case digest": {**INT, "digest": f"sha256:{'A' * 64}"},
    "other algorithm": {**INT, "digest": f"md5:{'a' * 32}"},
    "digest a list": {**INT, "digest": ["sha256"]},
    "no size": {**INT, "size": None},
    "negative size": {**INT, "size": -1},
    "size with a fraction": {**INT, "size": 1.0},
    "size true": {**INT, "size": True},
    "size text": {**INT, "size": "1"},
    "size beyond 63 bits": {**INT, "size": 2**63},
    "data no base64": {**INT, "data": "*"},
    "data no text": {**INT, "data": 5},
    "data beyond ASCII": {**INT, "data": "é"},
    "data of another size": {**descriptor("text/plain", b"abc"), "data": "YWJjZA=="},
    "data of a lying size": {**descriptor("text/plain", b"abc"), "size": 4, "data": "YWJj"},
    "data of another digest": {**descriptor("text/plain", b"abc"), "data": "eHl6"},
    "urls a number": {**INT, "urls": 5},
    "urls text": {**INT, "urls": "http://x"},
    "urls an object": {**INT, "urls": {"a": "b"}},
    "urls of numbers": {**INT, "urls": [5]},
    "annotations a list": {**INT, "annotations": ["x"]},
    "annotation a list": {**INT, "annotations": {"a": []}},
}


@pytest.mark.parametrize("payload", BAD.values(), ids=BAD.keys())
def test_a_document_that_is_no_manifest_is_refused(payload):
    with pytest.raises(ManifestInvalid) as caught:
        parse(payload)
    assert caught.value.code == "MANIFEST_INVALID"
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("value", DESCRIPTORS.values(), ids=DESCRIPTORS.keys())
@pytest.mark.parametrize(
    "place",
    [
        lambda d: oci(config=d),
        lambda d: oci(layers=[INT, d]),
        lambda d: listing(manifests=[d]),
        lambda d: oci(subject=d),
    ],
    ids=["config", "layer", "child", "subject"],
)
def test_a_bad_descriptor_is_refused_wherever_it_stands(place, value):
    with pytest.raises(ManifestInvalid):
        parse(place(value))


@pytest.mark.parametrize(
    "header",
    [media.OCI_INDEX, media.DOCKER_MANIFEST, media.DOCKER_LIST, "application/json", "x" * 9000],
)
def test_a_header_that_contradicts_the_body_is_refused(header):
    with pytest.raises(ManifestInvalid, match="differs from Content-Type"):
        parse(oci(), header)


def test_a_header_that_contradicts_the_shape_is_refused():
    with pytest.raises(ManifestInvalid):
        parse(oci(mediaType=...), media.OCI_INDEX)
    with pytest.raises(ManifestInvalid):
        parse(listing(mediaType=...), media.OCI_MANIFEST)
    with pytest.raises(ManifestInvalid, match="unsupported manifest type application/json"):
        parse(oci(mediaType=...), "application/json")


def withdrawn(**values):
    """An artifact manifest, as the tools of 2022 pushed it: no version, no config, blobs."""
    whole = {"mediaType": media.OCI_ARTIFACT, "artifactType": "application/x.sbom", **values}
    return as_json({key: value for key, value in whole.items() if value is not ...})


def test_an_artifact_manifest_reads_its_blobs_as_layers():
    parsed = parse(withdrawn(blobs=[INT], subject=INT, annotations={"a": "b"}), media.OCI_ARTIFACT)
    assert [str(d.digest) for d in parsed.blobs] == [INT["digest"]]
    assert (parsed.config, parsed.is_index, parsed.artifact_type) == (
        None,
        False,
        "application/x.sbom",
    )
    assert str(parsed.subject.digest) == INT["digest"]
    assert parse(withdrawn(mediaType=...), media.OCI_ARTIFACT).layers == ()


@pytest.mark.parametrize(
    "values",
    [
        {"config": INT},
        {"layers": []},
        {"manifests": []},
        {"blobs": INT},
        {"blobs": [None]},
        {"schemaVersion": 3},
    ],
    ids=str,
)
def test_an_artifact_manifest_with_parts_of_something_else_is_refused(values):
    with pytest.raises(ManifestInvalid):
        parse(withdrawn(**values))


@pytest.mark.parametrize("kind", sorted(media.DOCKER_SCHEMA_1))
def test_schema_1_is_refused_by_its_header_with_a_word_of_advice(kind):
    with pytest.raises(ManifestInvalid, match="push schema 2 or OCI"):
        parse(oci(mediaType=...), kind)


UNSTORABLE = ["\0", "a\0b", "\ud800", "a\udfffb", "\udc00\ud800"]
PLACES = {
    "annotation": lambda t: oci(annotations={"a": t}),
    "annotation key": lambda t: oci(annotations={t: "a"}),
    "artifactType": lambda t: oci(artifactType=t),
    "config mediaType": lambda t: oci(config={**INT, "mediaType": f"a/{t}"}),
    "layer mediaType": lambda t: oci(layers=[{**INT, "mediaType": f"a/{t}"}]),
    "child annotation": lambda t: listing(manifests=[{**INT, "annotations": {"a": t}}]),
    "child platform": lambda t: listing(manifests=[{**INT, "platform": {"os": t}}]),
    "child artifactType": lambda t: listing(manifests=[{**INT, "artifactType": t}]),
    "subject mediaType": lambda t: oci(subject={**INT, "mediaType": f"a/{t}"}),
    "somewhere else": lambda t: oci(x=[{"y": [t]}]),
}


@pytest.mark.parametrize("text", UNSTORABLE, ids=ascii)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_text_no_database_can_hold_is_refused_wherever_it_stands(place, text):
    with pytest.raises(ManifestInvalid, match="NUL or half a surrogate"):
        parse(place(text))


def test_whole_surrogate_pairs_and_other_odd_text_are_kept():
    text = "\U0001f40b\x01\x7f\u202e\ufffe"
    assert parse(oci(annotations={"a": text})).annotations == {"a": text}
    assert b"\\ud83d\\udc0b" in oci(annotations={"a": text})


def test_size_and_depth_are_allowed_up_to_the_limit():
    pad = MAX_MANIFEST_BYTES - len(oci())
    assert parse(oci() + b" " * pad)
    with pytest.raises(ManifestTooLarge) as caught:
        parse(oci() + b" " * (pad + 1))
    assert caught.value.code == "MANIFEST_INVALID"
    assert parse(oci(x=nested(MAX_DEPTH - 2)))
    assert len(parse(oci(layers=[INT] * MAX_DESCRIPTORS)).layers) == MAX_DESCRIPTORS


def test_long_texts_are_cut_to_what_columns_hold():
    platform = {"os": "o" * 999, "os.version": "v" * 999}
    child = parse(listing(manifests=[{**INT, "platform": platform}])).children[0]
    assert (len(child.platform.os), len(child.platform.os_version)) == (255, 255)
    assert len(parse(oci(artifactType="a" * 999)).artifact_type) == 255


@pytest.mark.parametrize("platform", [None, 5, "linux", [], {"os": 5, "architecture": None}])
def test_a_platform_of_another_shape_is_no_platform(platform):
    child = parse(listing(manifests=[{**INT, "platform": platform}])).children[0]
    assert str(child.platform or "") == ""


def test_embedded_data_that_agrees_is_taken():
    data = b"hello"
    entry = {**descriptor("text/plain", data), "data": base64.b64encode(data).decode()}
    assert parse(oci(layers=[entry])).layers[0].size == 5
    empty = {**descriptor("text/plain", b""), "data": ""}
    assert parse(oci(layers=[empty])).layers[0].size == 0


def test_foreign_layers_may_be_absent_and_tell_where_they_are():
    entry = {**INT, "mediaType": FOREIGN, "urls": ["http://x", "http://y"]}
    layer = parse(oci(layers=[entry])).layers[0]
    assert layer.may_be_absent
    assert layer.urls == ("http://x", "http://y")
    assert not parse(oci()).layers[0].may_be_absent


@pytest.mark.parametrize(
    "payload",
    [
        b'{"a":' + b"[" * (MAX_MANIFEST_BYTES - 10),
        b"[" * MAX_MANIFEST_BYTES,
        b'"' + b"\\" * (MAX_MANIFEST_BYTES - 2),
        b'{"schemaVersion":2,"layers":[' + b"0," * 2_000_000 + b"0]}",
        b'{"x":' + b"1" * (MAX_MANIFEST_BYTES - 6) + b"}",
        oci(annotations={str(n): "x" for n in range(200_000)}),
    ],
    ids=["open lists", "brackets", "backslashes", "zeros", "digits", "annotations"],
)
def test_the_worst_of_four_mebibytes_is_read_or_refused_in_a_second_or_two(payload):
    started = time.process_time()
    with suppress(ManifestInvalid, ManifestTooLarge):
        parse(payload)
    assert time.process_time() - started < 3


TEXT = st.text(st.characters(), max_size=6)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ENTRY = st.dictionaries(
    st.sampled_from(
        ["mediaType", "digest", "size", "urls", "data", "platform", "annotations", "artifactType"]
    ),
    JUNK | st.sampled_from([INT["mediaType"], INT["digest"], 1, FOREIGN]),
)
VALUES = JUNK | ENTRY | st.just(INT) | st.lists(ENTRY | st.just(INT), max_size=3)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "schemaVersion": st.just(2) | JUNK,
        "mediaType": st.sampled_from(sorted(media.MANIFESTS)) | JUNK,
        "config": VALUES,
        "layers": VALUES,
        "manifests": VALUES,
        "subject": VALUES,
        "artifactType": JUNK,
        "annotations": JUNK,
    },
)


@settings(max_examples=300)
@given(DOCUMENTS, st.sampled_from(["", "x", *sorted(media.MANIFESTS)]) | TEXT)
def test_generated_documents_are_read_or_refused_and_what_is_read_fits_the_database(
    document, header
):
    payload = json.dumps(document).encode()
    try:
        parsed = parse(payload, header)
    except ManifestInvalid:
        return
    assert parsed.media_type in media.MANIFESTS
    for entry in (*parsed.blobs, *parsed.children):
        texts = (entry.media_type, entry.artifact_type, *entry.annotations.values())
        assert all(text.isprintable() or "\0" not in text for text in texts)
        "".join(texts).encode()  # no half of a surrogate pair
        assert 0 <= entry.size < 2**63


@given(st.binary(max_size=200), TEXT)
def test_random_bytes_are_refused(payload, header):
    with pytest.raises(ManifestInvalid):
        parse(payload, header)
