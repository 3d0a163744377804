"""The only way out: one request to an address that somebody else named.

The name is resolved once, every address it has must pass `core.netguard`, and the connection goes
to a checked address with TLS verified for the name. Redirects are answers like any other, proxies
of the environment and compression are not used.
"""

from __future__ import annotations

import http.client
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from queue import Empty, SimpleQueue

from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse
from urllib3.util import parse_url

from core.errors import HubError, Invalid, Unavailable
from core.netguard import Network, judge

MAX_URL_CHARS = 2000
MAX_ANSWER_BYTES = 64 * 1024
MAX_ADDRESSES = 16
_PORTS = {"http": 80, "https": 443}
_SHAPE = re.compile(r"(https?)://([^/?]+)", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[^!-~]|[\\#]")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9a-f:.]+\]")
_BROKEN = (OSError, http.client.HTTPException, exceptions.HTTPError)

log = logging.getLogger(__name__)


class OutboundError(HubError):
    """A request that got no answer; `code` says at which step."""


class AddressInvalid(OutboundError, Invalid):
    """Text that is no address the hub would call."""

    code = "ADDRESS_INVALID"


class AddressRefused(OutboundError, Invalid):
    """A well-formed address in a place the hub does not connect to."""

    code = "ADDRESS_REFUSED"


class NameUnresolved(OutboundError, Unavailable):
    """The host's name leads nowhere just now."""

    code = "NAME_UNRESOLVED"


class ConnectFailed(OutboundError, Unavailable):
    """Nobody took the connection."""

    code = "CONNECT_FAILED"


class CertificateRefused(OutboundError, Unavailable):
    """TLS failed, usually because the certificate is not good for the name."""

    code = "CERTIFICATE_REFUSED"


class TimedOut(OutboundError, Unavailable):
    """No answer in time."""

    code = "TIMED_OUT"


class AnswerBroken(OutboundError, Unavailable):
    """The connection ended early, or what came was not HTTP."""

    code = "ANSWER_BROKEN"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds: for one connection, between two bytes, and for everything together."""

    connect_s: float = 3
    read_s: float = 10
    total_s: float = 15


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    `excerpt` is the body, not decompressed, as far as it was read, and `size` its bytes;
    `complete` is false when it was cut at the limit or the deadline.
    """

    status: int
    headers: dict[str, str]
    excerpt: bytes
    size: int
    complete: bool
    duration_ms: int
    address_is_private: bool


@dataclass(frozen=True, slots=True)
class _Target:
    scheme: str
    host: str  # lower case, an IPv6 literal without brackets
    port: int
    path: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class _Place:
    address: str
    is_private: bool


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    target: _Target
    headers: Mapping[str, str]
    body: bytes
    max_bytes: int


def check_url(url: str, allow: Sequence[Network] = (), *, timeout_s: float = 3) -> None:
    """Whether a request to `url` would be tried; makes no connection.

    `allow` lists networks that are permitted although they are not public. Raises AddressInvalid,
    AddressRefused, NameUnresolved; waits at most `timeout_s` seconds for the name.
    """
    _places(_parse(url), allow, timeout_s)


def send(
    url: str,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    allow: Sequence[Network] = (),
    deadlines: Deadlines = Deadlines(),
    max_bytes: int = MAX_ANSWER_BYTES,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One request, one answer of any status; a redirect is an answer too.

    The address is checked again whatever was checked before. Of the body at most `max_bytes` are
    read; once the status has come, a slow or broken body is cut and not an error. `tls` replaces
    the system's trust. Raises a subclass of OutboundError; no sentence tells a resolved address.
    """
    started = time.monotonic()
    ends_at = started + deadlines.total_s
    target = _parse(url)
    places = _places(target, allow, min(deadlines.read_s, deadlines.total_s))
    request = _Request(method, target, headers or {}, body, max_bytes)
    connection, place = _connect(target, places, deadlines, ends_at, tls)
    try:
        status, answer_headers, data, complete = _exchange(
            connection, request, deadlines.read_s, ends_at
        )
    finally:
        connection.close()
    return Answer(
        status=status,
        headers=answer_headers,
        excerpt=data,
        size=len(data),
        complete=complete,
        duration_ms=round((time.monotonic() - started) * 1000),
        address_is_private=place.is_private,
    )


def dial(
    url: str, allow: Sequence[Network], deadlines: Deadlines
) -> tuple[HTTPConnection, str, str]:
    """A connection for one request that takes its time (core.download), checked as for `send`;
    with the path to ask for and the Host header. Raises a subclass of OutboundError."""
    target, ends_at = _parse(url), time.monotonic() + deadlines.total_s
    places = _places(target, allow, deadlines.total_s)
    connection, _ = _connect(target, places, deadlines, ends_at, None)
    connection.timeout = deadlines.read_s
    connection.sock.settimeout(deadlines.read_s)
    return connection, target.path, target.host_header


def _parse(url: str) -> _Target:
    shape = _SHAPE.match(url)
    if shape is None:
        raise AddressInvalid("An address begins with http:// or https:// and names a host.")
    if len(url) > MAX_URL_CHARS:
        raise AddressInvalid(f"An address may have at most {MAX_URL_CHARS} characters.")
    if _FORBIDDEN.search(url):
        raise AddressInvalid(
            "An address has no spaces, backslashes, # parts or characters beyond ASCII; write an "
            "international name in its xn-- form."
        )
    if "@" in shape[2]:
        raise AddressInvalid("An address carries no user name or password.")
    if "%" in shape[2]:  # the parser below would decode it
        raise AddressInvalid("The host or port of this address is not valid.")
    try:
        parts = parse_url(url)
    except exceptions.LocationParseError as error:
        raise AddressInvalid("The host or port of this address is not valid.") from error
    scheme, host = shape[1].lower(), (parts.host or "").lower()
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise AddressInvalid("The host or port of this address is not valid.")
    port = _PORTS[scheme] if parts.port is None else parts.port
    if port < 1024 and port not in _PORTS.values():
        raise AddressInvalid("The port is 80, 443, or 1024 and above.")
    return _Target(scheme, host.strip("[]"), port, parts.request_uri)


def _places(target: _Target, allow: Sequence[Network], timeout_s: float) -> list[_Place]:
    """Every address of the host, each of them permitted."""
    places = []
    for address in _resolve(target, timeout_s):
        verdict = judge(address, allow)
        if verdict == "refused":
            log.warning("refused to connect to %s: it leads to %s", target.host, address)
            raise AddressRefused(
                "This address is not allowed: the hub connects to public addresses, and to "
                "networks that its operator has listed."
            )
        places.append(_Place(address, verdict == "private"))
    return places[:MAX_ADDRESSES]


def _resolve(target: _Target, timeout_s: float) -> list[str]:
    """Ask the system in a thread of its own: its resolver knows no deadline."""
    answers: SimpleQueue[list[str]] = SimpleQueue()

    def ask() -> None:
        found: list[str] = []
        with suppress(OSError, UnicodeError):
            rows = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            found = [str(row[4][0]) for row in rows]
        answers.put(list(dict.fromkeys(found)))

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        addresses = answers.get(timeout=max(timeout_s, 0.001))
    except Empty:
        addresses = []
    if not addresses:
        raise NameUnresolved(f"The name {target.host} could not be resolved.")
    return addresses


def _connect(
    target: _Target,
    places: list[_Place],
    deadlines: Deadlines,
    ends_at: float,
    tls: ssl.SSLContext | None,
) -> tuple[HTTPConnection, _Place]:
    """A connection to the first of the checked addresses that takes one."""
    last: OutboundError = TimedOut(f"{target.host} did not answer in time.")
    for place in places:
        left_s = ends_at - time.monotonic()
        if left_s <= 0:
            break
        connection = _connection(target, place, min(deadlines.connect_s, left_s), tls)
        try:
            connection.connect()
        except _BROKEN as error:
            connection.close()
            last = _why_not_connected(target, error)
            last.__cause__ = error
        else:
            return connection, place
    raise last


def _connection(
    target: _Target, place: _Place, timeout_s: float, tls: ssl.SSLContext | None
) -> HTTPConnection:
    if target.scheme == "http":
        return HTTPConnection(place.address, target.port, timeout=timeout_s)
    return HTTPSConnection(
        place.address,
        target.port,
        timeout=timeout_s,
        server_hostname=target.host,
        ssl_context=tls or _system_trust(),
    )


@cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _why_not_connected(target: _Target, error: BaseException) -> OutboundError:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message.rstrip(".")
        return CertificateRefused(f"The certificate of {target.host} is not good: {reason}.")
    if isinstance(error, ssl.SSLError):
        return CertificateRefused(f"{target.host} does not speak TLS as expected.")
    timed_out = isinstance(error, exceptions.ConnectTimeoutError) and not isinstance(
        error, exceptions.NewConnectionError
    )
    if timed_out or isinstance(error, TimeoutError):
        return TimedOut(f"{target.host} did not take the connection in time.")
    return ConnectFailed(f"{target.host} did not take the connection.")


def _exchange(
    connection: HTTPConnection, request: _Request, read_s: float, ends_at: float
) -> tuple[int, dict[str, str], bytes, bool]:
    host = request.target.host
    connection.timeout = read_s
    sock: socket.socket = connection.sock
    sock.settimeout(read_s)
    with _cut_at(ends_at, sock) as late:
        try:
            with suppress(BrokenPipeError):  # an early answer may be waiting, a 413 for one
                connection.request(
                    request.method,
                    request.target.path,
                    body=request.body,
                    headers={**request.headers, "Host": request.target.host_header},
                    preload_content=False,
                    decode_content=False,
                )
            response = connection.getresponse()
        except _BROKEN as error:
            if late.is_set() or isinstance(error, TimeoutError):
                raise TimedOut(f"{host} did not answer in time.") from error
            raise AnswerBroken(f"{host} ended the connection without a proper answer.") from error
        try:
            if late.is_set():  # headers that are cut look like headers that ended
                raise TimedOut(f"{host} did not answer in time.")
            data, complete = _read(response, request.max_bytes)
        finally:
            response.close()
        return response.status, dict(response.headers.items()), data, complete and not late.is_set()


@contextmanager
def _cut_at(ends_at: float, sock: socket.socket) -> Iterator[threading.Event]:
    """Shut the socket at the deadline: a timeout per read never ends a drip of header bytes."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            # Not SSLSocket's own method, which would take its state from under the reader.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(max(ends_at - time.monotonic(), 0), cut)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _read(response: BaseHTTPResponse, max_bytes: int) -> tuple[bytes, bool]:
    """The body up to a limit, and whether that was all of it."""
    data = bytearray()
    try:
        while len(data) <= max_bytes:
            chunk = response.read1(max_bytes + 1 - len(data), decode_content=False)
            if not chunk:
                return bytes(data), True
            data += chunk
    except _BROKEN:
        return bytes(data[:max_bytes]), False
    return bytes(data[:max_bytes]), False
