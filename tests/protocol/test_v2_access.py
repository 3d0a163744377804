"""Challenges, tokens and who may do what over a real socket (reference, section 4)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import urllib3

from tests.client import RegistryClient
from tests.hub import PASSWORD, Person, RunningHub
from tests.images import image
from tests.protocol.conftest import Desk
from tests.protocol.test_v2_blobs import code


def basic(name: str, secret: str) -> dict[str, str]:
    return dict(urllib3.make_headers(basic_auth=f"{name}:{secret}"))


def ask(live: RunningHub, query: str, headers: dict[str, str] | None = None) -> Any:
    return live.http.request("GET", f"{live.url}/token?{query}", headers=headers or {})


def granted(live: RunningHub, answer: Any) -> list[str]:
    return str(json.loads(answer.data)["scope"]).split()


def masked(answer: Any) -> tuple[int, dict[str, str], bytes]:
    """What a stranger can compare: without the date, the request's id and the repository's name."""
    headers = {
        k: re.sub(r"repository:[^:]*:", "repository:NAME:", v)
        for k, v in answer.headers.items()
        if k not in ("Date", "X-Request-Id")
    }
    return answer.status, headers, re.sub(rb'"Name":"[^"]*"', b'"Name":"NAME"', answer.data)


def test_ping_always_challenges(live: RunningHub, owner: Person) -> None:
    for path in ("/v2/", "/v2"):
        answer = live.http.request("GET", f"{live.url}{path}")
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == (
            f'Bearer realm="{live.url}/token",service="{live.host}"'
        )
    token = json.loads(ask(live, f"service={live.host}").data)["token"]
    for headers in (owner.basic, {"Authorization": f"Bearer {token}"}):
        assert live.http.request("GET", f"{live.url}/v2/", headers=headers).status == 200


@pytest.mark.parametrize("form", ["get", "post"])
def test_login(live: RunningHub, owner: Person, form: str) -> None:
    def login(name: str, secret: str) -> int:
        if form == "get":
            query = f"account={name}&client_id=docker&offline_token=true&service={live.host}"
            return int(ask(live, query, basic(name, secret)).status)
        fields = {
            "grant_type": "password",
            "service": live.host,
            "client_id": "containerd",
            "username": name,
            "password": secret,
            "scope": "",
        }
        answer = live.http.request(
            "POST", f"{live.url}/token", fields=fields, encode_multipart=False
        )
        return int(answer.status)

    assert login(owner.name, owner.token) == 200
    assert login(owner.name, PASSWORD) == 200
    assert login(owner.name, "wrong") == 401
    assert login("nobody-here", owner.token) == 401
    assert login(owner.name, owner.token[:-1] + "x") == 401


def test_a_grant_is_what_was_asked_for_and_may_be_had(
    desk: Desk, live: RunningHub, stranger: Person
) -> None:
    desk.client.push(desk.name, image(desk.name), "1")
    wanted = f"scope=repository:{desk.name}:pull,push&scope=repository:{desk.name}-new:push,pull"
    mine = granted(live, ask(live, wanted, desk.person.basic))
    assert mine == [f"repository:{desk.name}:pull,push", f"repository:{desk.name}-new:push,pull"]
    assert granted(live, ask(live, wanted, stranger.basic)) == []
    assert granted(live, ask(live, wanted)) == []
    every = granted(live, ask(live, f"scope=repository:{desk.name}:*", desk.person.basic))
    assert every == [f"repository:{desk.name}:pull,push,delete"]
    junk = ask(live, "scope=junk&scope=a:b&scope=repository::pull&scope=plugin:x:pull")
    assert (junk.status, granted(live, junk)) == (200, [])


def test_absent_and_hidden_look_the_same(desk: Desk, live: RunningHub, stranger: Person) -> None:
    desk.client.push(desk.name, image(desk.name), "1")
    absent = desk.name[:-1] + "z"  # as long, so that lengths compare
    endpoints = [
        ("GET", "manifests/1"),
        ("HEAD", "manifests/1"),
        ("PUT", "manifests/1"),
        ("DELETE", "manifests/1"),
        ("GET", "tags/list"),
        ("GET", f"blobs/sha256:{'0' * 64}"),
        ("GET", f"referrers/sha256:{'0' * 64}"),
        ("POST", "blobs/uploads/"),
        ("PATCH", "blobs/uploads/6f1e6dbe-6d4b-4d4e-8a5e-2f7f3a0c1b11"),
    ]
    for person in (None, stranger):
        client = RegistryClient(live, person)
        for method, rest in endpoints:
            both = [
                masked(client.send(method, f"/v2/{name}/{rest}")) for name in (desk.name, absent)
            ]
            assert both[0] == both[1], (method, rest)
            assert both[0][0] == 401


def test_a_reader_may_pull_and_is_told_what_a_push_needs(
    desk: Desk, live: RunningHub, stranger: Person
) -> None:
    pushed = image(desk.name)
    desk.client.push(desk.name, pushed, "1")
    client = RegistryClient(live, stranger)
    grants = f"repositories/{desk.name}/collaborators/{stranger.name}"

    live.api("PUT", grants, {"role": "read"}, token=desk.person.token)
    assert client.pull(desk.name, "1")
    refused = client.send("POST", f"/v2/{desk.name}/blobs/uploads/", scope=desk.scope)
    assert (refused.status, code(refused)) == (403, "DENIED")
    assert "needs the role write" in json.loads(refused.data)["errors"][0]["message"]
    assert client.send("DELETE", f"/v2/{desk.name}/manifests/1").status == 403

    live.api("PUT", grants, {"role": "write"}, token=desk.person.token)
    client.forget()
    assert client.push(desk.name, pushed, "2").status == 201
    held = client.token(desk.scope)

    live.api("DELETE", grants, token=desk.person.token)
    again = live.http.request(
        "GET",
        f"{live.url}/v2/{desk.name}/manifests/1",
        headers={"Authorization": f"Bearer {held}"},
    )
    assert again.status == 401, "a role taken away works on the next request"


def test_public_is_open_to_everybody_for_pulling_only(desk: Desk, live: RunningHub) -> None:
    desk.client.push(desk.name, image(desk.name), "1")
    live.api(
        "PATCH", f"repositories/{desk.name}", {"visibility": "public"}, token=desk.person.token
    )
    nobody = RegistryClient(live)
    assert nobody.pull(desk.name, "1")
    plain = live.http.request("GET", f"{live.url}/v2/{desk.name}/manifests/1")
    assert plain.status == 200
    assert nobody.send("POST", f"/v2/{desk.name}/blobs/uploads/").status == 401


@pytest.mark.parametrize(
    "scheme",
    ["Bearer nonsense", "Bearer ", "Basic !!!", "Basic bm9jb2xvbg==", "Digest x", "Bearer a.b.c"],
)
def test_a_bad_credential_is_never_taken_for_nobody(
    desk: Desk, live: RunningHub, scheme: str
) -> None:
    desk.client.push(desk.name, image(desk.name), "1")
    live.api(
        "PATCH", f"repositories/{desk.name}", {"visibility": "public"}, token=desk.person.token
    )
    answer = live.http.request(
        "GET", f"{live.url}/v2/{desk.name}/manifests/1", headers={"Authorization": scheme}
    )
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_token_reaches_only_what_it_names(desk: Desk, live: RunningHub) -> None:
    other = f"{desk.name}-other"
    desk.client.push(desk.name, image(desk.name), "1")
    desk.client.push(other, image(other), "1")
    pull_only = desk.client.token(f"repository:{desk.name}:pull")
    headers = {"Authorization": f"Bearer {pull_only}"}
    url = f"{live.url}/v2"
    assert live.http.request("GET", f"{url}/{desk.name}/manifests/1", headers=headers).status == 200
    for method, path in (
        ("GET", f"{other}/manifests/1"),
        ("POST", f"{desk.name}/blobs/uploads/"),
        ("DELETE", f"{desk.name}/manifests/1"),
    ):
        answer = live.http.request(method, f"{url}/{path}", headers=headers)
        assert answer.status == 401
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_a_limited_access_token(desk: Desk, live: RunningHub) -> None:
    other = f"{desk.name}-other"
    desk.client.push(desk.name, image(desk.name), "1")
    desk.client.push(other, image(other), "1")
    status, made = live.api(
        "POST",
        "tokens",
        {"name": "ci", "scopes": [f"repository:{desk.name}:pull"]},
        token=desk.person.token,
    )
    assert status == 201
    limited = RegistryClient(live, Person(desk.person.name, made["token"]))
    assert limited.pull(desk.name, "1")
    assert limited.send("GET", f"/v2/{other}/manifests/1").status == 401
    refused = limited.send("POST", f"/v2/{desk.name}/blobs/uploads/")
    assert (refused.status, code(refused)) == (403, "DENIED")
    assert "token" in json.loads(refused.data)["errors"][0]["message"]
    held = limited.token(f"repository:{desk.name}:pull")
    assert live.api("DELETE", f"tokens/{made['id']}", token=desk.person.token)[0] == 204
    answer = live.http.request(
        "GET",
        f"{live.url}/v2/{desk.name}/manifests/1",
        headers={"Authorization": f"Bearer {held}"},
    )
    assert answer.status == 401, "a revoked access token ends the tokens made with it"


def test_somebody_elses_namespace_cannot_be_pushed_to(
    live: RunningHub, stranger: Person, owner: Person
) -> None:
    client = RegistryClient(live, stranger)
    for name in (f"{owner.name}/new", "library/new", "new", "nobody-at-all/new"):
        answer = client.send("POST", f"/v2/{name}/blobs/uploads/")
        assert answer.status == 401, name


def test_keys_are_published(live: RunningHub) -> None:
    keys = json.loads(live.http.request("GET", f"{live.url}/token/keys").data)["keys"]
    assert keys[0]["alg"] == "ES256"
    assert "d" not in keys[0]
