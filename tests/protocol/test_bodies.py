"""Bodies byte by byte: asked for only when wanted, whole or not at all, however they come."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.hub import RunningHub
from tests.images import digest_of
from tests.protocol.conftest import Desk
from tests.protocol.wire import Answer

pytestmark = pytest.mark.e2e
KIB, MIB = 1024, 1024 * 1024
NOISE = random.Random(5).randbytes(20 * MIB)
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Raw:
    """A connection whose bytes are chosen one by one."""

    def __init__(self, hub: RunningHub) -> None:
        self.socket = socket.create_connection(("127.0.0.1", hub.port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        return self._file.readline()

    def answer(self, *, body: bool = True) -> Answer:
        """The next answer, its body by its length."""
        status = int(self.line().split()[1])
        lines = []
        while (line := self.line()) not in (b"\r\n", b""):
            key, _, value = line.decode().partition(":")
            lines.append((key, value.strip()))
        size = int({k.lower(): v for k, v in lines}.get("content-length", "0"))
        return Answer(status, lines, self._file.read(size) if body else b"")

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        return self._file.read()

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@pytest.fixture
def raw(live: RunningHub) -> Iterator[Raw]:
    made = Raw(live)
    yield made
    made.close()


def head(desk: Desk, method: str, target: str, *lines: str, known: bool = True) -> bytes:
    """The head of a request of somebody who may push, or of nobody."""
    credential = [f"Authorization: Bearer {desk.client.token(desk.scope)}"] if known else []
    words = [f"{method} {target} HTTP/1.1", f"Host: {desk.hub.host}", *credential, *lines]
    return "\r\n".join([*words, "", ""]).encode()


def chunked(data: bytes, size: int = 100_000) -> bytes:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def whole(desk: Desk, data: bytes) -> str:
    """Where a blob is pushed in one request."""
    return f"/v2/{desk.name}/blobs/uploads/?digest={digest_of(data)}"


def is_stored(desk: Desk, data: bytes) -> bool:
    answer = desk.client.send("GET", f"/v2/{desk.name}/blobs/{digest_of(data)}", scope=desk.scope)
    return answer.status == 200 and answer.data == data


def offset_of(desk: Desk, location: str) -> str:
    state = desk.client.send("GET", location, scope=desk.scope)
    assert state.status == 204
    return state.headers["Range"]


@pytest.fixture
def begun(desk: Desk) -> str:
    """An upload in a repository that is there."""
    return desk.open_upload()


@pytest.mark.parametrize("size", [10, 300 * KIB, 10 * 1024 * MIB])
def test_a_body_nobody_may_send_is_not_asked_for(desk: Desk, begun: str, raw: Raw, size) -> None:
    lines = (f"Content-Length: {size}", "Expect: 100-continue")
    raw.send(head(desk, "PATCH", begun, *lines, known=False))
    answer = raw.answer()
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert answer.header("Connection") == "close"
    assert raw.rest() == b""


@pytest.mark.parametrize("size", [10, 300 * KIB, 3 * MIB])
@pytest.mark.parametrize("way", ["length", "chunks"])
def test_a_body_somebody_may_send_is_asked_for_once(
    desk: Desk, begun: str, raw: Raw, size: int, way: str
) -> None:
    data = NOISE[:size]
    line = f"Content-Length: {size}" if way == "length" else "Transfer-Encoding: chunked"
    raw.send(head(desk, "PATCH", begun, line, "Expect: 100-continue"))
    assert raw.line() + raw.line() == GO_ON
    raw.send(data if way == "length" else chunked(data))
    answer = raw.answer()
    assert (answer.status, answer.header("Range")) == (202, f"0-{size - 1}")
    raw.send(head(desk, "PUT", f"{begun}?digest={digest_of(data)}", "Content-Length: 0"))
    assert raw.answer().status == 201
    assert is_stored(desk, data)


def test_of_a_huge_body_nobody_may_send_only_little_is_taken(
    desk: Desk, begun: str, raw: Raw
) -> None:
    raw.send(head(desk, "PATCH", begun, f"Content-Length: {10 * 1024 * MIB}", known=False))
    answer = raw.answer()
    assert answer.status == 401
    assert answer.header("Connection") == "close"
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 64 * MIB:
            raw.send(NOISE[: 64 * KIB])
            sent += 64 * KIB
            time.sleep(0.005)
    assert sent < 32 * MIB
    again = Raw(desk.hub)
    again.send(head(desk, "GET", "/v2/"))
    assert again.answer().status == 200
    again.close()
    assert offset_of(desk, begun) == "0-0"


SIZES = [1, 255 * KIB, 256 * KIB, 256 * KIB + 1, 3 * MIB, 20 * MIB]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("early", ["none", "some", "one by one"])
def test_a_body_arrives_whole_and_the_next_request_is_answered(
    desk: Desk, raw: Raw, size: int, early: str
) -> None:
    data = NOISE[-size:]
    top = head(desk, "POST", whole(desk, data), f"Content-Length: {size}")
    together = {"none": 0, "some": 5000, "one by one": 0}[early]
    raw.send(top + data[:together])
    if early == "one by one":
        for at in range(min(20, size)):
            raw.send(data[at : at + 1])
            time.sleep(0.002)
        together = 20
    raw.send(data[together:] + head(desk, "GET", f"/v2/{desk.name}/blobs/{digest_of(data)}"))
    created, got = raw.answer(), raw.answer()
    assert (created.status, created.header("Docker-Content-Digest")) == (201, digest_of(data))
    assert got.status == 200
    assert got.body == data


def test_pieces_of_all_sizes_make_one_upload(desk: Desk, begun: str, raw: Raw) -> None:
    edges = [0, 10, 300 * KIB, 300 * KIB + 1, 2 * MIB, 5 * MIB]
    for start, stop in pairwise(edges):
        lines = (f"Content-Length: {stop - start}", f"Content-Range: {start}-{stop - 1}")
        raw.send(head(desk, "PATCH", begun, *lines) + NOISE[start:stop])
        answer = raw.answer()
        assert (answer.status, answer.header("Range")) == (202, f"0-{stop - 1}")
    data = NOISE[: 5 * MIB + 300 * KIB]
    closing = head(desk, "PUT", f"{begun}?digest={digest_of(data)}", f"Content-Length: {300 * KIB}")
    raw.send(closing + data[5 * MIB :])
    assert raw.answer().status == 201
    assert is_stored(desk, data)


def objects(hub: RunningHub) -> set[str]:
    """Every file of the store, unfinished ones included."""
    found = os.walk(hub.data_dir / "store")  # folders may go while it looks
    return {os.path.join(folder, name) for folder, _, names in found for name in names}


def is_in_the_middle(hub: RunningHub, before: set[str]) -> bool:
    """Whether a body is being written."""
    return any("writing" in path for path in objects(hub) - before)


def wait_for(condition, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("end", ["shut", "reset"])
@pytest.mark.parametrize("way", ["length", "chunks"])
def test_a_connection_cut_in_the_middle_stores_nothing(
    desk: Desk, begun: str, raw: Raw, way: str, end: str
) -> None:
    before = objects(desk.hub)
    line = f"Content-Length: {3 * MIB}" if way == "length" else "Transfer-Encoding: chunked"
    body = NOISE[: 3 * MIB] if way == "length" else chunked(NOISE[: 3 * MIB])
    raw.send(head(desk, "PATCH", begun, line) + body[: 3 * MIB // 2])
    wait_for(lambda: is_in_the_middle(desk.hub, before))
    if end == "shut":
        raw.socket.shutdown(socket.SHUT_WR)
        answer = raw.answer()
        assert (answer.status, answer.code) == (400, "SIZE_INVALID")
        assert raw.rest() == b""
    else:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
    wait_for(lambda: objects(desk.hub) <= before)
    assert offset_of(desk, begun) == "0-0"
    again = Raw(desk.hub)
    again.send(head(desk, "PATCH", begun, line) + body)
    assert again.answer().header("Range") == f"0-{3 * MIB - 1}"
    again.close()


def test_bytes_with_another_digest_are_refused_and_gone(desk: Desk, raw: Raw) -> None:
    desk.open_upload()
    before = objects(desk.hub)
    wrong = head(desk, "POST", whole(desk, b"other"), f"Content-Length: {3 * MIB}")
    raw.send(wrong + NOISE[: 3 * MIB])
    answer = raw.answer()
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert objects(desk.hub) <= before
    raw.send(head(desk, "GET", "/v2/"))
    assert raw.answer().status == 200


def test_a_head_that_comes_byte_by_byte_is_answered(desk: Desk, raw: Raw) -> None:
    for byte in head(desk, "GET", "/v2/"):
        raw.send(bytes([byte]))
    assert raw.answer().status == 200
    raw.send(head(desk, "GET", "/v2/"))
    assert raw.answer().status == 200


@pytest.mark.parametrize("size", [20 * KIB, 33 * KIB, 200 * KIB])
def test_a_long_head_is_taken_up_to_the_limit(desk: Desk, raw: Raw, size: int) -> None:
    with contextlib.suppress(ConnectionError):
        raw.send(head(desk, "GET", "/v2/", f"X-Long: {'x' * size}"))
    status = raw.answer().status
    assert status == 200 if size < 32 * KIB else status in (400, 431)
    again = Raw(desk.hub)
    again.send(head(desk, "GET", "/v2/"))
    assert again.answer().status == 200
    again.close()


def test_silent_connections_keep_nobody_waiting(desk: Desk, begun: str, raw: Raw) -> None:
    silent = [Raw(desk.hub) for _ in range(50)]
    for number, one in enumerate(silent):
        one.send(b"GET /v2/ HT"[: number % 12])
    for _ in range(4):
        raw.send(head(desk, "GET", begun))
        assert raw.answer().status == 204
    one = silent[11]
    one.send(b"TP/1.1\r\nHost: x\r\n\r\n")
    assert one.answer().status in (200, 401, 400)
    for one in silent:
        one.close()
