"""`/token` over a real socket: every form of asking, every refusal, and who signed in for good."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from tests.hub import PASSWORD, Person, RunningHub
from tests.images import digest_of

FORM = "application/x-www-form-urlencoded"
OTHER = "registry.example.org"
_addresses = count(1)
_names = count(1)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub behind a proxy, so that each test sits at an address of its own."""
    running = RunningHub(
        tmp_path_factory.mktemp("hub"),
        HUB_TRUSTED_PROXIES="1",
        HUB_TOKEN_SERVICES=json.dumps([OTHER]),
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def alice(hub: RunningHub) -> Person:
    return hub.person("alice")


class Caller:
    """Asks for tokens from one address."""

    def __init__(self, hub: RunningHub) -> None:
        self.hub = hub
        number = next(_addresses)
        self.address = f"198.51.{number // 250}.{number % 250 + 1}"

    def send(
        self,
        method: str,
        query: str = "",
        body: bytes | Iterable[bytes] | None = None,
        **headers: str,
    ) -> Any:
        sent = {"X-Forwarded-For": self.address}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.hub.url}/token{query and '?'}{query}"
        return self.hub.http.request(method, url, body=body, headers=sent)

    def get(self, query: str = "", **headers: str) -> Any:
        return self.send("GET", query, **headers)

    def post(self, kind: str = FORM, **fields: str) -> Any:
        return self.send("POST", body=urlencode(fields).encode(), Content_Type=kind)


@pytest.fixture
def caller(hub: RunningHub) -> Caller:
    return Caller(hub)


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": urllib3.make_headers(basic_auth=f"{name}:{secret}")["authorization"]}


def read(answer: Any) -> dict[str, Any]:
    assert answer.status == 200, answer.data
    document: dict[str, Any] = json.loads(answer.data)
    return document


def refused(answer: Any, status: int, code: str, word: str = "") -> None:
    """An error answer as clients read it: JSON, kept by nobody, with the right headers."""
    assert answer.status == status, answer.data
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    document = json.loads(answer.data)
    (entry,) = document["errors"]
    assert entry["code"] == code
    assert entry["message"].endswith((".", "again"))
    assert document.get("error", "") == word
    challenge = answer.headers.get("WWW-Authenticate", "")
    assert challenge == ('Basic realm="Hub", charset="UTF-8"' if status == 401 else "")


def fields_of(person: Person, **changes: str) -> dict[str, str]:
    """What containerd posts; an empty change takes a field away."""
    whole = {
        "grant_type": "password",
        "service": "",
        "client_id": "containerd-client",
        "scope": f"repository:{person.name}/app:pull,push",
        "username": person.name,
        "password": person.token,
        **changes,
    }
    return {name: value for name, value in whole.items() if value}


# --- answers


def test_both_ways_of_asking_have_one_answer(caller: Caller, alice: Person) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    query = urlencode({"scope": f"repository:{alice.name}/app:pull,push"})
    for answer in (caller.get(query, **alice.basic), caller.post(**fields_of(alice))):
        document = read(answer)
        assert set(document) == {
            *("token", "access_token", "token_type"),
            *("expires_in", "issued_at", "scope"),
        }
        assert document["token"] == document["access_token"]
        assert document["scope"] == f"repository:{alice.name}/app:pull,push"
        assert document["expires_in"] == 300
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["issued_at"])
        assert before <= datetime.fromisoformat(document["issued_at"]) <= datetime.now(UTC)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Content-Length"] == str(len(answer.data))
        assert answer.headers["Cache-Control"] == "no-store"


GOOD = {
    "no field but the needed": {"service": "", "client_id": "", "scope": ""},
    "the password itself": {"password": PASSWORD},
    "a name in upper case": {"username": "ALICE"},
    "access_type online": {"access_type": "online"},
    "a field nobody knows": {"realm": "x"},
}


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD.keys())
def test_a_lenient_form(caller: Caller, alice: Person, changes: dict[str, str]) -> None:
    if "username" in changes:
        changes = {"username": alice.name.upper()}
    assert "refresh_token" not in read(caller.post(**fields_of(alice, **changes)))


