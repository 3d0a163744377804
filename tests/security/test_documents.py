"""RG-04, RG-05, RG-06, RG-14: manifests that lie, swell, hide, or want to be something else."""

from __future__ import annotations

import json
import socket
import tracemalloc
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oci import media
from oci.manifest import MAX_MANIFEST_BYTES
from registry.models import Manifest, Tag
from registry.services.check import check
from tests.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    as_json,
    descriptor,
    digest_of,
)
from tests.security.lane import Answer, send
from tests.security.world import IMAGE, LISTED, LOOSE, World, undone
from tests.unit.oci.test_manifest import BAD, DESCRIPTORS, DOCUMENTS, TEXT
from tests.unit.registry import pushing

pytestmark = pytest.mark.django_db
PATH = "alice/public"
MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
EMPTY = descriptor("application/vnd.oci.empty.v1+json", b"{}")
LAYER = descriptor("text/plain", LOOSE)
MEBIBYTE = 1024 * 1024


@pytest.fixture
def desk(world: World) -> World:
    """The owner's repository has the blobs that these manifests name."""
    pushing.push_blob(world.repositories[PATH], b"{}")
    return world


def put(world: World, body: bytes, content_type: str = "", tag: str = "doc") -> Answer:
    headers = dict(world.callers["owner"].basic())
    if content_type.isprintable() and content_type:
        headers["Content-Type"] = content_type
    return send("PUT", f"/v2/{PATH}/manifests/{tag}", headers=headers, body=body)


def kept() -> tuple[int, dict[str, str]]:
    tags = Tag.objects.filter(repository__path=PATH).values_list("name", "manifest__digest")
    return Manifest.objects.count(), dict(tags)


# --- RG-04


def spelled(encoding: str) -> bytes:
    return pushing.manifest(config=EMPTY).decode().encode(encoding)


ODD = {
    "UTF-16": spelled("utf-16"),
    "UTF-16 without a mark": spelled("utf-16-le"),
    "UTF-32": spelled("utf-32"),
    "byte order mark": b"\xef\xbb\xbf" + spelled("utf-8"),
    "Latin-1": as_json({"x": "y"}).replace(b"y", b"\xe9"),
    "NUL behind": spelled("utf-8") + b"\0",
    "two documents": spelled("utf-8") * 2,
    "NaN": spelled("utf-8").replace(b'"schemaVersion":2', b'"schemaVersion":2,"x":NaN'),
    "infinite": spelled("utf-8").replace(b'"schemaVersion":2', b'"schemaVersion":2,"x":-Infinity'),
    "big number": spelled("utf-8").replace(b'"schemaVersion":2', b'"schemaVersion":2e0'),
    "bigger number": b'{"schemaVersion":' + b"9" * 5000 + b"}",
    "huge exponent": b'{"schemaVersion":1e999999999}',
    "comment": b"/* x */" + spelled("utf-8"),
    "single quotes": spelled("utf-8").replace(b'"', b"'"),
    "trailing comma": spelled("utf-8").replace(b"[]", b"[],"),
    "gzip": b"\x1f\x8b\x08\x00" + b"\0" * 20,
    "nothing": b"",
    "a page": b"<!doctype html><script>alert(1)</script>",
}


def test_rg04_documents_that_are_none_are_refused_and_leave_nothing(desk: World) -> None:
    before = kept()
    for name, body in {**BAD, **ODD}.items():
        answer = put(desk, body)
        assert (answer.status, answer.code) == (400, "MANIFEST_INVALID"), name
        assert len(answer.body) < 2000, name
    for name, entry in DESCRIPTORS.items():
        answer = put(desk, pushing.manifest(config=EMPTY, layers=[entry]))
        assert answer.status == 400, name
    assert kept() == before


@MANY
@given(
    document=DOCUMENTS,
    content_type=st.sampled_from(["", *sorted(media.MANIFESTS)]) | TEXT,
    broken=st.tuples(st.integers(0, 400), st.binary(max_size=3)) | st.none(),
)
def test_rg04_no_document_is_too_odd_for_an_answer(
    desk: World, document: Any, content_type: str, broken: tuple[int, bytes] | None
) -> None:
    body = json.dumps(document).encode()
    if broken is not None:
        place, data = broken
        body = body[:place] + data + body[place + len(data) :]
    with undone():
        answer = put(desk, body, content_type)
    assert answer.status in (201, 400), answer.body


def test_rg04_four_mebibytes_are_the_limit_announced_or_not(desk: World) -> None:
    headers = desk.callers["owner"].basic()
    target = f"/v2/{PATH}/manifests/doc"
    body = b" " * (MAX_MANIFEST_BYTES + 1)
    for chunked in (False, True):
        answer = send("PUT", target, headers=headers, body=body, chunked=chunked)
        assert (answer.status, answer.code) == (413, "MANIFEST_INVALID")
    announced = send("PUT", target, headers=headers, length=2**62)
    assert announced.status == 413
    whole = pushing.manifest(config=EMPTY)
    padded = whole[:-1] + b" " * (MAX_MANIFEST_BYTES - len(whole)) + b"}"
    assert send("PUT", target, headers=headers, body=padded).status == 201


