"""Client certificates: what is refused at saving, and a server that demands one."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

import pytest

from core import http
from tests.unit.core.wire import LOOPBACK, reply, server, stub
from tests.unit.webhooks import certificates as made
from webhooks import tls
from webhooks.errors import WebhookInvalid

OK = reply(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def authority():
    return made.Authority("private authority")


@pytest.fixture(autouse=True)
def _nothing_loaded():
    tls._contexts.clear()


def test_certificate_that_is_taken(authority):
    certificate, key = authority.issue("ci-client")
    for pem in (certificate + key, key + certificate, certificate + authority.pem + key):
        found = tls.check_certificate(pem)
        assert found.subject == "CN=ci-client"
        assert found.issuer == "CN=private authority"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda ca: "", "no certificate"),
        (lambda ca: "some text", "no certificate"),
        (lambda ca: ca.issue("a")[1], "no certificate"),
        (lambda ca: ca.issue("a")[0], "no private key"),
        (lambda ca: ca.issue("a")[0] + ca.issue("b")[1], "does not belong"),
        (lambda ca: ca.pem + "".join(ca.issue("a")), "put that one first"),
        (lambda ca: "".join(ca.issue("a", days=(-10, -1))), "expired on"),
        (lambda ca: "".join(ca.issue("a", days=(1, 10))), "not valid before"),
        (lambda ca: "".join(ca.issue("a", password=b"secret")), "passphrase"),
        (lambda ca: ca.issue("a")[0] + made.broken(ca.issue("a")[1]), "cannot be read"),
        (lambda ca: "".join(ca.issue("a")) + "x" * 40_000, "32 KiB"),
    ],
)
def test_refusals_say_what_to_do(authority, make, says):
    with pytest.raises(WebhookInvalid) as caught:
        tls.check_certificate(make(authority))
    assert says in caught.value.message
    assert caught.value.detail == {"field": "client_certificate"}
    assert "PRIVATE KEY-----\n" not in caught.value.message


def test_server_that_demands_a_certificate(authority, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", authority.write(tmp_path))
    own = Path(tmp_path / "server.pem")
    own.write_text("".join(authority.issue("ci.example", server=True)))
    stub(monkeypatch, {"ci.example": ["127.0.0.1"]})
    mine = tls.client_context("".join(authority.issue("ci-client")))
    foreign = tls.client_context("".join(made.Authority("another").issue("ci-client")))
    with server(OK, own, clients=tmp_path / "authority.pem") as receiver:
        url = f"https://ci.example:{receiver.port}/hook"
        assert http.send(url, allow=LOOPBACK, tls=mine, body=b"{}").status == 200
        assert receiver.subjects == ["ci-client"]
        for other in (foreign, ssl.create_default_context()):
            with pytest.raises((http.AnswerBroken, http.CertificateRefused)):
                http.send(url, allow=LOOPBACK, tls=other, body=b"{}")
    assert len(receiver.requests) == 1


def test_the_servers_certificate_is_verified_all_the_same(authority, tmp_path, monkeypatch):
    own = Path(tmp_path / "server.pem")
    own.write_text("".join(authority.issue("ci.example", server=True)))
    stub(monkeypatch, {"ci.example": ["127.0.0.1"]})
    context = tls.client_context("".join(authority.issue("ci-client")))
    with server(OK, own) as receiver, pytest.raises(http.CertificateRefused):
        http.send(f"https://ci.example:{receiver.port}/", allow=LOOPBACK, tls=context)
    assert not receiver.requests


def test_the_key_lies_in_a_private_file_only_while_it_is_read(authority, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    modes = []
    load = ssl.SSLContext.load_cert_chain

    def watched(self, name, *args, **kwargs):
        modes.append(os.stat(name).st_mode & 0o777)
        return load(self, name, *args, **kwargs)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
    tls.client_context("".join(authority.issue("a")))
    with pytest.raises(ssl.SSLError):
        tls.client_context("no certificate")
    assert modes == [0o600, 0o600]
    assert list(tmp_path.iterdir()) == []


def test_contexts_are_kept_by_their_text(authority):
    first, second = ("".join(authority.issue(name)) for name in "ab")
    assert tls.client_context("") is None
    assert tls.client_context(first) is tls.client_context(first)
    assert tls.client_context(first) is not tls.client_context(second)
    for number in range(tls._KEPT):
        tls.client_context(first + f"\n# {number}")
    assert len(tls._contexts) == tls._KEPT
