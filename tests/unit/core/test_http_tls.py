"""TLS: verified for the name that was asked for, whatever address was connected to."""

from __future__ import annotations

import ssl
import time

import pytest

from core import http
from tests.unit.core.wire import LOOPBACK, drip, make_certificate, reply, server, stub


def test_tls_is_verified_for_the_name(monkeypatch, tmp_path):
    certificate = make_certificate(tmp_path, "ci.example")
    ok = reply(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    stub(monkeypatch, {"ci.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})
    trust = ssl.create_default_context(cafile=certificate)
    with server(ok, certificate) as receiver:
        url = f"https://ci.example:{receiver.port}/"
        assert http.send(url, allow=LOOPBACK, tls=trust).status == 200
        with pytest.raises(http.CertificateRefused, match=r"other\.example"):
            http.send(url.replace("ci.", "other."), allow=LOOPBACK, tls=trust)
        with pytest.raises(http.CertificateRefused) as caught:
            http.send(f"https://127.0.0.1:{receiver.port}/", allow=LOOPBACK, tls=trust)
        assert caught.value.code == "CERTIFICATE_REFUSED"
        with pytest.raises(http.CertificateRefused, match="self"):
            http.send(url, allow=LOOPBACK)  # the system does not know this authority


def test_tls_to_a_server_without_it():
    with server(reply(b"HTTP/1.1 200 OK\r\n\r\n")) as receiver:
        url = receiver.url.replace("http:", "https:")
        with pytest.raises(http.CertificateRefused, match="TLS"):
            http.send(url, allow=LOOPBACK)


def test_dripped_headers_over_tls_end_at_the_deadline(monkeypatch, tmp_path):
    certificate = make_certificate(tmp_path, "ci.example")
    stub(monkeypatch, {"ci.example": ["127.0.0.1"]})
    trust = ssl.create_default_context(cafile=certificate)
    with server(drip(b"HTTP/1.1 200 OK\r\n", b"x"), certificate) as receiver:
        started = time.monotonic()
        with pytest.raises(http.TimedOut):
            http.send(
                f"https://ci.example:{receiver.port}/",
                allow=LOOPBACK,
                tls=trust,
                deadlines=http.Deadlines(1, 1, 0.8),
            )
    assert time.monotonic() - started < 3
