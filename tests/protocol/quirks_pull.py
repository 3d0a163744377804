"""Quirks of clients that concern pulls, ranges and listings (reference, 7.2)."""

from __future__ import annotations

import email.parser
import threading
import time
from contextlib import closing

from tests.images import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.protocol.clients import (
    EVERY_TYPE,
    GZIP,
    SCHEMA_1,
    accept_lines,
    accept_list,
    agent,
)
from tests.protocol.quirk import Quirk
from tests.protocol.scene import Scene, Step, signature_of

ANY_CODING = ("Accept-Encoding", "zstd;q=1.0, gzip;q=0.8, deflate;q=0.5")
PUSH = "pull,push"
DOCKER = DOCKER_MANIFEST.replace("+", r"\+")
INDEX = OCI_INDEX.replace("+", r"\+")
HEAD_OF_A_MANIFEST = {
    "Content-Type": DOCKER,
    "Content-Length": r"[1-9]\d*",
    "Docker-Content-Digest": "<image>",
}


def reads_bytes_as_they_are(scene: Scene) -> None:
    plain = {"Content-Encoding": None, "Vary": None}
    scene.play(
        Step(
            "GET",
            "/v2/<name>/manifests/<tag>",
            200,
            (agent("containerd"), ANY_CODING),
            by="pull",
            has=plain,
            says=scene.bodies["manifest"],
        ),
        Step(
            "GET",
            "/v2/<name>/blobs/<config>",
            200,
            (agent("docker"), GZIP),
            by="pull",
            has=plain,
            says=scene.bodies["config"],
        ),
    )


def reads_an_index_whatever_it_accepts(scene: Scene) -> None:
    scene.play(
        Step(
            "GET",
            "/v2/<name>/manifests/<tag>",
            200,
            (agent("docker"), *accept_lines(DOCKER_MANIFEST, SCHEMA_1)),
            by="pull",
            has={"Content-Type": INDEX, "Docker-Content-Digest": "<index>", "ETag": '"<index>"'},
            says=scene.index.manifest,
        )
    )


def streams_to_who_forwards_its_credential(scene: Scene) -> None:
    scene.play(
        Step(
            "GET",
            "/v2/<name>/blobs/<layer>",
            200,
            (("User-Agent", "Open Policy Agent/1.5.1 (linux, amd64)"),),
            by="pull",
            has={"Location": None},
            says=scene.bodies["layer"],
        )
    )


def finds_each_referrer_once(scene: Scene) -> None:
    for _ in range(2):
        scene.push(signature_of(scene.image), None)
    answer = scene.play(Step("GET", "/v2/<name>/referrers/<image>", 200, by="pull"))
    assert [entry["digest"] for entry in answer.json["manifests"]] == [scene.words["referrer"]]
    tags = scene.play(Step("GET", "/v2/<name>/tags/list", 200, by="pull")).json["tags"]
    assert tags == ["1.0"]


def resumes(scene: Scene) -> None:
    scene.play(
        Step(
            "GET",
            "/v2/<name>/blobs/<layer>",
            206,
            (agent("podman"), ("Range", "bytes=1000-")),
            by="pull",
            has={"Content-Range": "bytes 1000-<end>/<size>"},
            says=scene.bodies["layer"][1000:],
        )
    )


def reads_many_ranges(scene: Scene) -> None:
    layer, wanted = scene.bodies["layer"], ((0, 9), (100, 349), (2000, 2019))
    listed = ",".join(f"{first}-{last}" for first, last in wanted)
    answer = scene.play(
        Step(
            "GET",
            "/v2/<name>/blobs/<layer>",
            206,
            (agent("podman"), ("Range", f"bytes={listed}")),
            by="pull",
            has={"Content-Type": "multipart/byteranges; boundary=[0-9a-f]{32}"},
        )
    )
    top = f"Content-Type: {answer.header('Content-Type')}\r\n\r\n".encode()
    parts = email.parser.BytesParser().parsebytes(top + answer.body).get_payload()
    for part, (first, last) in zip(parts, wanted, strict=True):
        assert part["Content-Range"] == f"bytes {first}-{last}/{len(layer)}"
    starts = [answer.body.index(layer[first : last + 1]) for first, last in wanted]
    assert starts == sorted(starts)


def reads_ranges_side_by_side(scene: Scene) -> None:
    layer = scene.bodies["layer"]
    edges = range(0, len(layer), 1000)
    found: dict[int, bytes] = {}

    def one(start: int) -> None:
        last = min(start + 1000, len(layer)) - 1
        span = ("Range", f"bytes={start}-{last}")
        step = Step("GET", "/v2/<name>/blobs/<layer>", 206, (span, ANY_CODING), by="pull")
        with closing(Scene(scene.hub, scene.owner, scene.words["name"])) as own:
            found[start] = own.play(step).body

    threads = [threading.Thread(target=one, args=(start,)) for start in edges]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert b"".join(found[start] for start in edges) == layer


def looks_often_and_pulls_once(scene: Scene) -> None:
    """Looking is not pulling: only the one `GET` is counted."""
    look = Step("HEAD", "/v2/<name>/manifests/<tag>", 200, by="pull")
    scene.play(look, look, look, Step("HEAD", "/v2/<name>/blobs/<layer>", 200, by="pull"))
    scene.play(Step("GET", "/v2/<name>/manifests/<tag>", 200, by="pull"), look, look)
    path, count = f"repositories/{scene.words['name']}", 0
    for _ in range(200):
        count = scene.hub.api("GET", path, token=scene.owner.token)[1]["pull_count"]
        if count:
            break
        time.sleep(0.1)
    assert count == 1


