"""Which addresses the client takes, and what it makes of odd spellings and of names."""

from __future__ import annotations

import logging
import socket
import threading
import time

import pytest

from core import http
from core.errors import status_of
from tests.unit.core.wire import forbidden, stub

MALFORMED = [
    "",
    "example.com",
    "//example.com/",
    "/path",
    "file:///etc/passwd",
    "gopher://example.com/",
    "ftp://example.com/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "unix:///run/docker.sock",
    "dict://example.com:11211/",
    "http:/example.com",
    "http:example.com",
    "http://",
    "http:///path",
    "http://?q",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://@example.com/",
    "https://example.com@10.0.0.1/",
    "https://example.com:443@10.0.0.1/",
    "https://example.com/#part",
    "https://example.com#@10.0.0.1/",
    "https://example.com\\@10.0.0.1/",
    "https:\\\\example.com/",
    "https://example.com/a\\b",
    " https://example.com/",
    "https://example.com/ ",
    "https://exam ple.com/",
    "https://example.com/a b",
    "https://example.com/\n",
    "https://example.com/\r\nX-Injected: 1",
    "https://example.com\t/",
    "https://example.com/\x00",
    "https://example.com/\x7f",
    "https://exämple.com/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://example.com/ü",
    "https://%6c%6f%63alhost/",
    "https://example.com%00.evil.test/",
    "https://[fe80::1%25eth0]/",
    "https://[::1",
    "https://::1/",
    "https://[example.com]/",
    "https://exa$mple.com/",
    "https://-example.com/",
    "https://a..b/",
    "https://" + "a" * 64 + ".com/",
    "https://example.com:0/",
    "https://example.com:22/",
    "https://example.com:25/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:http/",
    "https://example.com/" + "a" * 2000,
]


@pytest.mark.parametrize("url", MALFORMED)
def test_malformed_addresses_are_not_even_looked_up(url, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    with pytest.raises(http.AddressInvalid) as caught:
        http.check_url(url)
    assert status_of(caught.value) == 400


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LOCALHOST/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://100.64.0.1/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
    ],
)
def test_odd_spellings_are_judged_by_what_they_resolve_to(url, monkeypatch, caplog):
    monkeypatch.setattr(socket.socket, "connect", forbidden)
    for call in (http.check_url, http.send):
        with caplog.at_level(logging.WARNING), pytest.raises(http.AddressRefused) as caught:
            call(url)
        assert caught.value.code == "ADDRESS_REFUSED"
        assert not any(character.isdigit() for character in caught.value.message)
    assert "refused to connect" in caplog.text


def test_public_name_passes(monkeypatch):
    stub(monkeypatch, {"ci.example": ["93.184.215.14", "2606:2800:21f::1"]})
    http.check_url("https://ci.example/hook?x=1@2")
    http.check_url("https://CI.example:8443")


def test_one_bad_address_among_good_ones_refuses_the_name(monkeypatch):
    stub(monkeypatch, {"ci.example": ["93.184.215.14", "10.0.0.5"]})
    monkeypatch.setattr(socket.socket, "connect", forbidden)
    with pytest.raises(http.AddressRefused) as caught:
        http.send("https://ci.example/hook")
    assert "10.0.0.5" not in caught.value.message


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label")])
def test_unknown_name(monkeypatch, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(http.NameUnresolved, match=r"ci\.example"):
        http.check_url("https://ci.example/")


def test_slow_resolver_is_not_waited_for(monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: done.wait(5) and [])
    started = time.monotonic()
    with pytest.raises(http.NameUnresolved):
        http.check_url("https://ci.example/", timeout_s=0.1)
    assert time.monotonic() - started < 2
    done.set()
