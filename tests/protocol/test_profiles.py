"""How each client looks, uploads and pushes, with the statuses it insists on (reference, 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

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
from tests.protocol.scene import UPLOAD, Scene, Step
from tests.protocol.wire import Pairs

PUSH = "pull,push"
CHUNK = 1500


@dataclass(frozen=True)
class Profile:
    """A family of clients: `way` is how the bytes travel, `opens` what its POST says."""

    clients: str
    agent: tuple[str, str]
    way: str
    opens: tuple[str, ...] = ("",)
    headers: Pairs = ()
    accepts: Pairs = ()
    first_by_digest: bool = False
    tags: tuple[str, ...] = ("<tag>",)

    def __str__(self) -> str:
        return self.clients


PROFILES = (
    Profile(
        "docker engine, classic store",
        agent("docker"),
        "stream",
        opens=("?from=<other>&mount=<{}>", ""),
        headers=(GZIP,),
        accepts=accept_lines(*EVERY_TYPE),
    ),
    Profile(
        "docker with the containerd store, nerdctl, BuildKit",
        agent("containerd"),
        "whole in the PUT",
        opens=("?mount=<{}>&from=<other>",),
        accepts=(accept_list(DOCKER_MANIFEST, "*/*"),),
        first_by_digest=True,
    ),
    Profile(
        "podman, buildah, skopeo",
        agent("podman"),
        "whole in the PATCH",
        headers=(("Docker-Distribution-Api-Version", "registry/2.0"),),
        accepts=accept_lines(*EVERY_TYPE),
    ),
    Profile(
        "crane, ko, kaniko, cosign",
        agent("crane"),
        "whole in the PATCH",
        opens=("?mount=<{}>&from=<other>&origin=registry.example", ""),
        headers=(("Content-Type", "application/json"),),
        accepts=(accept_list(*EVERY_TYPE),),
    ),
    Profile(
        "oras, helm, notation, flux",
        agent("oras"),
        "whole in the PUT",
        accepts=(accept_list(*EVERY_TYPE),),
        first_by_digest=True,
    ),
    Profile(
        "regclient",
        agent("regclient"),
        "chunks",
        opens=("?mount=<{}>", ""),
        accepts=(accept_list(*EVERY_TYPE),),
    ),
    Profile(
        "regclient with another digest",
        agent("regclient"),
        "chunks",
        opens=("?digest-algorithm=sha256",),
    ),
    Profile(
        "Jib, Bazel rules, Tekton",
        agent("jib"),
        "stream",
        accepts=(accept_list(OCI_MANIFEST, DOCKER_MANIFEST),),
        tags=("<tag>", "latest", "1"),
    ),
)


def open_upload(profile: Profile, body: str) -> Iterator[Step]:
    """Each POST the client tries; the last one is used."""
    for query in profile.opens:
        yield Step(
            "POST",
            f"/v2/<name>/blobs/uploads/{query.format(body)}",
            202,
            (profile.agent, *profile.headers, EMPTY),
            by=PUSH,
            has={"Location": UPLOAD},
            keep={"upload": "Location"},
        )


def patch(profile: Profile, body: str, **more: object) -> Step:
    headers = (profile.agent, *(() if profile.way == "stream" else (OCTETS,)))
    spans = tuple(more.pop("spans", ()))
    return Step(
        "PATCH",
        "<upload>",
        202,
        (*headers, *spans),
        body=body,
        by=PUSH,
        has={"Location": UPLOAD, "Range": r"0-\d+"},
        keep={"upload": "Location"},
        **more,
    )


def upload(profile: Profile, body: str, size: int) -> Iterator[Step]:
    """The bytes of one blob, the client's way."""
    yield from open_upload(profile, body)
    closing = Step(
        "PUT",
        f"<upload>?digest=<{body}>",
        201,
        (profile.agent, *(() if profile.way == "whole in the PUT" else (EMPTY,))),
        body=body if profile.way == "whole in the PUT" else None,
        by=PUSH,
        has={"Location": f"/v2/<name>/blobs/<{body}>", "Docker-Content-Digest": f"<{body}>"},
    )
    if profile.way == "stream":
        yield patch(profile, body, chunked=True)
    elif profile.way == "whole in the PATCH":
        yield patch(profile, body)
    elif profile.way == "chunks":
        for start in range(0, size, CHUNK):
            stop = min(start + CHUNK, size)
            span = ("Content-Range", f"{start}-{stop - 1}")
            yield patch(profile, body, cut=(start, stop), spans=(span,))
    yield closing


