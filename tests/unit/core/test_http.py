"""The guarded client: what it refuses, where it connects, when it stops."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import ipaddress
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core import http
from core.errors import status_of
from core.netguard import judge, networks

LOOPBACK = networks(["127.0.0.1/32"])
REAL_LOOKUP = socket.getaddrinfo

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "::ffff:0:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "64:ff9b:1::a9fe:a9fe",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "fe80::a9fe:a9fe",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "172.32.0.1",
    "100.128.0.1",
    "192.0.1.1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_refused_addresses(address):
    assert judge(address) == "refused"


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address):
    assert judge(address) == "public"


@pytest.mark.parametrize(
    ("address", "allow", "verdict"),
    [
        ("10.1.2.3", ["10.0.0.0/8"], "private"),
        ("::ffff:10.1.2.3", ["10.0.0.0/8"], "private"),
        ("64:ff9b::10.1.2.3", ["10.0.0.0/8"], "private"),
        ("fd12::1", ["fd12::/16"], "private"),
        ("fd12::1", ["10.0.0.0/8"], "refused"),
        ("8.8.8.8", ["0.0.0.0/0"], "public"),
        # A wide list opens neither loopback nor the places where clouds keep credentials.
        ("127.0.0.1", ["0.0.0.0/0", "::/0"], "refused"),
        ("::1", ["0.0.0.0/0", "::/0"], "refused"),
        ("::ffff:127.0.0.1", ["::/0"], "refused"),
        ("169.254.169.254", ["0.0.0.0/0"], "refused"),
        ("169.254.169.254", ["169.254.0.0/16"], "refused"),
        ("64:ff9b::a9fe:a9fe", ["64:ff9b::/96"], "refused"),
        ("100.100.100.200", ["100.64.0.0/10"], "refused"),
        ("168.63.129.16", ["168.0.0.0/8"], "refused"),
        ("fd00:ec2::254", ["fd00::/8"], "refused"),
        ("fe80::1", ["fe80::/10"], "refused"),
        ("127.0.0.1", ["127.0.0.1"], "private"),
        ("127.0.0.2", ["127.0.0.1"], "refused"),
        ("127.0.0.1", ["127.0.0.0/8"], "private"),
        ("::1", ["::1"], "private"),
        ("169.254.169.254", ["169.254.169.254"], "private"),
        # No list opens what leads nowhere.
        ("0.0.0.0", ["0.0.0.0/32", "0.0.0.0/0"], "refused"),
        ("::", ["::/128", "::/0"], "refused"),
        ("224.0.0.1", ["224.0.0.1"], "refused"),
        ("ff02::1", ["ff02::1"], "refused"),
    ],
)
def test_what_an_operators_list_opens(address, allow, verdict):
    assert judge(address, networks(allow)) == verdict


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


def forbidden(*_: object, **__: object) -> None:
    pytest.fail("this must not be reached")


def stub(
    monkeypatch: pytest.MonkeyPatch, table: dict[str, list[str]], then: list[str] | None = None
) -> list[str]:
    """Names resolve by `table`, on a second question to `then`; returns what was asked."""
    asked: list[str] = []

    def lookup(host: str, port: object, *args: object, **kwargs: object) -> object:
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(host)
            return REAL_LOOKUP(host, port, *args, **kwargs)
        asked.append(host)
        found = then if then and host in asked[:-1] else table[host]
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port))
            for a in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


class Receiver:
    """A server on loopback that keeps the requests it was sent."""

    def __init__(self, listener: socket.socket) -> None:
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.requests: list[bytes] = []


Behave = Callable[[socket.socket], None]


def reply(data: bytes) -> Behave:
    return lambda connection: connection.sendall(data)


def drip(head: bytes, unit: bytes) -> Behave:
    def behave(connection: socket.socket) -> None:
        connection.sendall(head)
        ends_at = time.monotonic() + 10
        while time.monotonic() < ends_at:
            time.sleep(0.05)
            # An empty unit still has to notice that the other side has left.
            if unit:
                connection.sendall(unit)
            elif _has_left(connection):
                return

    return behave


def _has_left(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False


@contextmanager
def server(behave: Behave, certificate: Path | None = None) -> Iterator[Receiver]:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        receiver = Receiver(listener)
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError):  # also a client that hangs up or distrusts us
                    plain, _ = listener.accept()
                    with plain:
                        plain.settimeout(5)
                        _serve(plain, context, receiver, behave)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            stop.set()
            thread.join(5)


def _serve(
    plain: socket.socket, context: ssl.SSLContext | None, receiver: Receiver, behave: Behave
) -> None:
    connection = context.wrap_socket(plain, server_side=True) if context else plain
    with connection:
        request = b""
        while b"\r\n\r\n" not in request:
            chunk = connection.recv(65536)
            if not chunk:
                return
            request += chunk
            if request.startswith(b"\x16"):  # TLS where none is expected
                break
        head, _, body = request.partition(b"\r\n\r\n")
        lengths = [
            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        ]
        length = int(lengths[0].split(b":")[1]) if lengths else 0
        while len(body) < length:
            body += connection.recv(65536)
        receiver.requests.append(head + b"\r\n\r\n" + body)
        behave(connection)


def make_certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path