@pytest.mark.parametrize("piece", [b'{"":0},', b'"ab",'], ids=repr)
def test_rg04_reading_a_document_takes_bounded_memory(desk: World, piece: bytes) -> None:
    """Small values cost an interpreter twenty times their text."""
    body = b'{"x":[' + piece * ((MAX_MANIFEST_BYTES - 100) // len(piece)) + b"0]}"
    assert len(body) > 4_000_000
    tracemalloc.start()
    try:
        answer = put(desk, body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 400
    assert peak < 64 * MEBIBYTE, f"{peak / MEBIBYTE:.0f} MiB"


# --- RG-05

FAKES = {
    "image that lists manifests": pushing.manifest(config=EMPTY, manifests=[]),
    "index with layers": as_json({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "layers": [LAYER],
    }),
    "index with a config": as_json({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "config": EMPTY,
    }),
    "no type, both kinds": as_json({
        "schemaVersion": 2, "manifests": [], "config": EMPTY, "layers": [LAYER],
    }),
    "schema 1 inside": pushing.manifest(config=EMPTY, fsLayers=[], history=[]),
    "two types": pushing.manifest(config=EMPTY).replace(
        b'"schemaVersion":2', b'"schemaVersion":2,"mediaType":"' + OCI_INDEX.encode() + b'"'
    ),
    "type of another case": pushing.manifest(config=EMPTY).replace(b"manifest.v1", b"Manifest.v1"),
}  # fmt: skip
KINDS = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)


def test_rg05_a_document_has_one_meaning(desk: World) -> None:
    before = kept()
    for name, body in FAKES.items():
        for content_type in ("", *KINDS):
            answer = put(desk, body, content_type)
            assert (answer.status, answer.code) == (400, "MANIFEST_INVALID"), (name, content_type)
    image, listing = pushing.manifest(config=EMPTY), IMAGE.manifest
    assert put(desk, image, OCI_INDEX).status == put(desk, listing, OCI_INDEX).status == 400
    for kind in ("application/json", "text/html", "application/octet-stream", "*/*", "x"):
        assert put(desk, image, kind).status == 400, kind
    assert kept() == before


def test_rg05_what_comes_back_does_not_depend_on_who_asks_how(desk: World) -> None:
    untyped = pushing.manifest(config=EMPTY, mediaType=None)
    assert put(desk, untyped, OCI_MANIFEST).status == 201
    headers = desk.callers["owner"].basic()
    for accept in (*KINDS, "*/*", "text/html", "application/vnd.oci.image.config.v1+json", ""):
        for reference in ("doc", digest_of(untyped)):
            target = f"/v2/{PATH}/manifests/{reference}"
            answer = send("GET", target, headers={**headers, "Accept": accept})
            assert (answer.status, answer.body) == (200, untyped)
            assert answer.headers["Content-Type"] == OCI_MANIFEST
            assert answer.headers["Docker-Content-Digest"] == digest_of(untyped)


def test_rg05_the_same_bytes_are_not_kept_under_a_second_type(desk: World) -> None:
    untyped = as_json({"schemaVersion": 2, "manifests": []})
    assert put(desk, untyped, OCI_INDEX).status == 201
    again = put(desk, untyped, DOCKER_LIST, "other")
    assert (again.status, again.code) == (400, "MANIFEST_INVALID")
    headers = desk.callers["owner"].basic()
    got = send("GET", f"/v2/{PATH}/manifests/doc", headers=headers)
    assert got.headers["Content-Type"] == OCI_INDEX


# --- RG-06


def test_rg06_a_descriptor_must_tell_the_stored_size(desk: World) -> None:
    before = kept()
    for size in (0, len(LOOSE) - 1, len(LOOSE) + 1, 2**63 - 1):
        lying = {**LAYER, "size": size}
        for body in (
            pushing.manifest(config=EMPTY, layers=[lying]),
            pushing.manifest(config=EMPTY, layers=[LAYER, lying]),
            pushing.manifest(config={**lying, "mediaType": "x/y"}),
        ):
            answer = put(desk, body)
            assert (answer.status, answer.code) == (400, "MANIFEST_INVALID"), size
    child = descriptor(LISTED.media_type, LISTED.manifest)
    for size in (0, child["size"] - 1, child["size"] + 1):
        entry = {**child, "size": size}
        listing = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
        assert put(desk, listing).status == 400, size
    assert kept() == before


def test_rg06_addresses_in_a_manifest_are_never_visited(
    desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    visited: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, where: visited.append(where))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **_: visited.append(where))
    urls = [
        *("http://127.0.0.1:1/x", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd"),
        *("gopher://x", "http://localhost/v2/", "//evil.example", "javascript:alert(1)"),
    ]
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": f"sha256:{'9' * 64}",
        "size": 2**62,
        "urls": urls,
    }
    for body in (
        pushing.manifest(config=EMPTY, layers=[foreign] * 900),
        pushing.manifest(config={**EMPTY, "urls": urls}, layers=[{**LAYER, "urls": urls}]),
    ):
        assert put(desk, body).status == 201
        headers = desk.callers["owner"].basic()
        got = send("GET", f"/v2/{PATH}/manifests/doc", headers=headers)
        assert (got.status, got.body) == (200, body)
        blob = send("GET", f"/v2/{PATH}/blobs/{foreign['digest']}", headers=headers)
        assert blob.status == 404
    assert visited == []
    assert max(Manifest.objects.values_list("total_size", flat=True)) < 2**63
    assert check() == []


