"""A lost connection costs only what was in it: uploads and downloads go on."""

from __future__ import annotations

import re
import socket
import struct
from pathlib import Path

import pytest

from tests.client import RegistryClient
from tests.clients.copiers import BLOB_CHUNK, Regctl, Skopeo
from tests.clients.engine import Engine, write_docker_archive
from tests.clients.relay import Relay
from tests.clients.shop import Shop, assert_same_blobs, need
from tests.images import digest_of, image

pytestmark = pytest.mark.e2e
MIB = 1024**2


def places(relay: Relay, method: str, header: str) -> list[str]:
    """Values of a header in the requests of a method."""
    found = (re.search(rf"(?im)^{header}: (\S+)", head) for head in relay.requests(method))
    return [match[1] for match in found if match]


def resumed(relay: Relay) -> bool:
    """Whether a download was asked for from somewhere behind its beginning."""
    return any(int(r.split("=")[1].split("-")[0]) > 0 for r in places(relay, "GET", "Range"))


def test_regctl_goes_on_with_an_upload(shop: Shop, relay: Relay) -> None:
    client = Regctl(shop, image(shop.name, layers=1, size=20 * BLOB_CHUNK))
    client.login()
    shop.run("regctl", "registry", "set", "--req-concurrent", "1", shop.host)
    relay.cut_once("up", 10 * BLOB_CHUNK)
    client.push("1")
    assert relay.cuts == 1
    assert_same_blobs(client.layout, client.pull("1"))
    sent = places(relay, "PATCH", "Content-Range")
    again = {place for place in sent if sent.count(place) > 1}
    assert len(again) == 1  # of twenty pieces, that one
    assert len(set(sent)) >= 20


def test_regctl_goes_on_with_a_download(shop: Shop, relay: Relay) -> None:
    client = Regctl(shop, image(shop.name, layers=1, size=3 * MIB))
    client.login()
    client.push("1")
    relay.cut_once("down", MIB)
    assert_same_blobs(client.layout, client.pull("1"))
    assert relay.cuts == 1
    assert resumed(relay)


def test_docker_goes_on_with_a_download(shop: Shop, relay: Relay, engine: Engine) -> None:
    docker = [need("docker"), "--host", engine.address]
    made = image(shop.name, layers=1, size=3 * MIB)
    target = f"{shop.host}/{shop.name}:1"
    write_docker_archive(made, target, shop.home / "image.tar")
    shop.run(*docker, "load", "-q", "-i", "image.tar")
    shop.login(*docker, "login", "-u", shop.person.name, "--password-stdin", shop.host)
    shop.run(*docker, "push", "-q", target)
    shop.run(*docker, "rmi", "--force", digest_of(made.blobs[0]))
    relay.cut_once("down", MIB)
    shop.run(*docker, "pull", "-q", target)
    assert relay.cuts == 1
    shown = shop.run(*docker, "image", "inspect", "--format={{.Id}}", target)
    assert shown.strip() == digest_of(made.blobs[0])
    assert resumed(relay)


def test_containerd_goes_on_with_a_download(shop: Shop, relay: Relay, engine: Engine) -> None:
    client = Skopeo(shop, image(shop.name, layers=1, size=3 * MIB))
    client.login()
    client.push("1")
    ctr = [need("ctr"), "--address", engine.containerd, "--namespace", shop.person.name]
    access = ["--plain-http", "--user", f"{shop.person.name}:{shop.person.token}"]
    target = f"{client.repository}:1"
    relay.cut_once("down", MIB)
    shop.run(*ctr, "images", "pull", "--snapshotter", "native", *access, target)
    assert relay.cuts == 1
    assert resumed(relay)
    shop.run(*ctr, "images", "rm", "--sync", target)


@pytest.mark.parametrize("gone", ["closed", "reset"])
def test_a_patch_that_breaks_off(shop: Shop, gone: str) -> None:
    """The specification's way: ask how far it got, and go on from there."""
    client = RegistryClient(shop.hub, shop.person)
    scope = f"repository:{shop.name}:pull,push"
    data = Path(__file__).read_bytes() * 100
    half = len(data) // 2
    opened = client.send("POST", f"/v2/{shop.name}/blobs/uploads/", scope=scope)
    first = {"Content-Range": f"0-{half - 1}"}
    patched = client.send(
        "PATCH", opened.headers["Location"], body=data[:half], headers=first, scope=scope
    )
    assert patched.status == 202
    place = patched.headers["Location"]

    with socket.create_connection(("127.0.0.1", shop.hub.port)) as raw:
        head = [
            f"PATCH {place} HTTP/1.1",
            f"Host: {shop.hub.host}",
            f"Authorization: Bearer {client.token(scope)}",
            f"Content-Range: {half}-{len(data) - 1}",
            f"Content-Length: {len(data) - half}",
        ]
        raw.sendall("\r\n".join([*head, "", ""]).encode() + data[half : half + half // 2])
        if gone == "reset":
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    state = client.send("GET", place, scope=scope)
    assert state.status == 204
    done = int(state.headers["Range"].partition("-")[2]) + 1
    rest = {"Content-Range": f"{done}-{len(data) - 1}"}
    patched = client.send(
        "PATCH", state.headers["Location"], body=data[done:], headers=rest, scope=scope
    )
    assert patched.status == 202, patched.data
    closed = client.send(
        "PUT", f"{patched.headers['Location']}?digest={digest_of(data)}", scope=scope
    )
    assert closed.status == 201, closed.data
    assert client.send("GET", f"/v2/{shop.name}/blobs/{digest_of(data)}").data == data
