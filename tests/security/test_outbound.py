"""NT-01 to NT-04: the only way out leads to no private place, however it is spelled or resolved."""

from __future__ import annotations

import http.server
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import IPv4Address, ip_address

import pytest
from django.utils import timezone

from core import http as client
from core.netguard import networks
from events.models import Event
from repos.models import Repository
from tests import deliveries
from tests.security.world import World
from webhooks.models import Attempt, Delivery, Webhook

REAL_LOOKUP = socket.getaddrinfo
PUBLIC = "93.184.215.14"
PLACES = [
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("169.254.170.2", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("198.18.0.1", "0.0.0.0"),
]
ALWAYS_SHUT = ["127.0.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192"]


def spellings(place: str) -> dict[str, str]:
    """Hosts that some resolver takes for this IPv4 address, or that lead to it."""
    number = int(IPv4Address(place))
    a, b, c, d = place.split(".")
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    tail = (number & 0xFFFFFF, number & 0xFFFF)
    inverted = ~number & 0xFFFFFFFF
    return {
        "dotted": place,
        "final dot": f"{place}.",
        "decimal": str(number),
        "hex": f"{number:#x}",
        "upper hex": f"0X{number:08X}",
        "octal": f"0{number:o}",
        "dotted hex": f"{int(a):#x}.{int(b):#x}.{int(c):#x}.{int(d):#x}",
        "dotted octal": f"0{int(a):o}.0{int(b):o}.0{int(c):o}.0{int(d):o}",
        "padded octal": f"000{int(a):o}.{b}.{c}.{d}",
        "two parts": f"{a}.{tail[0]}",
        "three parts": f"{a}.{b}.{tail[1]}",
        "two parts hex": f"{int(a):#x}.{tail[0]:#x}",
        "mapped": f"[::ffff:{place}]",
        "mapped hex": f"[::FFFF:{high}:{low}]",
        "mapped in full": f"[0:0:0:0:0:ffff:{high}:{low}]",
        "compatible": f"[::{place}]",
        "translated": f"[::ffff:0:{place}]",
        "nat64": f"[64:ff9b::{place}]",
        "nat64 in full": f"[0064:ff9b:0:0:0:0:{high}:{low}]",
        "local nat64": f"[64:ff9b:1::{high}:{low}]",
        "6to4": f"[2002:{high}:{low}::1]",
        "teredo server": f"[2001:0:{high}:{low}::1]",
        "teredo client": f"[2001:0:4136:e378:8000:63bf:{inverted >> 16:x}:{inverted & 0xFFFF:x}]",
        "name": f"x{number}.rebind.example",
        "name with a dot": f"x{number}.rebind.example.",
    }


URLS = [
    pytest.param(f"http://{host}/hook", id=f"{place} {kind}")
    for place in PLACES
    for kind, host in spellings(place).items()
]
NO_ADDRESS = [
    *("①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "loc\u00adalhost"),
    *("127.0.0.1%00.example", "%31%32%37.0.0.1", "[::1%25lo]", "[fe80::1%eth0]", "[::ffff:①]"),
    *(
        "user@127.0.0.1",
        "ci.example@127.0.0.1",
        "ci.example:80@127.0.0.1",
        "127.0.0.1\\@ci.example",
    ),
    *("127.0.0.1\t", " 127.0.0.1", "127.0.0.1\r\nHost:x", "[127.0.0.1]", "::1", "127.0.0.1:22"),
    *("127..0.0.1", "-127.0.0.1", "127.0.0.1:99999", "[::1", "[v1.x]"),
]


class Lookup:
    """A resolver with a table that changes, and no network. `xNUMBER.rebind.example` is public
    when it is asked for the first time and leads to that number afterwards."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, host: str, port: object, *args: object, **kwargs: object) -> object:
        bare = host.rstrip(".")
        self.asked.append(bare)
        if bare.endswith(".rebind.example"):
            inside = str(IPv4Address(int(bare[1:].partition(".")[0])))
            return self._row(PUBLIC if self.asked.count(bare) == 1 else inside, port)
        try:
            rows = REAL_LOOKUP(bare, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            raise socket.gaierror(-2, "Name or service not known") from None
        return self._row(str(rows[0][4][0]), port)

    @staticmethod
    def _row(address: str, port: object) -> object:
        family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]


@pytest.fixture
def lookup(monkeypatch: pytest.MonkeyPatch) -> Lookup:
    found = Lookup()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    return found


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every attempt to connect; none succeeds."""
    made: list[object] = []

    def connect(self: socket.socket, address: object) -> None:
        made.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    return made


def test_nt01_the_table_is_long_enough() -> None:
    assert len(URLS) + len(NO_ADDRESS) >= 200
    assert len({param.values[0] for param in URLS}) == len(URLS)


@pytest.mark.parametrize("url", URLS)
def test_nt01_no_spelling_of_a_private_place_is_connected_to(
    url: str, lookup: Lookup, connections: list[object]
) -> None:
    if "rebind" in url:
        client.check_url(url)  # good when it was saved
    for call in (client.check_url, client.send):
        with pytest.raises(client.AddressRefused) as caught:
            call(url)
        assert not any(c.isdigit() for c in caught.value.message)
    assert connections == []


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"http://{host}/hook", id=f"{place} {kind}")
        for place in ALWAYS_SHUT
        for kind, host in spellings(place).items()
        if "name" not in kind
    ],
)
def test_nt01_the_widest_list_opens_neither_loopback_nor_metadata(
    url: str, lookup: Lookup, connections: list[object]
) -> None:
    with pytest.raises(client.AddressRefused):
        client.send(url, allow=networks(["0.0.0.0/0", "::/0"]))
    assert connections == []


