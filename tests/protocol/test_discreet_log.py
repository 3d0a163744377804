"""LG-02: a client may break the protocol in the very line that holds its secret."""

from __future__ import annotations

import socket

import pytest

from tests.hub import RunningHub

SECRET = "hubp_0123456789_thisisasecretthatmustnotbewrittenanywhere"
HEAD = "GET /v2/ HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "broken",
    [
        f"GARBAGE {SECRET}\r\n\r\n",
        f"GET /v2/?token={SECRET} x HTTP/1.1\r\n\r\n",
        f"GET /v2/ HTTP/{SECRET}\r\n\r\n",
        f"{HEAD}Authorization : Bearer {SECRET}\r\n\r\n",
        f"{HEAD}Authorization Bearer {SECRET}\r\n\r\n",
        f"{HEAD}Authorization: Bearer {SECRET}\0\r\n\r\n",
        f"{HEAD}Authorization: Bearer\r\n {SECRET}\r\n\r\n",
        f"{HEAD}Bearer {SECRET}: x\r\n\r\n",
        f"{HEAD}Content-Length: {SECRET}\r\n\r\n",
        f"{HEAD}Transfer-Encoding: {SECRET}\r\n\r\n",
        f"{HEAD}Expect: {SECRET}\r\n\r\n",
    ],
)
def test_lg02_what_is_no_request_is_not_quoted_in_the_log(live: RunningHub, broken: str) -> None:
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as client:
        client.sendall(broken.encode())
        assert client.recv(65536).split(b" ")[1][:1] in (b"4", b"5")
    assert SECRET not in live.log.read_text(errors="replace")


def test_who_sent_it_is_still_told(live: RunningHub) -> None:
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as client:
        client.sendall(b"GARBAGE\r\n\r\n")
        client.recv(65536)
    assert "Invalid request from ip=127.0.0.1" in live.log.read_text(errors="replace")
