"""What every answer of /v2 has: types, lengths, caching, methods, errors (reference, 2 and 6)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from core.errors import RateLimited, Unavailable
from registry.v2 import ping
from storage.factory import get_store
from tests.images import DOCKER_MANIFEST, digest_of
from tests.protocol.scene import Scene, Step
from tests.unit.registry.pushing import make_person, make_repository, push_blob

PUSH = "pull,push"
NONE = {"Content-Type": None, "Content-Length": "0"}
OPEN = Step(
    "POST",
    "/v2/<name>/blobs/uploads/",
    202,
    by=PUSH,
    body="nothing",
    has=NONE,
    keep={"upload": "Location"},
)


def test_an_answer_without_a_body_has_no_type(scene: Scene) -> None:
    kind = (("Content-Type", DOCKER_MANIFEST),)
    scene.push()
    scene.play(
        OPEN,
        Step("PATCH", "<upload>", 202, body="bundle", by=PUSH, has=NONE),
        Step("GET", "<upload>", 204, by=PUSH, has={"Content-Type": None, "Range": "0-.+"}),
        Step("PUT", "<upload>?digest=<bundle>", 201, body="nothing", by=PUSH, has=NONE),
        Step("PUT", "/v2/<name>/manifests/2", 201, kind, body="manifest", by=PUSH, has=NONE),
        Step("DELETE", "/v2/<name>/manifests/2", 202, by="delete", has=NONE),
        Step("DELETE", "/v2/<name>/blobs/<bundle>", 202, by="delete", has=NONE),
        OPEN,
        Step("DELETE", "<upload>", 204, by=PUSH, has={"Content-Type": None}),
    )


def test_the_state_of_an_upload(scene: Scene) -> None:
    """By GET and HEAD, under both spellings of the path that opens it, and not after its end."""
    state = {
        "Location": "<upload>",
        "Docker-Upload-UUID": "[0-9a-f-]{36}",
        "Range": "0-<end>",
        "OCI-Chunk-Min-Length": None,
    }
    for opening in ("/v2/<name>/blobs/uploads/", "/v2/<name>/blobs/uploads"):
        opened = Step("POST", opening, 202, by=PUSH, body="nothing", keep={"upload": "Location"})
        scene.play(
            opened,
            Step("GET", "<upload>", 204, by=PUSH, has={**state, "Range": "0-0"}),
            Step("PATCH", "<upload>", 202, body="layer", by=PUSH, has=state),
            Step("GET", "<upload>", 204, by=PUSH, has=state),
            Step("HEAD", "<upload>", 204, by=PUSH, has=state),
            Step("DELETE", "<upload>", 204, by=PUSH),
            Step("GET", "<upload>", 404, by=PUSH, says="BLOB_UPLOAD_UNKNOWN"),
            Step("HEAD", "<upload>", 404, by=PUSH),
            Step("PATCH", "<upload>", 404, body="layer", by=PUSH, says="BLOB_UPLOAD_UNKNOWN"),
        )


@pytest.mark.parametrize(
    ("span", "cut", "status"),
    [("0-999", (0, 1000), 202), ("0-998", (0, 1000), 400), ("0-1000", (0, 1000), 400)],
)
@pytest.mark.parametrize("chunked", [True, False])
def test_a_chunk_is_as_long_as_it_says_also_without_a_length(
    scene: Scene, span: str, cut: tuple[int, int], status: int, chunked: bool
) -> None:
    kept = "0-999" if status == 202 else "0-0"
    scene.play(
        OPEN,
        Step(
            "PATCH",
            "<upload>",
            status,
            (("Content-Range", span),),
            body="layer",
            cut=cut,
            chunked=chunked,
            by=PUSH,
            says="" if status == 202 else "SIZE_INVALID",
        ),
    )
    scene.play(Step("GET", "<upload>", 204, by=PUSH, has={"Range": kept}))


def test_a_put_whose_answer_was_lost_may_be_repeated(scene: Scene) -> None:
    """Until the blob is gone: then the upload is as unknown as it is."""
    close = Step("PUT", "<upload>?digest=<layer>", 201, by=PUSH, body="layer")
    scene.play(
        OPEN,
        close,
        close,
        Step("PUT", "<upload>?digest=<layer>", 201, by=PUSH, body="nothing"),
        Step("DELETE", "/v2/<name>/blobs/<layer>", 202, by="delete"),
        Step("PUT", "<upload>?digest=<layer>", 404, by=PUSH, body="layer"),
    )


def test_what_may_be_kept_and_for_how_long(scene: Scene) -> None:
    lasting, passing = "max-age=31536000, immutable", "no-cache"
    rows = [
        ("blobs/<layer>", lasting),
        ("manifests/<image>", lasting),
        ("manifests/<tag>", passing),
        ("tags/list", passing),
        ("referrers/<image>", passing),
        ("_oci/ext/discover", passing),
    ]
    scene.push()
    for visibility in ("private", "public"):
        for path, words in rows:
            has = {"Cache-Control": f"{visibility}, {words}"}
            scene.play(Step("GET", f"/v2/<name>/{path}", 200, by="pull", has=has))
        scene.play(
            Step("GET", "/v2/<name>/manifests/x", 404, by="pull", has={"Cache-Control": "no-store"})
        )
        scene.publish()


@pytest.mark.parametrize(
    ("path", "offered"),
    [
        ("/v2/", "GET, HEAD"),
        ("/v2/_catalog", "GET, HEAD"),
        ("/v2/_oci/ext/discover", "GET, HEAD"),
        ("/v2/<name>/_oci/ext/discover", "GET, HEAD"),
        ("/v2/<name>/tags/list", "GET, HEAD"),
        ("/v2/<name>/referrers/<zeros>", "GET, HEAD"),
        ("/v2/<name>/manifests/1", "GET, PUT, DELETE, HEAD"),
        ("/v2/<name>/blobs/<zeros>", "GET, DELETE, HEAD"),
        ("/v2/<name>/blobs/uploads/", "POST"),
        ("/v2/<name>/blobs/uploads/x", "GET, PUT, PATCH, DELETE, HEAD"),
    ],
)
def test_a_method_that_is_not_offered(scene: Scene, path: str, offered: str) -> None:
    names = offered.split(", ")
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
        if method not in names:
            has = {"Allow": offered}
            scene.play(Step(method, path, 405, (("Content-Length", "0"),), has=has))


def test_the_length_of_an_error_is_that_of_its_body(scene: Scene) -> None:
    scene.push()
    head = scene.play(Step("HEAD", "/v2/<name>/manifests/x", 404, by="pull"))
    got = scene.play(Step("GET", "/v2/<name>/manifests/x", 404, by="pull"))
    assert head.header("Content-Length") == got.header("Content-Length") == str(len(got.body))
    assert got.json == {
        "errors": [
            {
                "code": "MANIFEST_UNKNOWN",
                "message": "manifest unknown to registry",
                "detail": {"tag": "x"},
            }
        ]
    }


def test_a_challenge_says_what_is_missing_as_data_too(scene: Scene) -> None:
    answer = scene.play(
        Step("POST", "/v2/<name>/blobs/uploads/?mount=<zeros>&from=<other>", 401, body="nothing")
    )
    name, other = scene.words["name"], scene.words["other"]
    assert answer.json["errors"][0]["detail"] == [
        {"Type": "repository", "Name": name, "Action": "pull"},
        {"Type": "repository", "Name": name, "Action": "push"},
        {"Type": "repository", "Name": other, "Action": "pull"},
    ]


def test_each_missing_blob_is_an_error_of_its_own(scene: Scene) -> None:
    scene.client.push_blob(scene.words["name"], b"something")
    kind = (("Content-Type", DOCKER_MANIFEST),)
    answer = scene.play(Step("PUT", "/v2/<name>/manifests/1", 400, kind, body="manifest", by=PUSH))
    missing = [digest_of(blob) for blob in scene.image.blobs]
    errors = answer.json["errors"]
    assert [e["code"] for e in errors] == ["MANIFEST_BLOB_UNKNOWN"] * 2
    assert [e["detail"]["digest"] for e in errors] == missing


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ],
)
def test_schema_1_is_refused_with_what_to_do_instead(scene: Scene, kind: str) -> None:
    scene.add("old", b'{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[],"history":[]}')
    put = Step(
        "PUT",
        "/v2/<name>/manifests/1",
        400,
        (("Content-Type", kind),),
        body="old",
        by=PUSH,
        says="MANIFEST_INVALID.*schema 1 manifests are not supported; push schema 2 or OCI",
    )
    scene.play(put)


def test_extensions_are_told_to_who_may_see_them(scene: Scene) -> None:
    scene.push()
    answer = scene.play(
        Step("GET", "/v2/_oci/ext/discover", 401),
        Step("GET", "/v2/<name>/_oci/ext/discover", 401),
        Step("GET", "/v2/<name>/_oci/ext/discover", 200, by="pull", says=r"_oci/ext/discover"),
        Step("GET", "/v2/_oci/ext/discover", 200, by="pull"),
    )
    entries = answer.json["extensions"]
    assert [entry["name"] for entry in entries] == ["_oci", "_catalog"]
    assert all({"name", "url", "description", "endpoints"} == set(entry) for entry in entries)
    for entry in entries:
        for endpoint in entry["endpoints"]:
            scene.play(Step("GET", f"/v2/{endpoint}", 200, by="basic"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "status", "code", "seconds"),
    [
        (Unavailable("later"), 503, "UNAVAILABLE", "1"),
        (RateLimited("slowly", detail={"retry_after_s": 40}), 429, "TOOMANYREQUESTS", "40"),
        (RateLimited("slowly"), 429, "TOOMANYREQUESTS", "1"),
        (MemoryError(), 500, "UNKNOWN", None),
    ],
)
def test_when_to_come_again(
    client: Client, monkeypatch: Any, error: Exception, status: int, code: str, seconds: str | None
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(ping, "read_grant", fail)
    answer = client.get("/v2/")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, seconds)
    assert json.loads(answer.content)["errors"][0]["code"] == code
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"


@pytest.mark.django_db
def test_a_redirect_to_the_store_is_not_kept_and_a_head_is_none(
    client: Client, monkeypatch: Any, rung: list[Any]
) -> None:
    """Where a store gives out addresses, clients must ask anew: they are good for a minute."""
    repository = make_repository(make_person("alice").namespace, "app", visibility="public")
    blob = push_blob(repository, b"x" * 100)
    store = get_store()
    monkeypatch.setattr(
        type(store), "location", lambda self, key, *, expires_s: f"https://store.example/{key}"
    )
    path = f"/v2/alice/app/blobs/{blob.digest}"
    answer = client.get(path)
    assert answer.status_code == 307
    assert answer.headers["Location"] == f"https://store.example/{blob.storage_key}"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Docker-Content-Digest"] == blob.digest
    assert answer.headers["Content-Length"] == "0"
    head = client.head(path)
    assert (head.status_code, head.headers["Content-Length"]) == (200, "100")
    assert client.get(path, headers={"Range": "bytes=500-"}).status_code == 416
    assert client.get(path, headers={"If-None-Match": blob.digest}).status_code == 304