@pytest.mark.parametrize("host", NO_ADDRESS)
def test_nt01_text_that_is_no_address_is_not_even_looked_up(
    host: str, lookup: Lookup, connections: list[object]
) -> None:
    with pytest.raises(client.AddressInvalid):
        client.send(f"http://{host}/hook")
    assert lookup.asked == connections == []


def test_nt01_what_was_checked_is_what_is_connected_to(
    lookup: Lookup, connections: list[object]
) -> None:
    """The answer changes between the check and the connection; there is no second look-up."""
    host = f"x{int(IPv4Address('169.254.169.254'))}.rebind.example"
    with pytest.raises(client.ConnectFailed):
        client.send(f"http://{host}/hook")
    assert lookup.asked.count(host) == 1
    assert connections == [(PUBLIC, 80)]


def test_nt01_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, lookup: Lookup, connections: list[object]
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy"):
        for spelled in (name, name.upper()):
            monkeypatch.setitem(os.environ, spelled, "http://127.0.0.1:3128/")
    for scheme, port in (("http", 80), ("https", 443)):
        with pytest.raises(client.ConnectFailed):
            client.send(f"{scheme}://{PUBLIC}/hook")
        assert connections.pop() == (PUBLIC, port)


# --- whole deliveries


@contextmanager
def receiver(status: int, headers: dict[str, str]) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """A server on loopback: its port, and the headers of each request it gets."""
    got: list[dict[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            got.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port, got
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def deliver(url: str) -> Attempt:
    """One try at telling this address of a push to a public repository."""
    repository = Repository.objects.get(path="alice/public")
    hook = Webhook.objects.create(
        repository=repository,
        url=url,
        secret="whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQh",
        events=["push"],
        headers=json.dumps({"Authorization": "Bearer of-mine"}),
    )
    event = Event.objects.create(
        kind="tag.moved",
        repository_id=repository.pk,
        repository_path=repository.path,
        payload={"tag": "v1", "digest": "sha256:" + "a" * 64},
    )
    past = timezone.now() - timedelta(seconds=1)
    made = Delivery.objects.create(webhook=hook, event=event, next_attempt_at=past)
    assert deliveries.deliver(made.pk)
    return made.attempts.get()


@pytest.fixture
def only_loopback(hub_settings: Callable[..., None]) -> None:
    hub_settings(webhook_allow_networks=["127.0.0.1/32"])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nt01_nt03_redirects_are_not_followed_and_secrets_stay(
    world: World, only_loopback: None, status: int
) -> None:
    with receiver(200, {}) as (other, stolen):
        for target in (
            f"http://localhost:{other}/",
            f"http://127.0.0.1:{other}/",
            "http://169.254.169.254/latest/meta-data/",
            "//10.0.0.1/",
        ):
            with receiver(status, {"Location": target}) as (port, got):
                attempt = deliver(f"http://127.0.0.1:{port}/hook")
            assert attempt.status == status
            assert "redirect" in attempt.error
            assert len(got) == 1
            assert got[0]["authorization"] == "Bearer of-mine"
    assert stolen == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["10.0.0.5", "169.254.169.254", "127.0.0.1"])
def test_nt01_a_name_that_moved_inside_since_it_was_saved_gets_nothing(
    world: World, lookup: Lookup, connections: list[object], place: str
) -> None:
    host = f"x{int(IPv4Address(place))}.rebind.example"
    client.check_url(f"http://{host}/")
    attempt = deliver(f"http://{host}/hook")
    assert attempt.status is None
    assert "not allowed" in attempt.error
    assert place not in attempt.error
    assert connections == []


@pytest.mark.django_db(transaction=True)
def test_nt05_what_a_receiver_knows_a_hook_by_is_not_in_the_log(
    world: World, only_loopback: None
) -> None:
    with receiver(200, {"Set-Cookie": "session=theirs"}) as (port, got):
        attempt = deliver(f"http://127.0.0.1:{port}/hook?key=in-the-address")
    assert got[0]["authorization"] == "Bearer of-mine"
    kept = json.dumps([attempt.request_headers, attempt.response_headers, attempt.request_body])
    for secret in ("of-mine", "theirs", "in-the-address", got[0]["x-hub-signature-256"]):
        assert secret not in kept
