"""OP-02: clients that are slow, idle or half gone slow down nobody else.

Each kind comes in larger numbers than the hub has threads. A probe must be answered; how soon is
measured elsewhere.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import urllib3

from tests.hub import Person
from tests.images import digest_of
from tests.security.conftest import Hub
from tests.security.wire import Wire, many, request, statuses

pytestmark = pytest.mark.e2e
THREADS = 2 * 16  # web_workers times web_threads
CROWD = 3 * THREADS  # whichever process takes how many of them
PROBES = 12


def probe(hub: Hub, owner: Person) -> None:
    """New connections, one after another, each with an answer within the client's patience.

    No two requests are alike, so that none is answered from memory.
    """
    patience = urllib3.Timeout(10)
    for number in range(PROBES):
        with urllib3.PoolManager(retries=False, timeout=patience) as pool:
            headers = owner.basic if number % 2 else {}
            url = f"{hub.running.url}/v2/?{uuid.uuid4()}"
            answer = pool.request("GET", url, headers=headers)
            assert answer.status == (200 if number % 2 else 401)


@contextmanager
def crowd(hub: Hub, owner: Person, count: int, opening: bytes, **options: int) -> Iterator[None]:
    """So many connections that have said `opening` and nothing more; the probe goes on beside."""
    probe(hub, owner)
    with many(hub.running, count, **options) as wires:
        for wire in wires:
            wire.send(opening)
        time.sleep(0.5)  # until the hub has given them all it gives them
        yield
        probe(hub, owner)
    probe(hub, owner)


def test_op02_idle_connections(hub: Hub, owner: Person) -> None:
    with crowd(hub, owner, 300, b""):
        pass


@pytest.mark.parametrize(
    "opening",
    [
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\n",
        b"G",
        b"POST /v2/a/b/blobs/uploads/ HTTP/1.1\r\nX: " + b"a" * 9000,
        b"GET /v2/ HTTP/1.1\nHost: x\n\n",
    ],
    ids=["half", "one letter", "nine kilobytes", "bare line feeds"],
)
def test_op02_half_sent_heads(hub: Hub, owner: Person, opening: bytes) -> None:
    with crowd(hub, owner, CROWD, opening):
        pass


def test_op02_half_sent_heads_that_are_long(hub: Hub, owner: Person) -> None:
    """Longer than what is collected before a thread is asked."""
    opening = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"a" * 20_000 + b"\r\n"
    with crowd(hub, owner, CROWD, opening):
        pass


@pytest.mark.parametrize("method", ["PATCH", "PUT", "POST"])
def test_op02_slow_bodies_without_right(hub: Hub, owner: Person, method: str) -> None:
    """Each is refused at once; saying good-bye to them must not hold what others need."""
    target = f"/v2/{hub.name(owner)}/blobs/uploads/6f1e6dbe-6d4b-4d4e-8a5e-2f7f3a0c1b11"
    opening = request(method, target, hub.running.host, Content_Length="100000") + b"x"
    with crowd(hub, owner, 4 * CROWD, opening):
        pass


@pytest.mark.parametrize("size", [500, 60_000])
def test_op02_slow_forms_at_the_token_service(hub: Hub, owner: Person, size: int) -> None:
    """Anybody may send one: nothing about them is known before the form is read."""
    form = {"Content_Type": "application/x-www-form-urlencoded", "Content_Length": str(size)}
    opening = request("POST", "/token", hub.running.host, **form) + b"grant_type="
    with crowd(hub, owner, CROWD, opening):
        pass


def test_op02_a_slow_client_that_is_let_go_harms_only_itself(hub: Hub, owner: Person) -> None:
    """Half a body, then gone: the offset has not moved, and the upload goes on."""
    client, name = hub.client(owner), hub.name(owner)
    scope = f"repository:{name}:pull,push"
    where = client.send("POST", f"/v2/{name}/blobs/uploads/", scope=scope).headers["Location"]
    credential = f"Bearer {client.token(scope)}"
    for framing, piece in (
        ({"Content_Length": "1000"}, b"x" * 500),
        ({"Content_Length": "1000000"}, b"x" * 500_000),
        ({"Transfer_Encoding": "chunked"}, b"1f4\r\n" + b"x" * 500 + b"\r\n"),
    ):
        with Wire(hub.running) as wire:
            head = request("PATCH", where, hub.running.host, Authorization=credential, **framing)
            wire.send(head + piece)
        state = client.send("GET", where, scope=scope)
        assert (state.status, state.headers["Range"]) == (204, "0-0"), framing
    data = b"the whole of it"
    closed = client.send("PUT", f"{where}?digest={digest_of(data)}", body=data, scope=scope)
    assert closed.status == 201
    assert statuses(b"HTTP/1.1 201 Created\r\n") == [201]
