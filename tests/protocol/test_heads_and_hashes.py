"""HEAD beside every GET, and the digest algorithms a client may announce (end-2, 3, 4c)."""

from __future__ import annotations

import pytest

from tests.images import digest_of
from tests.protocol.scene import UPLOAD, Scene, Step

PUSH = "pull,push"
MOVING = {"date", "x-request-id"}


@pytest.mark.parametrize(
    ("path", "by"),
    [
        ("/v2/", "basic"),
        ("/v2/", ""),
        ("/v2/_catalog", "basic"),
        ("/v2/_catalog", ""),
        ("/v2/_oci/ext/discover", "basic"),
        ("/v2/<name>/_oci/ext/discover", "pull"),
        ("/v2/<name>/tags/list", "pull"),
        ("/v2/<name>/tags/list?n=x", "pull"),
        ("/v2/<name>/referrers/<image>", "pull"),
        ("/v2/<name>/manifests/<tag>", "pull"),
        ("/v2/<name>/manifests/<image>", "pull"),
        ("/v2/<name>/manifests/<image>", ""),
        ("/v2/<name>/manifests/<zeros>", "pull"),
        ("/v2/<name>/blobs/<layer>", "pull"),
        ("/v2/<name>/blobs/<zeros>", "pull"),
        ("/v2/<name>/unheard-of", "pull"),
    ],
)
def test_a_head_is_a_get_without_its_body(scene: Scene, path: str, by: str) -> None:
    scene.push()
    got = scene.send(Step("GET", path, 0, by=by))
    head = scene.send(Step("HEAD", path, 0, by=by))
    assert head.status == got.status
    assert head.body == b""
    assert got.header("Content-Length") == str(len(got.body))
    for answer in (got, head):
        names = [name.lower() for name, _ in answer.headers]
        assert len(names) == len(set(names)), names
    assert {pair for pair in head.headers if pair[0].lower() not in MOVING} == {
        pair for pair in got.headers if pair[0].lower() not in MOVING
    }


@pytest.mark.parametrize("way", ["stream", "chunks", "whole"])
def test_sha512_is_announced_or_asked_for_at_the_end(scene: Scene, way: str) -> None:
    data = scene.bodies["layer"]
    scene.words["long"] = digest_of(data, "sha512")
    opened = Step(
        "POST",
        f"/v2/<name>/blobs/uploads/{'?digest-algorithm=sha512' if way == 'stream' else ''}",
        202,
        body="nothing",
        by=PUSH,
        has={"Location": UPLOAD},
        keep={"upload": "Location"},
    )
    sent = {
        "stream": [Step("PATCH", "<upload>", 202, body="layer", chunked=True, by=PUSH)],
        "chunks": [
            Step("PATCH", "<upload>", 202, body="layer", cut=span, by=PUSH)
            for span in ((0, 1000), (1000, len(data)))
        ],
        "whole": [],
    }
    closed = Step(
        "PUT",
        "<upload>?digest=<long>",
        201,
        body="layer" if way == "whole" else "nothing",
        by=PUSH,
        has={"Docker-Content-Digest": "<long>", "Location": "/v2/<name>/blobs/<long>"},
    )
    scene.play(opened, *sent[way], closed)
    scene.play(
        Step(
            "GET",
            "/v2/<name>/blobs/<long>",
            200,
            by="pull",
            has={"Docker-Content-Digest": "<long>", "ETag": '"<long>"'},
            says=data,
        ),
        Step("HEAD", "/v2/<name>/blobs/<layer>", 404, by="pull"),
    )


@pytest.mark.parametrize("algorithm", ["blake3", "md5", "SHA256", "", "sha256:", "../x"])
def test_an_algorithm_that_is_not_offered(scene: Scene, algorithm: str) -> None:
    path = f"/v2/<name>/blobs/uploads/?digest-algorithm={algorithm}"
    scene.play(Step("POST", path, 400, body="nothing", by=PUSH, says="DIGEST_INVALID"))


def test_an_announced_algorithm_binds_nobody(scene: Scene) -> None:
    scene.play(
        Step(
            "POST",
            "/v2/<name>/blobs/uploads/?digest-algorithm=sha512",
            202,
            body="nothing",
            by=PUSH,
            keep={"upload": "Location"},
        ),
        Step("PATCH", "<upload>", 202, body="layer", by=PUSH),
        Step("PUT", "<upload>?digest=<layer>", 201, body="nothing", by=PUSH),
    )
