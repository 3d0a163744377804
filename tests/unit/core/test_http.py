"""The guarded client: where it connects, what it reads, when it stops."""

from __future__ import annotations

import gzip
import os
import socket
import time

import pytest

from core import http
from core.errors import status_of
from core.netguard import networks
from tests.unit.core.wire import LOOPBACK, drip, reply, server, stub


def test_connects_to_the_checked_address_without_a_second_lookup(monkeypatch):
    with server(reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as receiver:
        asked = stub(monkeypatch, {"ci.example": ["127.0.0.1"]}, then=["169.254.169.254"])
        answer = http.send(
            f"http://CI.example:{receiver.port}/hook?a=b",
            headers={"X-Hub-Event": "push"},
            body=b"hello",
            allow=LOOPBACK,
        )
    assert (answer.status, answer.excerpt, answer.size) == (200, b"ok", 2)
    assert answer.complete
    assert answer.address_is_private
    assert asked == ["ci.example"]
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /hook?a=b http/1.1"
    assert f"host: ci.example:{receiver.port}" in lines
    assert "x-hub-event: push" in lines
    assert "accept-encoding: identity" in lines
    assert body == b"hello"


def test_second_address_is_tried_when_the_first_does_not_listen(monkeypatch):
    with server(reply(b"HTTP/1.1 204 No Content\r\n\r\n")) as receiver:
        stub(monkeypatch, {"ci.example": ["127.0.0.2", "127.0.0.1"]})
        answer = http.send(f"http://ci.example:{receiver.port}/", allow=networks(["127.0.0.0/8"]))
    assert answer.status == 204


def test_proxies_of_the_environment_are_ignored(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:1/")
    with server(reply(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as receiver:
        assert http.send(receiver.url, allow=LOOPBACK).status == 200


def test_redirect_is_an_answer_and_is_not_followed():
    with server(
        reply(b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")
    ) as receiver:
        answer = http.send(receiver.url, allow=LOOPBACK)
    assert answer.status == 302
    assert answer.headers["Location"] == "/b"
    assert len(receiver.requests) == 1


def test_big_answer_is_cut():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"

    def flood(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"x" * 65536)

    with server(flood) as receiver:
        answer = http.send(receiver.url, allow=LOOPBACK)
    assert answer.size == len(answer.excerpt) == http.MAX_ANSWER_BYTES
    assert not answer.complete


def test_answer_of_exactly_the_limit_is_complete():
    data = b"x" * http.MAX_ANSWER_BYTES
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data)
    with server(reply(head + data)) as receiver:
        answer = http.send(receiver.url, allow=LOOPBACK)
    assert answer.complete
    assert answer.excerpt == data


def test_nothing_is_decompressed():
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    with server(reply(head + bomb)) as receiver:
        answer = http.send(receiver.url, allow=LOOPBACK)
    assert answer.excerpt == bomb


def test_chunked_answer():
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with server(reply(data)) as receiver:
        answer = http.send(receiver.url, allow=LOOPBACK)
    assert (answer.excerpt, answer.complete) == (b"abcde", True)


def test_dripped_body_is_cut_at_the_deadline_and_the_status_counts():
    with server(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"x")) as receiver:
        started = time.monotonic()
        answer = http.send(receiver.url, allow=LOOPBACK, deadlines=http.Deadlines(1, 1, 0.6))
    assert time.monotonic() - started < 2
    assert answer.status == 200
    assert 0 < answer.size < 5000
    assert not answer.complete


@pytest.mark.parametrize("unit", [b"x", b"X: y\r\n"], ids=["one endless line", "endless lines"])
def test_dripped_headers_end_at_the_deadline(unit):
    with server(drip(b"HTTP/1.1 200 OK\r\n", unit)) as receiver:
        started = time.monotonic()
        with pytest.raises(http.TimedOut):
            http.send(receiver.url, allow=LOOPBACK, deadlines=http.Deadlines(1, 1, 0.6))
    assert time.monotonic() - started < 2


def test_silent_server_times_out_between_bytes():
    with server(drip(b"", b"")) as receiver:
        started = time.monotonic()
        with pytest.raises(http.TimedOut) as caught:
            http.send(receiver.url, allow=LOOPBACK, deadlines=http.Deadlines(1, 0.3, 10))
    assert time.monotonic() - started < 3
    assert status_of(caught.value) == 503


def test_nobody_listens():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(http.ConnectFailed):
            http.send(f"http://127.0.0.1:{port}/", allow=LOOPBACK)


@pytest.mark.parametrize(
    "data",
    [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"],
    ids=["nothing", "no http", "too many headers"],
)
def test_what_is_not_http(data):
    with server(reply(data)) as receiver, pytest.raises(http.AnswerBroken):
        http.send(receiver.url, allow=LOOPBACK)


def test_body_that_ends_early_keeps_the_status():
    with server(reply(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")) as receiver:
        answer = http.send(receiver.url, allow=LOOPBACK)
    assert (answer.status, answer.excerpt, answer.complete) == (200, b"abc", False)
