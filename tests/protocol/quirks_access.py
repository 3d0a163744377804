"""Quirks of clients that concern challenges, tokens, errors and names (reference, 7.2)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

from tests.protocol.clients import (
    DOCKER_MANIFEST,
    EMPTY,
    EVERY_TYPE,
    GZIP,
    accept_lines,
    accept_list,
    agent,
)
from tests.protocol.quirk import Quirk
from tests.protocol.scene import BEARER, Scene, Step

PULL = rf'{BEARER},scope="repository:<name>:pull"'
FORM = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")


def reads_with_a_token_for_more(scene: Scene) -> None:
    """A stranger's token for pull,push grants pull alone, and that is enough."""
    asked = "/token?scope=repository:<name>:pull,push&service=<host>"
    given = scene.play(Step("GET", asked, 200, says=r'"scope": ?"repository:<name>:pull"'))
    bearer = ("Authorization", f"Bearer {given.json['token']}")
    types = accept_lines(DOCKER_MANIFEST, "application/json")
    scene.play(Step("GET", "/v2/<name>/manifests/<tag>", 200, (bearer, *types)))


def posts_a_form_first(scene: Scene) -> None:
    scene.bodies["form"] = scene.form(
        client_id="containerd-client",
        grant_type="password",
        service="<host>",
        username="<user>",
        password=scene.owner.token,
        scope="repository:<name>:pull",
    )
    answer = scene.play(Step("POST", "/token", 200, (agent("containerd"), FORM), body="form"))
    bearer = ("Authorization", f"Bearer {answer.json['access_token']}")
    scene.play(Step("HEAD", "/v2/<name>/manifests/<tag>", 200, (bearer, ("Accept", "*/*"))))


def logs_in_for_later(scene: Scene) -> None:
    """A refresh token may be given only if the form that uses it is understood."""
    asked = "/token?account=<user>&client_id=docker&offline_token=true&service=<host>"
    given = scene.play(Step("GET", asked, 200, (agent("docker"),), by="basic")).json
    bearer = ("Authorization", f"Bearer {given['token']}")
    scene.play(Step("GET", "/v2/", 200, (bearer,)))
    if "refresh_token" not in given:
        return
    scene.bodies["form"] = scene.form(
        client_id="docker",
        grant_type="refresh_token",
        service="<host>",
        refresh_token=given["refresh_token"],
        scope="repository:<name>:push,pull",
    )
    again = scene.play(Step("POST", "/token", 200, (agent("docker"), FORM), body="form")).json
    bearer = ("Authorization", f"Bearer {again['access_token']}")
    scene.play(Step("GET", "/v2/<name>/manifests/<tag>", 200, (bearer,)))


def sends_much_without_a_right(scene: Scene) -> None:
    """The answer arrives although the body was not read, and the connection ends with it."""
    for wait in (False, True):
        lines = [
            f"PATCH /v2/{scene.words['name']}/blobs/uploads/{'0' * 8}-{'0' * 4} HTTP/1.1",
            f"Host: {scene.words['host']}",
            "Authorization: Bearer expired",
            "Content-Length: 50000000",
            *(["Expect: 100-continue"] if wait else []),
        ]
        with socket.create_connection(("127.0.0.1", scene.hub.port), timeout=30) as line:
            line.sendall("\r\n".join([*lines, "", ""]).encode())
            if not wait:
                with suppress(ConnectionError):  # the hub may hang up before all is sent
                    line.sendall(bytes(2_000_000))
            answer = b"".join(received(line))
        assert answer.startswith(b"HTTP/1.1 401 "), answer[:200]
        assert b'"UNAUTHORIZED"' in answer
        assert b"connection: close" in answer.lower()


def received(line: socket.socket) -> Iterator[bytes]:
    with suppress(ConnectionResetError):
        while piece := line.recv(65536):
            yield piece


