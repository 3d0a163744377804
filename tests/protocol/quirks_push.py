"""Quirks of clients that concern uploads and manifests pushed (reference, 7.2)."""

from __future__ import annotations

import json
import threading
from contextlib import closing

from tests.images import OCI_INDEX, OCI_MANIFEST, Image, as_json, descriptor, image
from tests.protocol.clients import EMPTY, GZIP, OCTETS, agent
from tests.protocol.quirk import Quirk
from tests.protocol.scene import DIGEST, UPLOAD, Scene, Step, build_cache, signature_of

PUSH = "pull,push"
MIB = 1024 * 1024
OPEN = Step(
    "POST",
    "/v2/<name>/blobs/uploads/",
    202,
    (EMPTY,),
    by=PUSH,
    has={"Location": UPLOAD},
    keep={"upload": "Location"},
)


def put(body: str, kind: str, reference: str = "<tag>", status: int = 201, **more: object) -> Step:
    """A manifest pushed."""
    path = f"/v2/<name>/manifests/{reference}"
    return Step("PUT", path, status, (("Content-Type", kind),), body=body, by=PUSH, **more)


def pushes_build_cache(scene: Scene) -> None:
    for data in (scene.bodies["layer"], scene.bodies["config"]):
        scene.client.push_blob(scene.words["name"], data)
    scene.add("cache", build_cache(scene.bodies["layer"], scene.bodies["config"]))
    scene.play(
        put("cache", OCI_INDEX, "buildcache"),
        Step("GET", "/v2/<name>/manifests/buildcache", 200, by="pull", says=scene.bodies["cache"]),
        Step("GET", "/v2/<name>/blobs/<layer>", 200, by="pull", says=scene.bodies["layer"]),
        Step("DELETE", "/v2/<name>/blobs/<layer>", 405, by="delete", says="UNSUPPORTED"),
    )


def pushes_attestations(scene: Scene) -> None:
    """The attestation is a child like any other, although nothing runs on its platform."""
    attestation = image(f"{scene.words['name']}/attested", layers=1)
    scene.push(attestation, None)
    scene.push()
    unknown = {"os": "unknown", "architecture": "unknown"}
    listed = [
        descriptor(scene.image.media_type, scene.image.manifest),
        descriptor(OCI_MANIFEST, attestation.manifest, platform=unknown),
    ]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
    scene.add("attested", as_json(document))
    scene.words["attestation"] = attestation.digest
    scene.play(
        put("attested", OCI_INDEX),
        Step("DELETE", "/v2/<name>/manifests/<attestation>", 405, by="delete"),
        Step("GET", "/v2/<name>/manifests/<attestation>", 200, by="pull"),
    )


def pushes_without_a_type_inside(scene: Scene) -> None:
    scene.push()
    document = json.loads(scene.bodies["manifest"])
    del document["mediaType"]
    scene.add("bare", as_json(document))
    scene.play(
        put("bare", OCI_MANIFEST, "chart", has={"Docker-Content-Digest": "<bare>"}),
        Step("GET", "/v2/<name>/manifests/chart", 200, by="pull", has={"Content-Type": kind()}),
    )


def kind() -> str:
    return OCI_MANIFEST.replace("+", r"\+")