def index_of(children: list[Image], times: int) -> Image:
    entries = [descriptor(child.media_type, child.manifest) for child in children] * times
    body = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    return Image(body, OCI_INDEX)


def test_rg06_an_index_of_indexes_costs_no_more_than_its_own_entries(desk: World) -> None:
    """Three deep, a thousand entries each: a billion paths, of which not one is walked."""
    costs = []
    below = [LISTED]
    for _ in range(3):
        listing = index_of(below, 1000)
        with CaptureQueriesContext(connection) as queries:
            assert put(desk, listing.manifest, OCI_INDEX).status == 201
        costs.append(len(queries))
        below = [listing]
    assert costs[2] <= costs[0]
    assert costs[0] < 80
    image = Manifest.objects.get(digest=LISTED.digest, repository__path=PATH)
    assert Manifest.objects.get(digest=below[0].digest).total_size == image.total_size
    headers = desk.callers["owner"].basic()
    with CaptureQueriesContext(connection) as queries:
        assert send("DELETE", f"/v2/{PATH}/manifests/{below[0].digest}", headers=headers)
    assert len(queries) < 80


def test_rg06_an_index_is_no_deeper_than_three(desk: World) -> None:
    below = [LISTED]
    for depth in range(1, 6):
        listing = index_of(below, 1)
        answer = put(desk, listing.manifest, OCI_INDEX)
        wanted = (201, "") if depth <= 3 else (400, "MANIFEST_INVALID")
        assert (answer.status, answer.code) == wanted, depth
        if answer.status == 201:
            below = [listing]


# --- RG-14

PAGE = b"<!doctype html><html><script>alert(document.domain)</script></html>"
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
WORKER = b"self.addEventListener('fetch', () => {})"


@pytest.mark.parametrize("path", ["alice/public", "alice/private"])
def test_rg14_nothing_that_was_pushed_is_a_page(world: World, path: str) -> None:
    headers = world.callers["owner"].basic()
    for data in (PAGE, PICTURE, WORKER):
        pushing.push_blob(world.repositories[path], data)
        target = f"/v2/{path}/blobs/{digest_of(data)}"
        for more in (
            {},
            {"Accept": "text/html"},
            {"Range": "bytes=0-20"},
            {"Range": "bytes=0-1,4-5"},
        ):
            answer = send("GET", target, headers={**headers, **more})
            assert answer.status in (200, 206)
            kind = answer.headers["Content-Type"]
            assert kind == "application/octet-stream" or kind.startswith("multipart/byteranges")
            assert answer.headers["Content-Disposition"] == "attachment"
            _is_fenced(answer)
    body = pushing.manifest(
        config={**descriptor("text/html", PAGE), "mediaType": "text/html"},
        artifactType="text/html",
        annotations={"<script>": "alert(1)"},
    )
    assert put_in(path, headers, body).status == 201
    got = send("GET", f"/v2/{path}/manifests/page", headers={**headers, "Accept": "text/html"})
    assert got.headers["Content-Type"] == OCI_MANIFEST
    _is_fenced(got)


def put_in(path: str, headers: dict[str, str], body: bytes) -> Answer:
    kind = {**headers, "Content-Type": OCI_MANIFEST}
    return send("PUT", f"/v2/{path}/manifests/page", headers=kind, body=body)


def test_rg14_words_of_the_caller_come_back_as_data_only(world: World) -> None:
    script = "%3Cscript%3Ealert(1)%3C/script%3E"
    for target in (
        f"/v2/{script}/manifests/1",
        f"/v2/alice/public/manifests/{script}",
        f"/v2/alice/public/blobs/{script}",
        f"/v2/alice/public/tags/list?n={script}",
        f"/v2/{script}",
        f"/token?service={script}",
        f"/token?scope=repository:{script}:pull",
    ):
        for method in ("GET", "PUT", "OPTIONS"):
            answer = send(method, target, headers=world.callers["owner"].basic())
            assert answer.headers.get("Content-Type", "application/json") == "application/json"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "\n" not in "".join(answer.headers.values())


def _is_fenced(answer: Answer) -> None:
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
