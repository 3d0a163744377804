"""RG-18: who has no right is told so before their body is taken, and it is never taken."""

from __future__ import annotations

import uuid

import pytest

from tests.hub import Person
from tests.images import digest_of, image
from tests.security.conftest import Hub
from tests.security.wire import Wire, request, statuses

pytestmark = pytest.mark.e2e
GIBIBYTE = 1024**3
MEBIBYTE = 1024**2
# One mebibyte for the hub, and what both kernels hold of a connection that nobody reads.
TAKEN = MEBIBYTE + 3 * MEBIBYTE
DIGEST = digest_of(b"what is sent is something else")
TARGETS = {
    "PATCH": ("PATCH", f"blobs/uploads/{uuid.uuid4()}"),
    "PUT": ("PUT", f"blobs/uploads/{uuid.uuid4()}?digest={DIGEST}"),
    "POST": ("POST", f"blobs/uploads/?digest={DIGEST}"),
    "open": ("POST", "blobs/uploads/"),
    "manifest": ("PUT", "manifests/latest"),
    "method": ("DELETE", "manifests/latest"),
    "GET": ("GET", "manifests/latest"),
}


def credentials(hub: Hub, stranger: Person, name: str) -> dict[str, str]:
    token = hub.client(stranger).token(f"repository:{name}:pull,push")
    return {
        "none": "",
        "a stranger's registry token": f"Bearer {token}",
        "a stranger's access token": stranger.basic["authorization"],
        "nonsense": "Bearer nonsense",
    }


@pytest.fixture(scope="module")
def private(hub: Hub, owner: Person) -> str:
    """A private repository with one tag."""
    name = hub.name(owner)
    assert hub.client(owner).push(name, image("private"), "latest").status == 201
    return name


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("what", TARGETS)
def test_rg18_a_gibibyte_without_right_is_refused_unread(
    hub: Hub, stranger: Person, private: str, what: str, chunked: bool
) -> None:
    method, rest = TARGETS[what]
    for kind, credential in credentials(hub, stranger, private).items():
        headers = {"Transfer_Encoding": "chunked"} if chunked else {"Content_Length": str(GIBIBYTE)}
        if credential:
            headers["Authorization"] = credential
        with Wire(hub.running) as wire:
            target = f"/v2/{private}/{rest}"
            wire.send(request(method, target, hub.running.host, **headers))
            if chunked:
                wire.send(b"%x\r\n" % GIBIBYTE)
            said = wire.pour(64 * MEBIBYTE)
            assert statuses(said) == [401], (kind, said[:200])
            assert wire.sent < TAKEN, (kind, wire.sent)
            assert b"WWW-Authenticate: Bearer" in said, kind


@pytest.mark.parametrize("what", ["PATCH", "PUT", "POST", "manifest"])
def test_rg18_who_asks_first_is_not_told_to_go_on(
    hub: Hub, stranger: Person, private: str, what: str
) -> None:
    """`Expect: 100-continue`: the refusal comes instead of a `100 Continue`, and without a body."""
    method, rest = TARGETS[what]
    for kind, credential in credentials(hub, stranger, private).items():
        for length in ("1", "1000", str(GIBIBYTE)):
            headers = {"Content_Length": length, "Expect": "100-continue"}
            if credential:
                headers["Authorization"] = credential
            with Wire(hub.running) as wire:
                wire.send(request(method, f"/v2/{private}/{rest}", hub.running.host, **headers))
                said = wire.head()
                assert statuses(said) == [401], (kind, length, said[:200])
                assert wire.is_closed(), (kind, length)


def test_rg18_who_has_the_right_is_told_to_go_on(hub: Hub, owner: Person) -> None:
    """The other side of it: the same head with a good credential gets its `100 Continue`."""
    name, data = hub.name(owner), b"bytes that come after the word"
    headers = {
        "Content_Length": str(len(data)),
        "Expect": "100-continue",
        "Authorization": owner.basic["authorization"],
        "Connection": "close",
    }
    target = f"/v2/{name}/blobs/uploads/?digest={digest_of(data)}"
    with Wire(hub.running) as wire:
        wire.send(request("POST", target, hub.running.host, **headers))
        assert statuses(wire.head()) == [100]
        wire.send(data)
        assert statuses(wire.read()) == [201]


@pytest.mark.parametrize("what", ["PUT", "POST", "manifest"])
def test_rg18_what_is_wrong_in_the_head_is_said_before_the_body_too(
    hub: Hub, owner: Person, private: str, what: str
) -> None:
    """Bad syntax, an upload that is not there, and too large a manifest: nothing of it is read."""
    method, rest = {
        "PUT": TARGETS["PUT"],
        "POST": ("POST", "blobs/uploads/?digest=sha256:short"),
        "manifest": TARGETS["manifest"],
    }[what]
    headers = {"Content_Length": str(GIBIBYTE), "Authorization": owner.basic["authorization"]}
    with Wire(hub.running) as wire:
        wire.send(request(method, f"/v2/{private}/{rest}", hub.running.host, **headers))
        said = wire.pour(64 * MEBIBYTE)
        assert statuses(said)[0] in (400, 404, 413), said[:200]
        assert wire.sent < TAKEN


def test_rg18_a_short_body_is_read_so_that_the_connection_goes_on(hub: Hub, private: str) -> None:
    """Clients that send a few bytes with a request and are challenged keep their connection."""
    target, body = f"/v2/{private}/manifests/latest", b"{}" * 100
    head = request("PUT", target, hub.running.host, Content_Length=str(len(body)))
    with Wire(hub.running) as wire:
        for _ in range(3):
            wire.send(head + body)
            said = wire.head()
            assert statuses(said) == [401]
            assert b"WWW-Authenticate" in said
            rest = int(said.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            done = len(said.partition(b"\r\n\r\n")[2])
            while done < rest:
                done += len(wire.socket.recv(rest - done))