@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=utf-8", FORM.upper(), ""])
def test_content_types_of_a_form(caller: Caller, alice: Person, kind: str) -> None:
    assert read(caller.post(kind, **fields_of(alice)))


def test_a_form_without_a_length_as_skopeo_sends_it(caller: Caller, alice: Person) -> None:
    """Its `refresh_token` form comes chunked."""
    form = urlencode(fields_of(alice)).encode()
    pieces = iter([form[:10], form[10:]])
    assert read(caller.send("POST", "", pieces, Content_Type=FORM))["scope"]
    huge = (b"x" * 4096 for _ in range(20))
    answer = caller.send("POST", "", huge, Content_Type=FORM)
    refused(answer, 400, "INVALID", "invalid_request")


def test_several_scopes_in_every_way_clients_write_them(caller: Caller, alice: Person) -> None:
    one, two = (f"repository:{alice.name}/{name}:pull" for name in ("one", "two"))
    plugin = f"repository(plugin):{alice.name}/three:pull"
    both = f"{one} {two}"
    twice = urlencode([*fields_of(alice, scope="").items(), ("scope", one), ("scope", two)])
    answers = [
        caller.get(urlencode([("scope", one), ("scope", two)]), **alice.basic),
        caller.get(urlencode({"scope": both}), **alice.basic),
        caller.post(**fields_of(alice, scope=both)),
        caller.send("POST", body=twice.encode(), Content_Type=FORM),
    ]
    assert {read(answer)["scope"] for answer in answers} == {both}
    classed = read(caller.get(urlencode({"scope": plugin}), **alice.basic))["scope"]
    assert classed == plugin.replace("(plugin)", "")
    many = " ".join(f"repository:{alice.name}/r{n}:pull" for n in range(40))
    assert len(read(caller.post(**fields_of(alice, scope=many)))["scope"].split()) == 20


def test_less_than_was_asked_for_is_no_error(caller: Caller, alice: Person) -> None:
    scope = f"repository:{alice.name}/app:pull,push repository:nobody/app:pull,push junk a:b:c"
    expected = f"repository:{alice.name}/app:pull,push"
    assert read(caller.post(**fields_of(alice, scope=scope)))["scope"] == expected
    assert read(caller.get(urlencode({"scope": scope})))["scope"] == ""


# --- refusals

