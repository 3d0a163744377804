"""Manifests, tags, referrers and the catalogue over a real socket (end-3, 7, 8, 9, 12)."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from tests.client import RegistryClient
from tests.hub import Person, RunningHub
from tests.images import (
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    as_json,
    descriptor,
    digest_of,
    image,
    index,
    multi,
)
from tests.protocol.conftest import Desk
from tests.protocol.test_v2_blobs import code


def put(desk: Desk, reference: str, body: bytes, content_type: str = OCI_MANIFEST) -> Any:
    return desk.client.send(
        "PUT",
        f"/v2/{desk.name}/manifests/{reference}",
        body=body,
        headers={"Content-Type": content_type},
        scope=desk.scope,
    )


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_push_and_pull_byte_for_byte(desk: Desk, docker: bool) -> None:
    architectures = ["amd64", "arm64"]
    pushed = index(
        [image(desk.name, architecture=a, docker=docker) for a in architectures],
        architectures,
        docker,
    )
    answer = desk.client.push(desk.name, pushed, "1.0")
    assert answer.status == 201
    assert answer.headers["Docker-Content-Digest"] == pushed.digest
    assert answer.headers["Location"] == f"/v2/{desk.name}/manifests/{pushed.digest}"
    for reference in ("1.0", pushed.digest):
        got = desk.client.send("GET", f"/v2/{desk.name}/manifests/{reference}")
        assert got.data == pushed.manifest
        assert got.headers["Content-Type"] == pushed.media_type
        head = desk.client.send("HEAD", f"/v2/{desk.name}/manifests/{reference}")
        assert head.data == b""
        for key in ("Content-Length", "Content-Type", "Docker-Content-Digest", "ETag"):
            assert head.headers[key] == got.headers[key], key
    assert len(desk.client.pull(desk.name, "1.0")) == 1 + 2 * 4


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/json", "text/html", DOCKER_MANIFEST, "nonsense"]
)
def test_whatever_is_accepted_the_stored_bytes_come(desk: Desk, accept: str) -> None:
    pushed = image(desk.name)
    desk.client.push(desk.name, pushed, "1")
    got = desk.client.send("GET", f"/v2/{desk.name}/manifests/1", headers={"Accept": accept})
    assert (got.status, got.data) == (200, pushed.manifest)


def test_not_modified(desk: Desk) -> None:
    pushed = image(desk.name)
    desk.client.push(desk.name, pushed, "1")
    got = desk.client.send(
        "GET", f"/v2/{desk.name}/manifests/1", headers={"If-None-Match": f'"{pushed.digest}"'}
    )
    assert (got.status, got.data) == (304, b"")


def test_every_missing_blob_is_named(desk: Desk) -> None:
    pushed = image(desk.name)
    desk.client.push_blob(desk.name, pushed.blobs[0])
    answer = put(desk, "1", pushed.manifest)
    errors = json.loads(answer.data)["errors"]
    assert answer.status == 400
    assert {e["code"] for e in errors} == {"MANIFEST_BLOB_UNKNOWN"}
    assert {e["detail"]["digest"] for e in errors} == {digest_of(b) for b in pushed.blobs[1:]}
    assert desk.client.send("GET", f"/v2/{desk.name}/manifests/1").status == 404


GOOD: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": OCI_MANIFEST,
    "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"),
    "layers": [],
}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", OCI_MANIFEST),
        (b"not json", OCI_MANIFEST),
        (b"[]", OCI_MANIFEST),
        (b"\xff\xfe", OCI_MANIFEST),
        (b'{"schemaVersion": 2, "schemaVersion": 2}', OCI_MANIFEST),
        (b'{"schemaVersion": NaN}', OCI_MANIFEST),
        (b"[" * 100_000, OCI_MANIFEST),
        (as_json({**GOOD, "schemaVersion": 1}), OCI_MANIFEST),
        (as_json({**GOOD, "manifests": []}), OCI_MANIFEST),
        (as_json({**GOOD, "mediaType": OCI_INDEX}), OCI_MANIFEST),
        (as_json({**GOOD, "mediaType": "application/x"}), "application/x"),
        (as_json({**GOOD, "config": {"digest": "sha256:x"}}), OCI_MANIFEST),
        (as_json({**GOOD, "config": {**GOOD["config"], "size": 3}}), OCI_MANIFEST),
        (as_json({**GOOD, "annotations": {"a": 1}}), OCI_MANIFEST),
        (as_json({"schemaVersion": 2, "mediaType": OCI_INDEX}), OCI_INDEX),
    ],
)
def test_junk_is_refused_and_changes_nothing(desk: Desk, body: bytes, content_type: str) -> None:
    desk.client.push_blob(desk.name, b"{}")
    answer = put(desk, "1", body, content_type)
    assert (answer.status, code(answer)) == (400, "MANIFEST_INVALID"), answer.data
    assert desk.client.send("GET", f"/v2/{desk.name}/manifests/1").status == 404


def test_a_manifest_over_four_mebibytes(desk: Desk) -> None:
    desk.client.push_blob(desk.name, b"{}")
    big = as_json({**GOOD, "annotations": {"x": "y" * 4_200_000}})
    for body in (big, iter([big])):
        answer = desk.client.send(
            "PUT",
            f"/v2/{desk.name}/manifests/1",
            body=body,
            headers={"Content-Type": OCI_MANIFEST, "Connection": "close"},
            scope=desk.scope,
        )
        assert (answer.status, code(answer)) == (413, "MANIFEST_INVALID")


def test_a_digest_reference_must_be_that_of_the_body(desk: Desk) -> None:
    desk.client.push_blob(desk.name, b"{}")
    for reference in (digest_of(b"other"), "sha256:baddigeststring"):
        answer = put(desk, reference, as_json(GOOD))
        assert (answer.status, code(answer)) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("tag", [".hidden", "-dash", "a" * 129, "a b", "ü", "a%00b", "a%0a"])
def test_a_tag_outside_the_grammar(desk: Desk, tag: str) -> None:
    desk.client.push_blob(desk.name, b"{}")
    answer = put(desk, tag.replace(" ", "%20"), as_json(GOOD))
    assert (answer.status, code(answer)) == (400, "TAG_INVALID")


@pytest.mark.parametrize(
    "name",
    [
        "UPPER/case",
        "a//b",
        "a/.b",
        "a/b-",
        "a/b%0a",
        "a/b%00",
        "a/%2e%2e/b",
        "a/" + "b" * 250,
    ],
)
def test_a_name_outside_the_grammar(desk: Desk, name: str) -> None:
    for path in (f"/v2/{name}/tags/list", f"/v2/{name}/manifests/1", f"/v2/{name}/blobs/uploads/"):
        method = "POST" if path.endswith("/") else "GET"
        answer = desk.client.send(method, path)
        assert answer.status in (400, 404), (path, answer.status)
        assert code(answer) in ("NAME_INVALID", "UNSUPPORTED"), path


def test_a_path_that_climbs_is_taken_as_it_is_written(desk: Desk) -> None:
    plain = http.client.HTTPConnection("127.0.0.1", desk.hub.port)
    plain.request(
        "GET", f"/v2/{desk.person.name}/../{desk.name}/tags/list", headers=desk.person.basic
    )
    answer = plain.getresponse()
    assert answer.status == 400
    assert json.loads(answer.read())["errors"][0]["code"] == "NAME_INVALID"
    plain.close()


def test_tags_move_and_deleting_one_leaves_the_others(desk: Desk) -> None:
    first, second = image(f"{desk.name}1"), image(f"{desk.name}2")
    for tag in ("a", "b"):
        desk.client.push(desk.name, first, tag)
    desk.client.push(desk.name, second, "a")
    assert (
        desk.client.send("HEAD", f"/v2/{desk.name}/manifests/a").headers["Docker-Content-Digest"]
        == second.digest
    )
    assert desk.client.send("DELETE", f"/v2/{desk.name}/manifests/a").status == 202
    assert desk.client.send("DELETE", f"/v2/{desk.name}/manifests/a").status == 404
    assert desk.client.pull(desk.name, "b")
    assert desk.client.pull(desk.name, second.digest)


def test_deleting_by_digest_takes_every_tag_and_spares_children_of_an_index(desk: Desk) -> None:
    pushed = multi(desk.name)
    desk.client.push(desk.name, pushed, "1")
    desk.client.push(desk.name, pushed, "2")
    child = pushed.children[0].digest
    refused = desk.client.send("DELETE", f"/v2/{desk.name}/manifests/{child}")
    assert (refused.status, code(refused)) == (405, "UNSUPPORTED")
    assert desk.client.send("DELETE", f"/v2/{desk.name}/manifests/{pushed.digest}").status == 202
    tags = json.loads(desk.client.send("GET", f"/v2/{desk.name}/tags/list").data)
    assert tags == {"name": desk.name, "tags": []}
    assert desk.client.send("DELETE", f"/v2/{desk.name}/manifests/{child}").status == 202


def test_tags_in_byte_order_and_pages(desk: Desk) -> None:
    pushed = image(desk.name)
    names = ["TEST", "_x", "a", "a.b", "a-b", "test", "1", "10", "2"]
    for name in names:
        desk.client.push(desk.name, pushed, name)
    path = f"/v2/{desk.name}/tags/list"
    every = json.loads(desk.client.send("GET", path).data)["tags"]
    assert every == sorted(names)
    found, link = [], f"{path}?n=2"
    while link:
        page = desk.client.send("GET", link)
        found += json.loads(page.data)["tags"]
        link = page.headers.get("Link", "").partition("<")[2].partition(">")[0]
    assert found == sorted(names)
    none = desk.client.send("GET", f"{path}?n=0")
    assert (json.loads(none.data)["tags"], none.headers.get("Link")) == ([], None)
    for wrong in ("x", "-1", "1.5"):
        assert code(desk.client.send("GET", f"{path}?n={wrong}")) == "PAGINATION_NUMBER_INVALID"


def test_an_index_may_list_blobs_as_build_caches_do(desk: Desk) -> None:
    layer = desk.client.push_blob(desk.name, b"cached layer")
    cache = as_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [descriptor("application/vnd.oci.image.layer.v1.tar", b"cached layer")],
        }
    )
    assert put(desk, "cache", cache, OCI_INDEX).status == 201
    assert desk.client.send("DELETE", f"/v2/{desk.name}/blobs/{layer}").status == 405


def test_the_catalogue_shows_each_person_their_own(
    desk: Desk, stranger: Person, live: RunningHub
) -> None:
    desk.client.push(desk.name, image(desk.name), "1")
    mine = json.loads(desk.client.send("GET", "/v2/_catalog?n=1000").data)["repositories"]
    assert desk.name in mine
    assert mine == sorted(mine)
    theirs = RegistryClient(live, stranger).send("GET", "/v2/_catalog?n=1000")
    assert desk.name not in json.loads(theirs.data)["repositories"]
    assert RegistryClient(live).send("GET", "/v2/_catalog").status == 401
    short = desk.client.send("GET", "/v2/_catalog?n=1")
    if len(mine) > 1:
        assert (
            short.headers["Link"]
            == f'</v2/_catalog?last={mine[0].replace("/", "%2F")}&n=1>; rel="next"'
        )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/x", 404),
        ("GET", "/v2/x/unknown", 404),
        ("POST", "/v2/", 405),
        ("PUT", "/v2/_catalog", 405),
        ("PATCH", "/v2/a/b/manifests/1", 405),
        ("POST", "/v2/a/b/tags/list", 405),
        ("OPTIONS", "/v2/a/b/blobs/uploads/", 405),
    ],
)
def test_everything_under_v2_answers_in_json(
    live: RunningHub, method: str, path: str, status: int
) -> None:
    answer = live.http.request(method, f"{live.url}{path}", redirect=False)
    assert answer.status == status
    if path.startswith("/v2"):
        assert answer.headers["Content-Type"] == "application/json"
        assert code(answer)
        assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"
    if status == 405:
        assert answer.headers["Allow"]


def test_a_manifest_that_cannot_stand_makes_no_repository(desk: Desk) -> None:
    for body in (b"not json", image(desk.name).manifest):
        assert put(desk, "1", body).status == 400
        assert desk.hub.api("GET", f"repositories/{desk.name}", token=desk.person.token)[0] == 404
    assert code(desk.client.send("GET", f"/v2/{desk.name}/tags/list")) == "NAME_UNKNOWN"