ACCESS = (
    Quirk(
        1,
        "docker, podman, skopeo",
        given="public",
        steps=(Step("GET", "/v2/", 401, (agent("podman"),), has={"WWW-Authenticate": BEARER}),),
    ),
    Quirk(
        2,
        "docker, helm, oras",
        steps=(
            Step("GET", "/v2/", 401, (agent("helm"),), has={"WWW-Authenticate": BEARER}),
            Step("GET", "/v2/<name>/tags/list", 401, has={"WWW-Authenticate": PULL}),
        ),
    ),
    Quirk(
        3,
        "docker manifest, old docker engines",
        steps=(
            Step(
                "GET",
                "/v2/<name>/manifests/<tag>",
                401,
                (agent("docker"), *accept_lines(*EVERY_TYPE)),
                has={"Docker-Distribution-Api-Version": "registry/2\\.0"},
            ),
        ),
    ),
    Quirk(4, "docker manifest inspect", given="public", story=reads_with_a_token_for_more),
    Quirk(
        9,
        "containerd",
        given="image",
        steps=(
            Step(
                "GET",
                "/v2/<name>/manifests/<tag>",
                401,
                (agent("containerd"), ("Authorization", "Bearer a.b.c")),
                has={"WWW-Authenticate": f'{PULL},error="invalid_token"'},
            ),
            Step(
                "POST",
                "/v2/<name>/blobs/uploads/",
                401,
                (agent("containerd"), EMPTY),
                by="pull",
                has={
                    "WWW-Authenticate": rf'{BEARER},scope="repository:<name>:pull,push"'
                    ',error="insufficient_scope"'
                },
            ),
        ),
    ),
    Quirk(10, "containerd", given="image", story=posts_a_form_first),
    Quirk(12, "Go clients", given="image", story=sends_much_without_a_right),
    Quirk(
        13,
        "docker",
        steps=(
            Step(
                "GET",
                "/token?account=<user>&scope=repository:<name>:push,pull&service=<host>",
                200,
                (agent("docker"), GZIP),
                by="basic",
                says=r'"expires_in": ?(?:[3-9]\d\d|\d{4,})\b',
            ),
        ),
    ),
    Quirk(40, "docker login", given="image", story=logs_in_for_later),
    Quirk(
        41,
        "docker, containerd",
        steps=(
            Step("GET", "/v2/<name>", 404, (agent("docker"),)),
            Step("GET", "/v2/<name>/unheard/of", 404, (accept_list("text/html", "*/*"),)),
            Step("GET", "/v2/UPPER/case/tags/list", 400, says="NAME_INVALID"),
            Step("POST", "/v2/<name>/tags/list", 405, (EMPTY,), has={"Allow": "GET, HEAD"}),
            Step("TRACE", "/v2/<name>/blobs/<layer>", 405, has={"Allow": "GET, DELETE, HEAD"}),
            Step("GET", "/v2/<name>/blobs/uploads/", 405, has={"Allow": "POST"}),
        ),
    ),
    Quirk(
        42,
        "docker",
        steps=(
            Step(
                "GET",
                "/v2/nobody-at-all/secret/manifests/<tag>",
                401,
                by="pull",
                has={
                    "WWW-Authenticate": rf'{BEARER},scope="repository:nobody-at-all/secret:pull"'
                    ',error="insufficient_scope"'
                },
                says=r'"UNAUTHORIZED".*"Name":"nobody-at-all/secret","Action":"pull"',
            ),
        ),
    ),
    Quirk(
        43,
        "go-containerregistry, helm",
        given="image",
        steps=(
            Step("GET", "/v2/", 401, has={"WWW-Authenticate": 'Bearer realm="<url>/token",.*'}),
            Step(
                "POST",
                "/v2/<name>/blobs/uploads/",
                202,
                (agent("crane"), EMPTY),
                by="pull,push",
                has={"Location": "/v2/<name>/.*"},
            ),
        ),
    ),
    Quirk(
        50,
        "Kubernetes",
        given="public",
        steps=(
            Step("HEAD", "/v2/<name>/manifests/<tag>", 200, by="anonymous"),
            Step("HEAD", "/v2/<name>/manifests/<tag>", 200, has={"ETag": '"<image>"'}),
            Step("HEAD", "/v2/<name>/manifests/<tag>", 304, (("If-None-Match", '"<image>"'),)),
        ),
    ),
    Quirk(
        52,
        "docker, podman (short names)",
        steps=(
            Step(
                "GET",
                "/v2/ubuntu/manifests/latest",
                401,
                has={"WWW-Authenticate": rf'{BEARER},scope="repository:ubuntu:pull"'},
            ),
            Step("GET", "/v2/ubuntu/tags/list", 401, says='"Name":"ubuntu"'),
        ),
    ),
)
