"""Old clients pull what new ones pushed, over a real socket (registry-v1, scenario A)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.images import artifact, image, index, multi
from tests.protocol.conftest import Desk
from tests.protocol.legacy import LegacyClient, expected_ids


@pytest.mark.parametrize("docker", [True, False])
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_an_image_arrives_whole(desk: Desk, layers: int, docker: bool) -> None:
    made = image(f"{desk.name}{docker}", layers=layers, docker=docker)
    assert desk.client.push(desk.name, made, "1.0").status == 201
    pulled = LegacyClient(desk.hub, desk.person).pull(desk.name, "1.0")
    config, *blobs = made.blobs
    assert pulled.ids == expected_ids(made)
    assert pulled.layers == blobs
    parents = [document.get("parent") for document in pulled.documents]
    assert parents == [None, *pulled.ids[:-1]]
    assert [document["id"] for document in pulled.documents] == pulled.ids
    whole = json.loads(config)
    top = pulled.documents[-1]
    assert {k: top[k] for k in ("os", "architecture", "created", "config")} == {
        k: whole[k] for k in ("os", "architecture", "created", "config")
    }
    assert not {"rootfs", "history"} & {*top}


def test_of_several_platforms_the_common_one(desk: Desk) -> None:
    made = multi(desk.name, ("arm64", "amd64", "arm"))
    desk.client.push(desk.name, made, "many")
    pulled = LegacyClient(desk.hub, desk.person).pull(desk.name, "many")
    assert pulled.ids == expected_ids(made.children[1])
    assert pulled.documents[-1]["architecture"] == "amd64"


def test_what_old_clients_cannot_use_is_not_there(desk: Desk) -> None:
    client = LegacyClient(desk.hub, desk.person)
    desk.client.push(desk.name, artifact(text=desk.name), "artifact")
    desk.client.push(desk.name, index([image(desk.name, architecture="arm64")], ["arm64"]), "arm")
    desk.client.push(desk.name, image(desk.name, layers=0), "bare")
    assert client.begin(desk.name) == []
    assert client.registry("GET", f"/v1/repositories/{desk.name}/tags") == {}
    for tag in ("artifact", "arm", "bare", "absent"):
        answer = client.raw("GET", f"/v1/repositories/{desk.name}/tags/{tag}")
        assert (answer.status, json.loads(answer.data)) == (404, {"error": "Tag not found"})


def test_anybody_pulls_what_is_public(desk: Desk) -> None:
    made = image(desk.name)
    desk.client.push(desk.name, made, "1")
    path = f"repositories/{desk.name}"
    assert desk.hub.api("PATCH", path, {"visibility": "public"}, token=desk.person.token)[0] == 200
    nobody = LegacyClient(desk.hub)
    assert nobody.pull(desk.name, "1").ids == expected_ids(made)
    answer = nobody.raw("GET", f"/v1/images/{expected_ids(made)[0]}/layer")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000"
    assert answer.headers["Last-Modified"] == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_a_broken_download_goes_on(desk: Desk) -> None:
    made = image(desk.name, layers=1)
    desk.client.push(desk.name, made, "1")
    client = LegacyClient(desk.hub, desk.person)
    client.pull(desk.name, "1")
    (image_id,), (layer,) = expected_ids(made), made.blobs[1:]
    path, size = f"/v1/images/{image_id}/layer", len(layer)
    # Engines name the size as the end, one past the last byte.
    for span, part in (
        (f"bytes=10-{size}", layer[10:]),
        ("bytes=10-19", layer[10:20]),
        ("bytes=10-", layer[10:]),
    ):
        answer = client.raw("GET", path, Range=span)
        assert (answer.status, answer.data) == (206, part)
        start = span[6:8]
        assert (
            answer.headers["Content-Range"] == f"bytes {start}-{int(start) + len(part) - 1}/{size}"
        )
    done = client.raw("GET", path, Range=f"bytes={size}-{size}")
    assert (done.status, done.data, done.headers["Content-Length"]) == (416, b"", "0")
    whole = client.raw("GET", path)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Content-Type"] == "application/octet-stream"
    known = client.raw("GET", path, **{"If-None-Match": whole.headers["ETag"]})
    assert (known.status, known.data) == (304, b"")
    assert client.raw("HEAD", path).headers["Content-Length"] == str(size)


def test_a_pull_counts_once(desk: Desk) -> None:
    desk.client.push(desk.name, image(desk.name, layers=3), "1")
    before = _pulls(desk)
    LegacyClient(desk.hub, desk.person).pull(desk.name, "1")
    end = time.monotonic() + 20
    while _pulls(desk) == before and time.monotonic() < end:
        time.sleep(0.1)  # written now and then, by a thread
    assert _pulls(desk) == before + 1


def test_facts_come_from_the_push(desk: Desk) -> None:
    made = image(desk.name)
    desk.client.push(desk.name, made, "latest")
    client = LegacyClient(desk.hub, desk.person)
    path = f"/v1/repositories/{desk.name}"

    def ask(where: str) -> Any:
        return json.loads(client.index("GET", f"{path}/{where}").data)

    assert ask("json")["docker_version"] is None
    body = json.dumps(expected_ids(made)[-1]).encode()
    set_tag = client.index("PUT", f"{path}/tags/old", body=body)
    assert (set_tag.status, set_tag.data) == (200, b"true")
    facts = ask("tags/old/json")
    assert isinstance(facts.pop("last_update"), int)
    assert facts == {
        "docker_version": "1.5.0",
        "docker_go_version": "go1.3.3",
        "kernel": "3.13.0-generic",
        "os": "linux",
        "arch": "amd64",
    }
    assert ask("tags/absent/json")["last_update"] is None


def _pulls(desk: Desk) -> int:
    status, body = desk.hub.api("GET", f"repositories/{desk.name}", token=desk.person.token)
    assert status == 200
    return int(body["pull_count"])