def push(profile: Profile, scene: Scene) -> Iterator[Step]:
    """Look, upload, look again; then the manifest under every name."""
    for body in ("layer", "config"):
        where = f"/v2/<name>/blobs/<{body}>"
        size = len(scene.bodies[body])
        yield Step("HEAD", where, 404, (profile.agent, *profile.accepts), by="pull")
        yield from upload(profile, body, size)
        has = {"Content-Length": str(size), "Docker-Content-Digest": f"<{body}>"}
        yield Step("HEAD", where, 200, (profile.agent,), by="pull", has=has)
    for reference in (*(["<image>"] if profile.first_by_digest else []), *profile.tags):
        path = f"/v2/<name>/manifests/{reference}"
        kind = ("Content-Type", DOCKER_MANIFEST)
        yield Step("HEAD", path, 404, (profile.agent, *profile.accepts), by="pull")
        yield Step(
            "PUT",
            path,
            201,
            (profile.agent, kind),
            body="manifest",
            by=PUSH,
            has={"Docker-Content-Digest": "<image>", "Location": "/v2/<name>/manifests/<image>"},
        )


def pull(profile: Profile, scene: Scene) -> Iterator[Step]:
    """The tag's head, the manifest by digest, the blobs."""
    facts = {
        "Content-Type": DOCKER_MANIFEST.replace("+", r"\+"),
        "Content-Length": str(len(scene.bodies["manifest"])),
        "Docker-Content-Digest": "<image>",
    }
    who = (profile.agent, *profile.accepts)
    yield Step("HEAD", "/v2/<name>/manifests/<tag>", 200, who, by="pull", has=facts)
    yield Step(
        "GET",
        "/v2/<name>/manifests/<image>",
        200,
        who,
        by="pull",
        has=facts,
        says=scene.bodies["manifest"],
    )
    for body in ("config", "layer"):
        where = f"/v2/<name>/blobs/<{body}>"
        yield Step("GET", where, 200, (profile.agent,), by="pull", says=scene.bodies[body])


@pytest.mark.parametrize("profile", PROFILES, ids=str)
def test_a_client_pushes_and_pulls(profile: Profile, scene: Scene) -> None:
    scene.play(*push(profile, scene), *pull(profile, scene))


def test_a_caching_proxy_of_distribution_asks_for_heads_and_lists(scene: Scene) -> None:
    """HEAD for each tag, then GET with every type it knows; 304 does not occur to it."""
    scene.push(scene.index)
    who = (agent("distribution"), *accept_lines(*EVERY_TYPE, "application/json"))
    index = {"Docker-Content-Digest": "<index>", "Content-Type": OCI_INDEX.replace("+", r"\+")}
    scene.play(
        Step("GET", "/v2/<name>/tags/list", 200, who, by="pull", says='"tags":\\["1.0"\\]'),
        Step("HEAD", "/v2/<name>/manifests/<tag>", 200, who, by="pull", has=index),
        Step("GET", "/v2/<name>/manifests/<tag>", 200, who, by="pull", has=index),
        Step("GET", "/v2/<name>/manifests/<child>", 200, who, by="pull"),
    )


def test_a_client_that_offers_several_types_in_turn_is_told_to_go_on(scene: Scene) -> None:
    """skopeo and podman try the next type when one is not taken."""
    scene.push()
    old = (("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws"),)
    scene.play(
        Step(
            "PUT",
            "/v2/<name>/manifests/2",
            400,
            (agent("podman"), *old),
            body="manifest",
            by=PUSH,
            says="MANIFEST_INVALID",
        ),
        Step(
            "PUT",
            "/v2/<name>/manifests/2",
            201,
            (agent("podman"), ("Content-Type", DOCKER_MANIFEST)),
            body="manifest",
            by=PUSH,
        ),
    )