PULLING = (
    Quirk(
        11,
        "containerd as the client of a mirror",
        given="image",
        steps=(
            Step("HEAD", "/v2/<name>/manifests/<tag>?ns=docker.io", 200, by="pull"),
            Step("GET", "/v2/<name>/blobs/<layer>?ns=docker.io&origin=x", 200, by="pull"),
            Step("GET", "/v2/<name>/tags/list?ns=docker.io", 200, by="pull", says="<tag>"),
            Step("GET", "/v2/<name>/referrers/<image>?ns=docker.io", 200, by="pull"),
        ),
    ),
    Quirk(
        14,
        "docker",
        given="image",
        steps=(
            Step(
                "HEAD",
                "/v2/<name>/manifests/<tag>",
                200,
                (agent("docker"), *accept_lines(*EVERY_TYPE)),
                by="pull",
                has=HEAD_OF_A_MANIFEST,
            ),
        ),
    ),
    Quirk(
        15,
        "go-containerregistry",
        given="image",
        steps=(
            Step(
                "HEAD",
                "/v2/<name>/manifests/<image>",
                200,
                (agent("crane"), accept_list(*EVERY_TYPE)),
                by="pull",
                has=HEAD_OF_A_MANIFEST,
            ),
            Step(
                "HEAD",
                "/v2/<name>/blobs/<layer>",
                200,
                (agent("crane"),),
                by="pull",
                has={"Content-Length": "<size>", "Docker-Content-Digest": "<layer>"},
            ),
        ),
    ),
    Quirk(
        17,
        "docker, podman",
        given="image",
        steps=(
            Step(
                "GET",
                "/v2/<name>/manifests/<tag>",
                200,
                accept_lines(f"{OCI_INDEX};q=0.9", f"{OCI_MANIFEST};q=0.1", "text/html;q=0"),
                by="pull",
                has={"Content-Type": DOCKER},
            ),
        ),
    ),
    Quirk(
        21,
        "OPA, Renovate, Spring Cloud",
        given="image",
        story=streams_to_who_forwards_its_credential,
    ),
    Quirk(23, "docker, containerd", given="image", story=reads_bytes_as_they_are),
    Quirk(24, "old docker engines", given="index", story=reads_an_index_whatever_it_accepts),
    Quirk(
        25,
        "sigstore-js, cosign",
        given="image",
        steps=(
            Step("POST", "/v2/<name>/blobs/uploads/?digest=<braces>", 201, body="braces", by=PUSH),
            Step("POST", "/v2/<name>/blobs/uploads/?digest=<bundle>", 201, body="bundle", by=PUSH),
            Step(
                "PUT",
                "/v2/<name>/manifests/<referrer>",
                201,
                (agent("cosign"), ("Content-Type", OCI_MANIFEST)),
                body="referrer",
                by=PUSH,
                has={"OCI-Subject": "<image>"},
            ),
            Step("GET", "/v2/<name>/referrers/<image>", 200, by="pull", says="<referrer>"),
        ),
    ),
    Quirk(26, "cosign", given="image", story=finds_each_referrer_once),
    Quirk(
        29,
        "oras-go",
        given="index",
        steps=(
            Step(
                "GET",
                "/v2/<name>/manifests/<index>",
                200,
                (agent("oras"), accept_list(*EVERY_TYPE, "application/json"), GZIP),
                by="pull",
                has={"Content-Length": r"[1-9]\d*", "Transfer-Encoding": None},
            ),
        ),
    ),
    Quirk(
        30,
        "oras-go",
        steps=(
            Step(
                "GET",
                "/v2/<name>/referrers/<zeros>",
                200,
                (agent("oras"),),
                by="pull",
                has={"Content-Type": INDEX},
                says=r'"manifests":\[\]',
            ),
        ),
    ),
    Quirk(34, "podman, skopeo", given="image", story=resumes),
    Quirk(35, "podman with zstd:chunked", given="image", story=reads_many_ranges),
    Quirk(
        36,
        "containers/image",
        given="image",
        steps=tuple(
            Step("GET", path, 200, (agent("podman"),), by="pull", has={"Warning": None})
            for path in (
                "/v2/",
                "/v2/<name>/manifests/<tag>",
                "/v2/<name>/blobs/<layer>",
                "/v2/<name>/tags/list",
            )
        ),
    ),
    Quirk(
        45,
        "containerd",
        given="image",
        steps=(
            Step(
                "GET",
                "/v2/<name>/manifests/<layer>",
                404,
                (agent("containerd"), accept_list(OCI_MANIFEST, "*/*")),
                by="pull",
                says="MANIFEST_UNKNOWN",
            ),
            Step("GET", "/v2/<name>/blobs/<layer>", 200, (agent("containerd"),), by="pull"),
            Step("GET", "/v2/<name>/blobs/<image>", 404, by="pull", says="BLOB_UNKNOWN"),
        ),
    ),
    Quirk(46, "containerd", given="image", story=reads_ranges_side_by_side),
    Quirk(51, "Watchtower, Renovate, Diun", given="image", story=looks_often_and_pulls_once),
)