BAD_FORMS = {
    "nothing": (b"", FORM),
    "no grant type": (b"service=&scope=x", FORM),
    "not UTF-8": (b"grant_type=password&username=\xff\xfe", FORM),
    "not UTF-8, escaped": (b"grant_type=password&username=%ff%fe", FORM),
    "huge": (b"grant_type=password&scope=" + b"x" * 70_000, FORM),
    "a thousand fields": (b"grant_type=password" + b"&a=1" * 1000, FORM),
    "two grant types": (b"grant_type=password&grant_type=refresh_token", FORM),
    "two names": (b"grant_type=password&username=a&username=b&password=c", FORM),
    "JSON": (b'{"grant_type": "password"}', "application/json"),
    "JSON said to be a form": (b'{"grant_type": "password"}', FORM),
    "several parts": (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    "text": (b"grant_type=password", "text/plain"),
    "unknown service": (b"grant_type=password&service=elsewhere.example", FORM),
    "unknown service, refresh": (b"grant_type=refresh_token&service=elsewhere.example", FORM),
    "NUL in the service": (b"grant_type=password&service=%00", FORM),
}


@pytest.mark.parametrize(("body", "kind"), BAD_FORMS.values(), ids=BAD_FORMS.keys())
def test_a_form_that_makes_no_sense(caller: Caller, body: bytes, kind: str) -> None:
    refused(caller.send("POST", "", body, Content_Type=kind), 400, "INVALID", "invalid_request")


@pytest.mark.parametrize("kind", ["authorization_code", "client_credentials", "PASSWORD", "x" * 99])
def test_another_grant_type_lets_clients_go_on_with_get(caller: Caller, kind: str) -> None:
    refused(caller.post(grant_type=kind), 400, "UNSUPPORTED", "unsupported_grant_type")


BAD_CREDENTIALS = {
    "no name": {"grant_type": "password"},
    "wrong password": {"password": "not it"},
    "somebody unknown": {"username": "nobody-here"},
    "NUL in the name": {"username": "a\0b"},
    "no refresh token": {"grant_type": "refresh_token"},
    "junk": {"grant_type": "refresh_token", "refresh_token": "junk"},
    "access token": {"grant_type": "refresh_token", "refresh_token": "TOKEN"},
    "made up": {
        "grant_type": "refresh_token",
        "refresh_token": f"hubi_{'a' * 10}_{'b' * 43}_00000000",
    },
}


@pytest.mark.parametrize("fields", BAD_CREDENTIALS.values(), ids=BAD_CREDENTIALS.keys())
def test_credentials_that_are_not_good(
    caller: Caller, alice: Person, fields: dict[str, str]
) -> None:
    if "grant_type" not in fields:
        fields = fields_of(alice, **fields)
    sent = {k: v.replace("TOKEN", alice.token) for k, v in fields.items()}
    refused(caller.post(**sent), 401, "UNAUTHORIZED", "invalid_grant")


@pytest.mark.parametrize(
    "header", ["Basic !!!", "Basic YTpi", "Bearer x", "Bearer a.b.c", "Digest x", "Bearer hubi_x"]
)
def test_headers_that_are_not_good(caller: Caller, header: str) -> None:
    refused(caller.get(Authorization=header), 401, "UNAUTHORIZED")


def test_a_registry_token_gets_no_other_one(caller: Caller, alice: Person) -> None:
    token = read(caller.get(**alice.basic))["token"]
    refused(caller.get(Authorization=f"Bearer {token}"), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("name", ["password", "refresh_token", "access_token"])
def test_a_secret_in_the_address_is_refused(caller: Caller, name: str) -> None:
    refused(caller.get(f"{name}=x"), 400, "INVALID")


def test_an_unknown_service(caller: Caller, alice: Person) -> None:
    refused(caller.get("service=elsewhere.example", **alice.basic), 400, "INVALID")


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
def test_other_methods(caller: Caller, method: str) -> None:
    answer = caller.send(method)
    assert answer.headers["Allow"] == "GET, POST"
    if method == "HEAD":
        assert (answer.status, answer.data) == (405, b"")
    else:
        refused(answer, 405, "UNSUPPORTED")
    assert read(caller.get()), "the connection goes on"


def test_too_many_failures_close_the_address(caller: Caller, hub: RunningHub) -> None:
    dora = hub.person("dora")
    wrong = fields_of(dora, password="not it")
    for _ in range(10):
        assert caller.post(**wrong).status == 401
    right = fields_of(dora, password=PASSWORD)
    for answer in (caller.post(**right), caller.get(**basic(dora.name, PASSWORD))):
        refused(answer, 429, "TOOMANYREQUESTS")
        assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert read(caller.post(**fields_of(dora))), "a good access token is never refused"
    assert read(Caller(hub).post(**right)), "nor is anybody at another address"


def test_the_key_set(hub: RunningHub) -> None:
    answer = hub.http.request("GET", f"{hub.url}/token/keys")
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    assert [key["alg"] for key in json.loads(answer.data)["keys"]] == ["ES256"]
    head = hub.http.request("HEAD", f"{hub.url}/token/keys")
    assert (head.status, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(answer.data))
    other = hub.http.request("POST", f"{hub.url}/token/keys")
    refused(other, 405, "UNSUPPORTED", "")
    assert other.headers["Allow"] == "GET, HEAD"


# --- signing in for good


def test_what_docker_does_from_login_to_logout(caller: Caller, hub: RunningHub) -> None:
    person = hub.person("docker")
    name = f"{person.name}/app{next(_names)}"
    login = {
        "account": person.name,
        "client_id": "docker",
        "offline_token": "true",
        "service": hub.host,
    }
    identity = read(caller.get(urlencode(login), **basic(person.name, PASSWORD)))["refresh_token"]

    def ask(scope: str = "") -> Any:
        return caller.post(
            grant_type="refresh_token",
            refresh_token=identity,
            service=hub.host,
            client_id="docker",
            scope=scope,
        )

    def registry(method: str, path: str, token: str, body: bytes | None = None) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return hub.http.request(method, f"{hub.url}/v2/{path}", body=body, headers=headers)

    assert registry("GET", "", read(ask())["token"]).status == 200
    answer = read(ask(f"repository:{name}:pull,push"))
    assert (answer["scope"], answer["refresh_token"]) == (f"repository:{name}:pull,push", identity)
    data = name.encode()
    place = f"{name}/blobs/uploads/?digest={digest_of(data)}"
    assert registry("POST", place, answer["token"], data).status == 201
    pull = read(ask(f"repository:{name}:pull"))["token"]
    assert registry("GET", f"{name}/blobs/{digest_of(data)}", pull).data == data
    nothing = read(ask("repository:nobody/else:pull,push"))
    assert (nothing["scope"], nothing["refresh_token"]) == ("", identity)

    for headers in (basic(person.name, identity), {"Authorization": f"Bearer {identity}"}):
        for path in ("v2/", "api/user", "token"):
            answered = hub.http.request(
                "GET",
                f"{hub.url}/{path}",
                headers={**headers, "X-Forwarded-For": caller.address},
            )
            assert answered.status == 401, path


@pytest.mark.parametrize("way", ["get", "post"])
def test_it_ends_with_the_access_token_it_stems_from_and_keeps_its_limits(
    caller: Caller, alice: Person, hub: RunningHub, way: str
) -> None:
    body = {"name": "ci", "scopes": [f"repository:{alice.name}/app:pull"]}
    _, made = hub.api("POST", "tokens", body, token=alice.token)
    limited = Person(alice.name, made["token"])
    if way == "get":
        first = read(caller.get("offline_token=true", **limited.basic))
    else:
        first = read(caller.post(**fields_of(limited, access_type="offline")))
    form = {
        "grant_type": "refresh_token",
        "refresh_token": first["refresh_token"],
        "scope": f"repository:{alice.name}/app:pull,push repository:{alice.name}/other:pull",
    }
    assert read(caller.post(**form))["scope"] == f"repository:{alice.name}/app:pull"
    assert hub.api("DELETE", f"tokens/{made['id']}", token=alice.token)[0] == 204
    refused(caller.post(**form), 401, "UNAUTHORIZED", "invalid_grant")


def test_nobody_gets_no_refresh_token_and_who_does_not_ask_neither(
    caller: Caller, alice: Person
) -> None:
    assert "refresh_token" not in read(caller.get("offline_token=true"))
    for query in ("", "offline_token=false", "offline_token="):
        assert "refresh_token" not in read(caller.get(query, **alice.basic))


def test_a_refresh_token_is_good_at_the_registry_it_was_made_for(
    caller: Caller, alice: Person, hub: RunningHub
) -> None:
    query = urlencode({"offline_token": "true", "service": OTHER})
    form = {
        "grant_type": "refresh_token",
        "refresh_token": read(caller.get(query, **alice.basic))["refresh_token"],
    }
    refused(caller.post(**form, service=hub.host), 401, "UNAUTHORIZED", "invalid_grant")
    token = read(caller.post(**form))["token"]
    assert token
    headers = {"Authorization": f"Bearer {token}"}
    assert hub.http.request("GET", f"{hub.url}/v2/", headers=headers).status == 401
