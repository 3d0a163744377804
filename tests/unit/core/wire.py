"""Servers that misbehave, resolvers that lie, and certificates, all on loopback."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
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

from core.netguard import networks

LOOPBACK = networks(["127.0.0.1/32"])
REAL_LOOKUP = socket.getaddrinfo


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
        self.subjects: list[str] = []


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
def server(
    behave: Behave, certificate: Path | None = None, clients: Path | None = None
) -> Iterator[Receiver]:
    """With `certificate` over TLS; with `clients` only for those whom that authority vouches for,
    whose names are kept."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    if context and clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
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
        if isinstance(connection, ssl.SSLSocket) and context.verify_mode == ssl.CERT_REQUIRED:
            subject = dict(pair for row in connection.getpeercert()["subject"] for pair in row)
            receiver.subjects.append(subject["commonName"])
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
