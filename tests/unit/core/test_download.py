"""Redirects of a download: each address is checked, the credential stays where it was for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from core.download import get
from core.http import AddressRefused, AnswerBroken
from core.netguard import networks

ALLOW = networks(["127.0.0.1/32"])
BODY = bytes(range(256)) * 5000


class Handler(BaseHTTPRequestHandler):
    """`/to?…` leads there, `/cut` ends early, anything else tells what it was asked with."""

    def do_GET(self) -> None:
        path, _, rest = self.path.partition("?")
        if path == "/to":
            self.send_response(307)
            self.send_header("Location", rest)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = (
            BODY if path in ("/body", "/cut") else self.headers.get("Authorization", "-").encode()
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if path == "/cut" else body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def bases() -> Iterator[list[str]]:
    """Two servers."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [f"http://127.0.0.1:{server.server_address[1]}" for server in servers]
    for server in servers:
        server.shutdown()
        server.server_close()


def fetch(url: str) -> bytes:
    with get(url, headers={"Authorization": "secret"}, allow=ALLOW) as answer:
        assert answer.status == 200
        return b"".join(answer.pieces)


def test_a_body_comes_in_pieces(bases: list[str]) -> None:
    with get(f"{bases[0]}/body", headers={}, allow=ALLOW) as answer:
        pieces = list(answer.pieces)
    assert b"".join(pieces) == BODY
    assert len(pieces) > 1


def test_a_cut_body_is_an_error(bases: list[str]) -> None:
    with pytest.raises(AnswerBroken):
        fetch(f"{bases[0]}/cut")


def test_the_credential_stays_with_its_host(bases: list[str]) -> None:
    here, there = bases
    assert fetch(f"{here}/x") == b"secret"
    assert fetch(f"{here}/to?/x") == b"secret"
    assert fetch(f"{here}/to?{there}/x") == b"-"
    assert fetch(f"{here}/to?{there}/to?{here}/x") == b"-"


@pytest.mark.parametrize(
    "place", ["http://127.0.0.2:8000/", "http://169.254.169.254/", "http://10.0.0.1:8000/"]
)
def test_redirects_lead_to_permitted_places_only(bases: list[str], place: str) -> None:
    with pytest.raises(AddressRefused):
        fetch(f"{bases[0]}/to?{place}")


def test_redirects_end(bases: list[str]) -> None:
    with pytest.raises(AnswerBroken, match="without an end"):
        fetch(f"{bases[0]}/to?/to?/to?/to?/to?/to?/to?/to?/x")
