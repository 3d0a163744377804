"""OP-01, OP-03: one request in is one request seen, and no header pretends to be the front."""

from __future__ import annotations

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hub import Person
from tests.images import digest_of, image
from tests.security.conftest import Hub
from tests.security.smuggled import HIDDEN, REFUSED, Corpus
from tests.security.wire import Wire, request, statuses

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def name(hub: Hub, owner: Person) -> str:
    """A private repository with one tag."""
    made = hub.name(owner)
    assert hub.client(owner).push(made, image("wire"), "1").status == 201
    return made


def say(hub: Hub, raw: bytes) -> bytes:
    """Everything that comes back when nothing more is sent."""
    with Wire(hub.running) as wire:
        wire.send(raw.replace(b"HOST", hub.running.host.encode()))
        try:
            wire.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return wire.read(1)
        return wire.read(5)


def final(said: bytes) -> list[int]:
    return [status for status in statuses(said) if status >= 200]


# --- OP-01


def test_op01_two_requests_are_two(hub: Hub) -> None:
    """The measure itself: an honest second request is answered and seen."""
    said = say(hub, request("GET", "/v2/", "HOST") + HIDDEN.replace(b"hidden", b"HOST"))
    assert final(said) == [401, 200]
    assert b'"keys"' in said


@pytest.mark.parametrize("who", ["nobody", "owner"])
def test_op01_one_request_in_is_one_request_seen(
    hub: Hub, owner: Person, name: str, who: str
) -> None:
    target = f"/v2/{name}/blobs/uploads/?digest={digest_of(b'x')}".encode()
    credential = b""
    if who == "owner":
        credential = f"Authorization: {owner.basic['authorization']}\r\n".encode()
    requests = Corpus(target, credential).all()
    assert len(requests) >= 80
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(requests, pool.map(lambda raw: say(hub, raw), requests.values()),
                           strict=True))  # fmt: skip
    twice = {what for what, said in answers.items() if len(final(said)) > 1}
    assert twice | {what for what, said in answers.items() if b'"keys"' in said} == set()
    for what, said in answers.items():
        assert not any(status >= 500 and status != 501 for status in final(said)), (what, said)
    taken = {what: final(answers[what]) for what in REFUSED}
    assert {what: found for what, found in taken.items() if found not in ([400], [501], [])} == {}
    assert set(REFUSED) <= set(answers)


def test_op01_a_hidden_request_is_not_answered_on_a_later_one(
    hub: Hub, owner: Person, name: str
) -> None:
    """What follows a refused request on the same connection is never taken for the next answer."""
    target = f"/v2/{name}/manifests/1"
    good = request("GET", target, hub.running.host, Authorization=owner.basic["authorization"])
    for what in ("length and encoding 0", "two lengths", "space before the colon"):
        raw = Corpus(target.encode()).all()[what].replace(b"HOST", hub.running.host.encode())
        with Wire(hub.running) as wire:
            wire.send(raw)
            wire.send(good)
            said = wire.read(3)
        assert len(final(said)) <= 1, (what, said)
        assert b"schemaVersion" not in said


