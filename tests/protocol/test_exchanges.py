"""Whole conversations, request by request, as clients have them (reference, 3.15)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
import urllib3

from tests.images import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.protocol.clients import (
    EMPTY,
    EVERY_TYPE,
    GZIP,
    OCTETS,
    accept_lines,
    accept_list,
    agent,
)
from tests.protocol.scene import BEARER, UPLOAD, Scene, Step

MIB = 1024 * 1024
TOKEN = ("Authorization", "Bearer <token>")
DOCKER = DOCKER_MANIFEST.replace("+", r"\+")
INDEX = OCI_INDEX.replace("+", r"\+")
OCI = OCI_MANIFEST.replace("+", r"\+")
CHALLENGE = Step("GET", "/v2/", 401, has={"WWW-Authenticate": BEARER})
WRONG = urllib3.make_headers(basic_auth="somebody:not the password")["authorization"]


@dataclass(frozen=True)
class Exchange:
    """A conversation; `given` as in a quirk, `more` bodies that its steps name."""

    name: str
    steps: tuple[Step, ...]
    given: str = ""
    more: dict[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def ask(scope: str, by: str = "", **query: str) -> Step:
    """The token request that follows a challenge."""
    more = "".join(f"{key}={value}&" for key, value in query.items())
    return Step(
        "GET",
        f"/token?{more}scope={scope}&service=<host>",
        200,
        (agent("docker"),),
        by=by,
        says='"(access_)?token"',
        learn={"token": "token"},
    )


def docker_blob(body: str) -> tuple[Step, ...]:
    """HEAD, POST, one PATCH without a length, an empty PUT, HEAD again."""
    who = (agent("docker"), TOKEN)
    where = f"/v2/<name>/blobs/<{body}>"
    length = {"Content-Length": "<size>"} if body == "layer" else {}
    return (
        Step("HEAD", where, 404, who),
        Step(
            "POST",
            "/v2/<name>/blobs/uploads/",
            202,
            (*who, GZIP, EMPTY),
            has={"Location": UPLOAD, "Range": "0-0", "Docker-Upload-UUID": ".{36}"},
            keep={"upload": "Location"},
        ),
        Step(
            "PATCH",
            "<upload>",
            202,
            (*who, GZIP),
            body=body,
            chunked=True,
            has={"Location": UPLOAD, "Range": "0-<end>" if body == "layer" else r"0-\d+"},
            keep={"upload": "Location"},
        ),
        Step(
            "PUT",
            f"<upload>?digest=<{body}>",
            201,
            (*who, GZIP, EMPTY),
            has={"Location": where, "Docker-Content-Digest": f"<{body}>"},
        ),
        Step("HEAD", where, 200, who, has=length),
    )


def containerd_blob(body: str) -> tuple[Step, ...]:
    who = (agent("containerd"), TOKEN)
    return (
        Step("HEAD", f"/v2/<name>/blobs/<{body}>", 404, (*who, accept_list("x/y", "*/*"))),
        Step(
            "POST",
            f"/v2/<name>/blobs/uploads/?mount=<{body}>&from=<other>",
            202,
            (*who, EMPTY),
            has={"Location": UPLOAD},
            keep={"upload": "Location"},
        ),
        Step("PUT", f"<upload>?digest=<{body}>", 201, (*who, OCTETS), body=body),
    )


def containerd_manifest(reference: str, body: str, kind: str) -> tuple[Step, ...]:
    who = (agent("containerd"), TOKEN)
    path = f"/v2/<name>/manifests/{reference}"
    return (
        Step("HEAD", path, 404, (*who, accept_list(kind, "*/*"))),
        Step("PUT", path, 201, (*who, ("Content-Type", kind)), body=body),
    )


def pieces(start: int, stop: int) -> tuple[tuple[str, str], ...]:
    return (agent("regclient"), OCTETS, ("Content-Range", f"{start}-{stop - 1}"))


CHUNKS = random.Random(1).randbytes(2 * MIB + 1000)
WHOLE = (
    Exchange(
        "docker engine push of one new layer",
        (
            CHALLENGE,
            ask("repository:<name>:pull,push", "basic", account="<user>", client_id="docker"),
            *docker_blob("layer"),
            *docker_blob("config"),
            Step(
                "PUT",
                "/v2/<name>/manifests/<tag>",
                201,
                (agent("docker"), TOKEN, GZIP, ("Content-Type", DOCKER_MANIFEST)),
                body="manifest",
                has={"Docker-Content-Digest": "<image>"},
            ),
        ),
    ),
    Exchange(
        "containerd push",
        (
            ask("repository:<name>:pull,push", "basic"),
            *containerd_blob("layer"),
            *containerd_blob("config"),
            *containerd_manifest("<image>", "manifest", DOCKER_MANIFEST),
            *containerd_manifest("<tag>", "top", OCI_INDEX),
        ),
    ),
    Exchange(
        "containerd pull",
        (
            ask("repository:<name>:pull", "basic"),
            Step(
                "HEAD",
                "/v2/<name>/manifests/<tag>",
                200,
                (agent("containerd"), TOKEN, accept_list(*EVERY_TYPE, "*/*")),
                has={"Content-Type": INDEX, "Content-Length": r"\d+"},
                keep={"top": "Docker-Content-Digest"},
            ),
            Step("GET", "/v2/<name>/manifests/<top>", 200, (TOKEN,), says="<child>"),
            Step("GET", "/v2/<name>/manifests/<child>", 200, (TOKEN,), has={"Content-Type": OCI}),
            Step("GET", "/v2/<name>/blobs/<part>", 200, (TOKEN,)),
            Step("GET", "/v2/<name>/blobs/<part>", 206, (TOKEN, ("Range", "bytes=10-"))),
        ),
        given="index",
    ),
    Exchange(
        "chunked with recovery",
        (
            ask("repository:<name>:pull,push", "basic"),
            Step(
                "POST",
                "/v2/<name>/blobs/uploads/",
                202,
                (TOKEN, EMPTY),
                keep={"upload": "Location"},
            ),
            Step(
                "PATCH",
                "<upload>",
                202,
                (TOKEN, *pieces(0, MIB)),
                body="chunks",
                cut=(0, MIB),
                has={"Range": f"0-{MIB - 1}"},
            ),
            Step(
                "PATCH",
                "<upload>",
                416,
                (TOKEN, *pieces(2 * MIB, 2 * MIB + 1000)),
                body="chunks",
                cut=(2 * MIB, 2 * MIB + 1000),
                has={"Range": f"0-{MIB - 1}", "Location": UPLOAD},
                keep={"upload": "Location"},
            ),
            Step("GET", "<upload>", 204, (TOKEN,), has={"Range": f"0-{MIB - 1}"}),
            Step(
                "PATCH",
                "<upload>",
                202,
                (TOKEN, *pieces(MIB, 2 * MIB)),
                body="chunks",
                cut=(MIB, 2 * MIB),
                has={"Range": f"0-{2 * MIB - 1}"},
            ),
            Step(
                "PUT",
                "<upload>?digest=<chunks>",
                201,
                (TOKEN, *pieces(2 * MIB, 2 * MIB + 1000)),
                body="chunks",
                cut=(2 * MIB, 2 * MIB + 1000),
            ),
            Step("GET", "/v2/<name>/blobs/<chunks>", 200, (TOKEN,), says=CHUNKS),
        ),
        more={"chunks": CHUNKS},
    ),
    Exchange(
        "signature",
        (
            ask("repository:<name>:push,pull", "basic"),
            Step(
                "HEAD",
                "/v2/<name>/manifests/<tag>",
                200,
                (agent("cosign"), TOKEN),
                has={"Docker-Content-Digest": "<image>"},
            ),
            *docker_blob("braces"),
            *docker_blob("bundle"),
            Step(
                "PUT",
                "/v2/<name>/manifests/<referrer>",
                201,
                (agent("cosign"), TOKEN, ("Content-Type", OCI_MANIFEST)),
                body="referrer",
                has={"OCI-Subject": "<image>"},
            ),
            Step(
                "GET",
                "/v2/<name>/referrers/<image>",
                200,
                (agent("cosign"), TOKEN),
                has={"Content-Type": INDEX},
                says="<referrer>",
            ),
        ),
        given="image",
    ),
    Exchange(
        "anonymous pull of a public image",
        (
            CHALLENGE,
            ask("repository:<name>:pull"),
            Step(
                "GET",
                "/v2/<name>/manifests/<tag>",
                200,
                (agent("docker"), TOKEN, *accept_lines(*EVERY_TYPE)),
                has={"Content-Type": DOCKER},
            ),
            Step("GET", "/v2/<name>/blobs/<layer>", 200, (agent("docker"), TOKEN)),
        ),
        given="public",
    ),
    Exchange(
        "login with a wrong password",
        (
            CHALLENGE,
            Step(
                "GET",
                "/token?account=somebody&client_id=docker&offline_token=true&service=<host>",
                401,
                (agent("docker"), ("Authorization", WRONG)),
                has={"WWW-Authenticate": "Basic .+", "Content-Type": "application/json"},
                says='"UNAUTHORIZED"',
            ),
        ),
    ),
)


@pytest.mark.parametrize("exchange", WHOLE, ids=str)
def test_a_conversation_goes_as_it_must(exchange: Exchange, scene: Scene) -> None:
    if exchange.given:
        scene.push(scene.index if exchange.given == "index" else scene.image)
    if exchange.given == "public":
        scene.publish()
    scene.add("part", scene.index.children[0].blobs[1])
    scene.add("top", listing(scene))
    for key, data in exchange.more.items():
        scene.add(key, data)
    scene.play(*exchange.steps)


def listing(scene: Scene) -> bytes:
    """An image index over the one image of the scene."""
    digest, size = scene.words["image"], len(scene.bodies["manifest"])
    entry = f'{{"mediaType":"{DOCKER_MANIFEST}","digest":"{digest}","size":{size}}}'
    return f'{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{entry}]}}'.encode()