def pushes_the_same_at_once(scene: Scene) -> None:
    """Four clients, two repositories, one layer: everybody gets 201."""
    names = [scene.words["name"], scene.words["other"]] * 2
    together = threading.Barrier(len(names))
    found: list[int] = []

    def one(name: str) -> None:
        with closing(Scene(scene.hub, scene.owner, name)) as rival:
            rival.add("same", b"one layer " * 10_000)
            rival.play(OPEN)
            together.wait(30)
            finish = "<upload>?digest=<same>"
            found.append(rival.send(Step("PUT", finish, 201, body="same", by=PUSH)).status)

    threads = [threading.Thread(target=one, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [201] * len(names)


def pushes_a_signature_before_its_blobs(scene: Scene) -> None:
    scene.push()
    early = signature_of(scene.image)
    scene.play(
        put("referrer", OCI_MANIFEST, "<referrer>", 400, says="MANIFEST_BLOB_UNKNOWN.*<bundle>")
    )
    scene.push(Image(early.manifest, early.media_type, early.blobs), None)


def pushes_three_mebibytes(scene: Scene) -> None:
    scene.add("large", bytes(3 * MIB))
    scene.play(
        OPEN,
        Step("PATCH", "<upload>", 202, body="large", by=PUSH, has={"Range": f"0-{3 * MIB - 1}"}),
        Step("PUT", "<upload>?digest=<large>", 201, (EMPTY,), by=PUSH),
    )


PUSHING = (
    Quirk(
        5,
        "docker",
        steps=(
            Step(
                "POST",
                "/v2/<name>/blobs/uploads/",
                202,
                (agent("docker"), EMPTY, GZIP),
                by=PUSH,
                has={"Range": "0-0", "Docker-Upload-UUID": "[0-9a-f-]{36}"},
                keep={"upload": "Location"},
            ),
            Step(
                "PATCH",
                "<upload>",
                202,
                (agent("docker"), GZIP),
                body="layer",
                chunked=True,
                by=PUSH,
                has={"Range": "0-<end>"},
            ),
        ),
    ),
    Quirk(
        6,
        "docker and all others",
        steps=(
            OPEN,
            Step(
                "PATCH",
                "<upload>",
                202,
                body="layer",
                by=PUSH,
                has={"Location": "/v2/<name>/blobs/uploads/[0-9a-f-]{36}"},
            ),
        ),
    ),
    Quirk(
        7,
        "containerd, nerdctl",
        steps=(
            Step(
                "POST",
                "/v2/<name>/blobs/uploads/",
                202,
                (
                    agent("containerd"),
                    EMPTY,
                    ("X-Forwarded-Host", "inside.example"),
                    ("X-Forwarded-Proto", "https"),
                ),
                by=PUSH,
                has={"Location": UPLOAD},
            ),
        ),
    ),
    Quirk(
        8,
        "containerd",
        steps=tuple(
            Step(
                "POST",
                f"/v2/<name>/blobs/uploads/?mount=<layer>&from={source}",
                202,
                (agent("containerd"), EMPTY),
                by=PUSH,
                has={"Location": UPLOAD},
            )
            for source in ("somebody/secret", "<other>", "UPPER", "")
        ),
    ),
    Quirk(
        16,
        "go-containerregistry",
        steps=(
            Step(
                "POST",
                "/v2/<name>/blobs/uploads/",
                202,
                (agent("crane"), ("Content-Type", "application/json"), EMPTY),
                by=PUSH,
                has={"Location": UPLOAD},
            ),
        ),
    ),
    Quirk(18, "BuildKit --cache-to type=registry", story=pushes_build_cache),
    Quirk(19, "BuildKit attestations", story=pushes_attestations),
    Quirk(20, "helm, old buildah", story=pushes_without_a_type_inside),
    Quirk(22, "docker, buildx, kaniko in parallel", story=pushes_the_same_at_once),
    Quirk(27, "cosign load", story=pushes_a_signature_before_its_blobs),
    Quirk(
        28,
        "devcontainers, oras",
        steps=(
            OPEN,
            Step("PUT", "<upload>?digest=<nothing>", 201, (EMPTY, OCTETS), by=PUSH),
            Step("GET", "/v2/<name>/blobs/<nothing>", 200, by="pull", has={"Content-Length": "0"}),
        ),
    ),
    Quirk(
        31,
        "oras-go, helm",
        given="image",
        steps=(
            Step("POST", "/v2/<name>/blobs/uploads/", 202, (agent("oras"), EMPTY), by=PUSH),
            put("manifest", "application/vnd.docker.distribution.manifest.v2+json", "again"),
            Step(
                "DELETE",
                "/v2/<name>/manifests/again",
                202,
                (agent("oras"),),
                by="delete",
                has={"Content-Length": "0"},
            ),
            Step("DELETE", "/v2/<name>/manifests/<image>", 202, (agent("oras"),), by="delete"),
            Step("DELETE", "/v2/<name>/blobs/<layer>", 202, (agent("oras"),), by="delete"),
        ),
    ),
    Quirk(
        32,
        "containers/image",
        steps=(
            Step(
                "POST",
                "/v2/<name>/blobs/uploads/?mount=<layer>&from=<other>",
                202,
                (agent("podman"), EMPTY),
                by=PUSH,
                keep={"upload": "Location"},
            ),
            Step("DELETE", "<upload>", 204, (agent("podman"),), by="push"),
            Step("GET", "<upload>", 404, by="push", says="BLOB_UPLOAD_UNKNOWN"),
        ),
    ),
    Quirk(
        33,
        "podman",
        steps=(
            OPEN,
            Step(
                "PATCH",
                "<upload>",
                202,
                (agent("podman"), OCTETS),
                body="layer",
                chunked=True,
                by=PUSH,
                has={"Location": UPLOAD},
            ),
        ),
    ),
    Quirk(37, "skopeo, large layers", story=pushes_three_mebibytes),
    Quirk(
        44,
        "regclient",
        steps=(
            OPEN,
            Step(
                "PATCH",
                "<upload>",
                202,
                (agent("regclient"), OCTETS, ("Content-Range", "0-999")),
                body="layer",
                cut=(0, 1000),
                by=PUSH,
            ),
            Step(
                "PATCH",
                "<upload>",
                416,
                (agent("regclient"), OCTETS, ("Content-Range", "2000-2999")),
                body="layer",
                cut=(2000, 3000),
                by=PUSH,
                has={"Location": "<upload>", "Range": "0-999", "Docker-Upload-UUID": "[0-9a-f-]+"},
                says="RANGE_INVALID",
            ),
        ),
    ),
    Quirk(
        47,
        "helm",
        given="image",
        steps=(
            put(
                "manifest",
                "application/vnd.docker.distribution.manifest.v2+json",
                "1.0.0_build",
                has={"Location": f"/v2/<name>/manifests/{DIGEST}"},
            ),
            Step("GET", "/v2/<name>/tags/list", 200, by="pull", says=r'"1\.0\.0_build"'),
        ),
    ),
    Quirk(
        49,
        "clean-up jobs of forges",
        given="index",
        steps=(
            Step(
                "DELETE",
                "/v2/<name>/manifests/<child>",
                405,
                by="delete",
                has={"Allow": "GET, HEAD"},
                says="UNSUPPORTED.*<index>",
            ),
            Step("GET", "/v2/<name>/manifests/<child>", 200, by="pull"),
        ),
    ),
)