def test_op01_remembered_answers_are_for_exactly_the_same_request(
    hub: Hub, owner: Person, name: str
) -> None:
    """The short cut knows heads by their bytes; one byte more or less is another request."""
    target = f"/v2/{name}/tags/list"
    credential = owner.basic["authorization"]
    good = request("GET", target, hub.running.host, Authorization=credential)
    for _ in range(3):
        with Wire(hub.running) as wire:
            wire.send(good + good)
            assert final(wire.read(1)) == [200, 200]
    for raw, wanted in (
        (good.replace(credential.encode(), credential[:-2].encode()), 401),
        (good.replace(b"Authorization", b"X-Authorization"), 401),
        (good.replace(b"GET", b"PUT"), 405),
        (good.replace(b"tags/list", b"tags/list%0a"), 404),
        (good.replace(b"Authorization: ", b"Authorization : "), 400),
        (good.replace(b"\r\n\r\n", b"\r\n X: folded\r\n\r\n"), 400),
        (good.replace(b"\r\n\r\n", b"\r\nHost: other\r\n\r\n"), 400),
        (good.replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer x\r\n\r\n"), 401),
    ):
        assert final(say(hub, raw)) == [wanted], raw


# --- OP-03

FORGED = {
    "Host": "evil.example:9999",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "9999",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Protocol": "ssl",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-For": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;host=evil.example;proto=https",
    "X-Original-Host": "evil.example",
    "X-Script-Name": "/evil",
    "Script-Name": "/evil",
    "SCRIPT_NAME": "/evil",
    "Path-Info": "/v2/",
    "PATH_INFO": "/v2/",
    "Remote-Addr": "127.0.0.1",
    "REMOTE_ADDR": "203.0.113.9",
    "Remote-User": "admin",
    "REMOTE_USER": "admin",
    "Server-Name": "evil.example",
    "Request-Method": "DELETE",
    "REQUEST_METHOD": "DELETE",
    "Wsgi.Url-Scheme": "https",
    "Proxy": "http://evil.example",
}


def seen(said: bytes) -> tuple[list[int], list[bytes], bytes]:
    head, _, body = said.partition(b"\r\n\r\n")
    lines = [
        x for x in head.split(b"\r\n") if not x.lower().startswith((b"date:", b"x-request-id:"))
    ]
    return statuses(said), lines, body


def test_op03_no_header_moves_the_hub_or_its_caller(hub: Hub, owner: Person, name: str) -> None:
    host = hub.running.host
    for target, credential in (
        (f"/v2/{name}/manifests/1", ""),
        ("/v2/", ""),
        (f"/v2/{name}/tags/list", owner.basic["authorization"]),
        (f"/v2/{name}/manifests/absent", owner.basic["authorization"]),
    ):
        base = [f"GET {target} HTTP/1.1", "Connection: close"]
        base += [f"Authorization: {credential}"] if credential else []

        def ask(*lines: str, base: list[str] = base) -> bytes:
            return say(hub, ("\r\n".join([*base, *lines]) + "\r\n\r\n").encode())

        plain = ask(f"Host: {host}")
        for header, value in FORGED.items():
            forged = f"{header}: {value}"
            answer = ask(forged) if header == "Host" else ask(f"Host: {host}", forged)
            assert seen(answer) == seen(plain), header
            assert b"evil" not in answer
        everything = [f"{k}: {v}" for k, v in FORGED.items() if k != "Host"]
        assert seen(ask(f"Host: {host}", *everything)) == seen(plain)


def test_op03_addresses_come_from_the_configuration(hub: Hub, owner: Person) -> None:
    """Realm and service are those of the outer URL; where an upload goes on has no host at all."""
    made = hub.name(owner)
    for host in ("evil.example", "localhost:9999", "127.0.0.1", "[::1]:80", "a@b", "x" * 300):
        challenged = say(hub, request("GET", "/v2/", host, Connection="close"))
        assert f'realm="{hub.running.url}/token"'.encode() in challenged
        assert f'service="{hub.running.host}"'.encode() in challenged
        opened = say(hub, request(
            "POST", f"/v2/{made}/blobs/uploads/", host, Content_Length="0",
            Authorization=owner.basic["authorization"], X_Forwarded_Host=host, Connection="close",
        ))  # fmt: skip
        assert re.search(rb"\r\nLocation: /v2/[a-z0-9/]+/blobs/uploads/[0-9a-f-]{36}\r\n", opened)


def test_op03_a_request_id_of_the_callers_is_not_ours(hub: Hub) -> None:
    """Log lines are found by this id; nobody writes another's."""
    forged = "a" * 32
    said = say(hub, request("GET", "/v2/", "HOST", X_Request_Id=forged, Connection="close"))
    assert b"X-Request-Id: " in said
    assert forged.encode() not in said


def test_op03_an_absolute_address_is_a_path_here(hub: Hub, owner: Person, name: str) -> None:
    credential = owner.basic["authorization"]
    for prefix in ("http://evil.example", "https://evil.example:9", f"http://{hub.running.host}"):
        target = f"{prefix}/v2/{name}/tags/list"
        said = say(
            hub, request("GET", target, "HOST", Authorization=credential, Connection="close")
        )
        assert statuses(said) in ([200], [400], [404])
        if statuses(said) == [200]:
            assert json.loads(said.partition(b"\r\n\r\n")[2])["name"] == name
        assert b"evil" not in said
