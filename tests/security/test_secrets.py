"""LG-01, LG-02, TK-09: what the hub writes down, and what other programs can see of it."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.hub import PASSWORD, Person, RunningHub
from tests.images import image
from tests.security.conftest import Hub
from tests.security.wire import Wire, request

pytestmark = pytest.mark.e2e
CONTROL = "\x1b[31mred\x1b[0m\u202etxt.exe\u2028\x07"
LINE = re.compile(r"[0-9-]{10} [0-9:,]{12} [A-Z]+ [\w.]+ \[[\w-]+\] ")


@pytest.fixture
def talkative(own_hub: RunningHub) -> Hub:
    """A hub that logs all it can."""
    own_hub.environment["HUB_LOG_LEVEL"] = "debug"
    own_hub.start()
    return Hub(own_hub)


def use_everything(hub: Hub) -> Person:
    """Every secret in every place where one belongs, and in many where none does."""
    running, person = hub.running, hub.person("keeper")
    name, client = f"{person.name}/app", hub.client(person)
    assert client.push(name, image("secrets", layers=1, size=10), "1").status == 201
    assert client.pull(name, "1")
    password = base64.b64encode(f"{person.name}:{PASSWORD}".encode()).decode()
    asked = running.http.request(
        "GET",
        f"{running.url}/token?offline_token=true&scope=repository:{name}:pull",
        headers={"Authorization": f"Basic {password}"},
    )
    told = json.loads(asked.data)
    hub.secrets |= {told["token"], told["refresh_token"], password}
    form = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"], "service": ""}
    for fields in (
        form,
        {"grant_type": "password", "username": person.name, "password": PASSWORD, "service": ""},
        {"grant_type": "password", "username": PASSWORD, "password": person.token},
    ):
        running.http.request("POST", f"{running.url}/token", fields=fields, encode_multipart=False)
    for secret in sorted(hub.issued()):
        misuse(hub, name, secret)
    return person


def misuse(hub: Hub, name: str, secret: str) -> None:
    """A secret where it opens nothing: cut short, as a name, in the address, in other headers."""
    running = hub.running
    for header in (f"Bearer {secret}", f"Bearer {secret}x", f"Basic {secret}", f"Token {secret}",
                   secret, f"Bearer {secret[:-1]}", f"Bearer\t{secret}"):  # fmt: skip
        for method, path in (
            ("GET", f"/v2/{name}/tags/list"),
            ("GET", "/token"),
            ("GET", "/api/user"),
        ):
            running.http.request(method, f"{running.url}{path}", headers={"Authorization": header})
    # Whoever puts a secret into a path or a query has it in the access log of any proxy; ours has none.
    query = urlencode({"access_token": secret, "password": secret})
    for path in (f"/token?{query}", f"/v2/{name}/tags/list?{query}", f"/healthz?{query}"):
        running.http.request("GET", f"{running.url}{path}")
    kept = {"X-Api-Key": secret, "Cookie": f"hub_session={secret}", "X-Registry-Auth": secret}
    running.http.request("GET", f"{running.url}/v2/", headers=kept)


def test_lg02_what_is_no_request_is_not_quoted_in_the_log(hub: Hub) -> None:
    """A client that breaks the protocol may do so in the very line that holds its secret."""
    clumsy = hub.running.person("clumsy")
    host, secret = hub.running.host.encode(), clumsy.token.encode()
    head = b"GET /v2/ HTTP/1.1\r\nHost: " + host + b"\r\n"
    for raw in (
        b"GARBAGE " + secret + b"\r\n\r\n",
        b"GET /v2/?token=" + secret + b" x HTTP/1.1\r\n\r\n",
        b"GET /v2/ HTTP/" + secret + b"\r\n\r\n",
        head + b"Authorization : Bearer " + secret + b"\r\n\r\n",
        head + b"Authorization Bearer " + secret + b"\r\n\r\n",
        head + b"Authorization: Bearer " + secret + b"\0\r\n\r\n",
        head + b"Authorization: Bearer\r\n " + secret + b"\r\n\r\n",
        head + b"Bearer " + secret + b": x\r\n\r\n",
        head + b"Content-Length: " + secret + b"\r\n\r\n",
        head + b"Transfer-Encoding: " + secret + b"\r\n\r\n",
        head + b"Expect: " + secret + b"\r\n\r\n",
    ):
        with Wire(hub.running) as wire:
            wire.send(raw)
            wire.read(0.3)
    lines = hub.running.log.read_text(errors="replace").splitlines()
    assert [
        line.replace(clumsy.token, "SECRET")[:200] for line in lines if clumsy.token in line
    ] == []


def test_lg02_no_secret_is_written_anywhere(talkative: Hub) -> None:
    """The log at its most talkative, the database, the queue, every other file, every command line."""
    use_everything(talkative)
    running, secrets = talkative.running, talkative.issued()
    assert len(secrets) >= 6
    lines = running.log.read_text(errors="replace")
    assert " DEBUG " in lines
    assert {s[:12] for s in secrets if s in lines} == set()
    for pid in running.pids("python"):
        for place in ("cmdline", "environ"):
            shown = Path(f"/proc/{pid}/{place}").read_bytes().decode("latin-1")
            assert {s[:12] for s in secrets if s in shown} == set(), place
    running.stop()
    files = [path for path in running.data_dir.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite3" for path in files) or running.environment
    for path in files:
        held = path.read_bytes()
        assert {s[:12] for s in secrets if s.encode() in held} == set(), path.name


def test_lg01_what_callers_send_makes_no_lines_of_its_own(talkative: Hub) -> None:
    """Every line of our log begins as ours do; nothing in it moves a terminal's cursor."""
    running = talkative.running
    person = talkative.person("logger")
    name = f"{person.name}/app"
    talkative.client(person).push(name, image("log", layers=1, size=10), "1")
    fake = "\n2026-01-01 00:00:00,000 INFO hub [x] admin signed in\r\n"
    for text in (CONTROL, fake, "\x00", "\x85", "a" * 20_000):
        for method in ("GET", "PUT", "DELETE", "POST"):
            for path in (
                f"/v2/{name}/manifests/{quote(text)[:8000]}",
                f"/v2/{quote(text)[:8000]}/tags/list",
                f"/token?scope={quote(text)[:7000]}&service={quote(text)[:500]}",
            ):
                with Wire(running) as wire:
                    wire.send(request(
                        method, path, running.host, User_Agent="x\x1b[2J", Content_Length="0",
                        Authorization="Bearer " + text[:50].encode("ascii", "replace").decode()
                        .replace("\r", "").replace("\n", ""), Connection="close",
                    ))  # fmt: skip
                    wire.read(2)
    log = running.log.read_bytes()
    assert b"\x1b" not in log
    assert b"\r" not in log.replace(b"\r\n", b"\n")
    text = log.decode()
    assert "\u202e" not in text
    assert "\u2028" not in text
    assert "\x85" not in text
    assert not [line for line in text.split("\n") if line.endswith("admin signed in")]
    assert not [line for line in text.split("\n") if LINE.match(line) and len(line) > 2048 + 200]
