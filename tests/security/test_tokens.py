"""TK-01 to TK-05: forged, mixed-up, over-reaching and outlived tokens."""

from __future__ import annotations

import json
from itertools import product
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from django.utils import timezone

from oci.scope import MAX_SCOPES
from registry.models import BlobLink
from repos.models import Collaborator, Repository
from repos.services.repositories import delete_repository
from tests.images import digest_of
from tests.security.lane import Answer, send
from tests.security.world import (
    ALL,
    IMAGE,
    Caller,
    World,
    basic,
    caller,
    furnish,
    undone,
)
from tests.unit.registry import pushing
from tests.unit.repos.people import person, repository
from tests.unit.tokens.test_forged import FORGED, THEIRS
from tokens import services
from tokens.services import MAX_SCOPES as MOST_GRANTED

pytestmark = pytest.mark.django_db
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def ours(world: World, **changes: Any) -> str:
    """A token as the hub signs it, signed again with those claims changed, or with `...` gone."""
    real = world.callers["owner"].bearer("repository:alice/private:pull")["Authorization"]
    found = jwt.decode(real.split()[1], options={"verify_signature": False})
    whole = {name: value for name, value in {**found, **changes}.items() if value is not ...}
    key = services.current_keys()[0]
    body = json.dumps(whole).encode()
    return jwt.api_jws.encode(body, key.private, "ES256", headers={"kid": key.kid})


def pull(token: str) -> Answer:
    headers = {"Authorization": f"Bearer {token}"}
    return send("GET", "/v2/alice/private/manifests/1", headers=headers)


# --- TK-01, TK-02


def test_tk01_forged_tokens_open_nothing_at_the_registry(world: World) -> None:
    assert pull(ours(world)).status == 200
    corpus = {name: make() for name, make in FORGED.items()}
    kid = services.current_keys()[0].kid
    for name, header in {
        "a megabyte of kid": {"kid": "k" * 1_000_000},
        "our kid, their key, x5c": {"kid": kid, "x5c": ["MIIB"]},
        "our kid twice": {"kid": [kid, kid]},
        "kid of a file": {"kid": "file:///dev/null"},
        "critical": {"kid": kid, "crit": ["exp"]},
        "compressed": {"kid": kid, "zip": "DEF"},
        "detached": {"kid": kid, "b64": False, "crit": ["b64"]},
    }.items():
        corpus[name] = jwt.api_jws.encode(b"{}", THEIRS.private, "ES256", headers=header) if (
            isinstance(header["kid"], str)
        ) else "e30.e30.e30"  # fmt: skip
    assert len(corpus) >= 60
    for name, token in corpus.items():
        if token.isprintable() and token.isascii():
            answer = pull(token)
            assert (answer.status, answer.code) == (401, "UNAUTHORIZED"), name
            assert token == "" or 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


WRONG: dict[str, tuple[Any, ...]] = {
    "iss": (..., None, "", "x", 5, [], {}, "https://evil.example"),
    "aud": (..., None, "", "x", 5, [], ["x"], {}, "evil.example"),
    "sub": (..., None, 5, [], {}),
    "exp": (..., None, "", "x", [], {}, 5, -1),
    "nbf": (..., None, "", "x", [], {}, 2**40),
    "iat": (..., None, "", "x", [], {}, 2**40),
    "jti": (..., None, 5, [], {}),
    "access": (..., None, "", "x", 5, {}, ["x"]),
    "hub": (..., None, "", "x", 5, [], {}, {"user": "x"}, {"user": 2**70}, {"user": []}),
}


@pytest.mark.parametrize("claim", WRONG)
def test_tk02_no_claim_may_be_missing_or_of_another_kind(world: World, claim: str) -> None:
    assert pull(ours(world)).status == 200
    answers = {repr(value): pull(ours(world, **{claim: value})) for value in WRONG[claim]}
    assert {value: answer.status for value, answer in answers.items() if answer.status != 401} == {}


SHAPES: list[Any] = [
    [None],
    ["x"],
    [{}],
    [{"type": "repository"}],
    [{"type": "repository", "name": "alice/private"}],
    [{"type": "repository", "name": "alice/private", "actions": None}],
    [{"type": "repository", "name": "alice/private", "actions": [["pull"]]}],
    [{"type": "registry", "name": "alice/private", "actions": ["pull"]}],
    [{"type": "repository", "name": ["alice/private"], "actions": ["pull"]}],
]


def test_tk02_an_access_claim_of_another_shape_gives_nothing(world: World) -> None:
    answers = {repr(shape): pull(ours(world, access=shape)).status for shape in SHAPES}
    assert {shape: status for shape, status in answers.items() if status != 401} == {}


def test_tk02_a_token_for_another_service_is_none_here(world: World, hub_settings: Any) -> None:
    hub_settings(token_services=["other.example"])
    owner = world.callers["owner"]
    asked = f"/token?service=other.example&scope=repository:alice/private:{ALL}"
    told = json.loads(send("GET", asked, headers=owner.basic()).body)
    assert pull(told["token"]).status == 401


def test_tk02_each_kind_of_secret_opens_its_own_door_only(world: World) -> None:
    """A registry token is no password, a refresh token is no bearer, a session is nothing here."""
    owner = world.callers["owner"]
    told = json.loads(send("GET", "/token?offline_token=true", headers=owner.basic()).body)
    assert send("GET", "/v2/", headers={"Authorization": f"Bearer {told['token']}"}).status == 200
    name = owner.principal.username
    refused = {
        "registry token as password": basic(name, told["token"]),
        "refresh token as password": basic(name, told["refresh_token"]),
        "refresh token as bearer": {"Authorization": f"Bearer {told['refresh_token']}"},
        "access token of another": basic("olga", owner.secret),
        "access token as name": basic(owner.secret, ""),
    }
    for what, headers in refused.items():
        for target in ("/v2/", "/token", "/v2/alice/public/tags/list"):
            assert send("GET", target, headers=headers).status == 401, (what, target)
    registry_token = {"Authorization": f"Bearer {told['token']}"}
    assert send("GET", "/token", headers=registry_token).status == 401
    for wrong in (owner.secret, told["token"], "x"):
        form = {"grant_type": "refresh_token", "refresh_token": wrong, "service": ""}
        body = urlencode(form).encode()
        assert send("POST", "/token", headers=FORM, body=body).status == 401
    cookie = {"Cookie": f"hub_session={owner.secret}; sessionid={told['token']}"}
    assert send("GET", "/v2/", headers=cookie).status == 401


# --- TK-03


def granted(target: str, asker: Caller) -> list[str]:
    answer = send("GET", f"/token?{target}", headers=asker.basic())
    assert answer.status == 200, answer.body
    body = json.loads(answer.body)
    signed = jwt.decode(body["token"], options={"verify_signature": False})["access"]
    spelled = [f"{e['type']}:{e['name']}:{','.join(e['actions'])}" for e in signed]
    assert spelled == body["scope"].split()
    return spelled


SCOPES: list[tuple[str, str, list[str]]] = [
    ("owner", "repository:alice/private:*", ["repository:alice/private:pull,push,delete"]),
    ("reader", "repository:alice/private:*", ["repository:alice/private:pull"]),
    ("reader", "repository:alice/public:push,delete", []),
    ("pulls", "repository:alice/private:*", ["repository:alice/private:pull"]),
    ("pushes", f"repository:alice/private:{ALL}", ["repository:alice/private:pull,push"]),
    ("nobody", "repository:alice/public:*", ["repository:alice/public:pull"]),
    ("nobody", "repository:alice/private:*", []),
    ("root", "repository:alice/private:*", []),
    ("stranger", "repository:alice/private:pull repository:stranger/new:push",
     ["repository:stranger/new:push"]),
    ("owner", "repository:alice/private:pull repository:alice/private:push,pull",
     ["repository:alice/private:pull,push"]),
    ("owner", "registry:catalog:*", ["registry:catalog:*"]),
    ("nobody", "registry:catalog:*", []),
    ("owner", "registry:other:*", []),
    ("owner", "registry:catalog:pull", []),
    ("owner", "repository(plugin):alice/private:pull", ["repository:alice/private:pull"]),
    ("owner", "plugin:alice/private:pull", []),
    ("owner", "repository:localhost:5000/alice/private:pull", []),
    ("owner", "repository:alice/../alice/private:pull", []),
    ("owner", "repository:alice/private/:pull", []),
    ("owner", "repository:/alice/private:pull", []),
    ("owner", "repository:ALICE/private:pull", []),
    ("owner", "repository:alice/*:pull", []),
    ("owner", "repository:*:*", []),
    ("owner", "repository:alice/private:admin,administer,root", []),
    ("owner", "repository:alice/private:PULL", []),
    ("owner", "repository:alice/private:", []),
    ("owner", "repository:alice/private", []),
    ("owner", ":::::", []),
    ("owner", "repository::pull", []),
    ("owner", "x" * 4000, []),
    ("owner", "repository:alice/private\n:pull", []),
    ("owner", "repository:alice/priv\u0430te:pull", []),
    ("owner", "repository:alice/private:pull,push\u00a0,delete", ["repository:alice/private:pull,push"]),
]  # fmt: skip


def test_tk03_what_is_granted_was_asked_for_and_is_held(world: World) -> None:
    for who, asked, expected in SCOPES:
        assert granted(urlencode({"scope": asked}), world.callers[who]) == expected, (who, asked)
        each = urlencode([("scope", part) for part in asked.split(" ")])
        assert granted(each, world.callers[who]) == expected, (who, asked)


def test_tk03_a_thousand_scopes_grant_no_more_than_the_limit(world: World) -> None:
    assert MOST_GRANTED <= 20 <= MAX_SCOPES
    asked = " ".join(f"repository:alice/new{n}:pull,push" for n in range(1000))
    found = granted(urlencode({"scope": asked}), world.callers["owner"])
    assert len(found) == MOST_GRANTED
    twice = urlencode([("scope", "repository:alice/public:pull")] * 1000)
    assert granted(twice, world.callers["owner"]) == ["repository:alice/public:pull"]


def test_tk03_a_grant_reaches_no_further_than_its_name(world: World) -> None:
    owner = world.callers["owner"]
    for name in ("alice/privat", "alice/private2", "alice/private/sub", "alice", "alice/public"):
        headers = owner.bearer(f"repository:{name}:{ALL}")
        answer = send("GET", "/v2/alice/private/manifests/1", headers=headers)
        assert answer.status == 401, name
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


# --- TK-04


def test_tk04_a_mount_needs_both_rights_in_the_token_and_in_the_database(world: World) -> None:
    source, target = world.repositories["acme/private"], world.repositories["alice/private"]
    mover = person("mover")
    pushing.push_blob(source, b"only at the source")
    for row, role in ((source, "read"), (target, "write")):
        Collaborator.objects.create(repository=row, user=mover, role=role)
    asker, digest = caller("mover", mover), digest_of(b"only at the source")
    asked = f"/v2/{target.path}/blobs/uploads/?mount={digest}&from={source.path}"
    for may in product((True, False), repeat=4):
        token_source, role_source, token_target, role_target = may
        scopes = [f"repository:{source.path}:pull"] if token_source else []
        scopes += [f"repository:{target.path}:pull,push"] if token_target else []
        headers = asker.bearer(*scopes)
        gone = [row for row, kept in ((source, role_source), (target, role_target)) if not kept]
        with undone():
            Collaborator.objects.filter(user=mover, repository__in=gone).delete()
            answer = send("POST", asked, headers=headers)
            linked = BlobLink.objects.filter(repository=target, blob__digest=digest).exists()
        wanted = 401 if not (token_target and role_target) else 201 if all(may) else 202
        assert (answer.status, linked) == (wanted, all(may)), may


# --- TK-05


def test_tk05_a_token_dies_with_its_repository(world: World) -> None:
    """The name may come back; what was signed for the old one does not open the new one."""
    owner = world.callers["owner"]
    old = world.repositories["alice/private"]
    scopes = (f"repository:alice/private:{ALL}", "repository:alice/public:pull,push")
    token = owner.bearer(*scopes)
    assert send("GET", "/v2/alice/private/manifests/1", headers=token).status == 200
    delete_repository(old, actor=owner.principal.actor)
    made = repository(old.namespace, "private")
    Repository.objects.filter(pk=made.pk).update(
        created_at=timezone.now() + timezone.timedelta(seconds=2)
    )
    furnish(made)
    pushing.push_blob(made, b"only in the new one")
    digest = digest_of(b"only in the new one")
    for method, rest in (
        ("GET", "manifests/1"),
        ("HEAD", f"manifests/{IMAGE.digest}"),
        ("GET", "tags/list"),
        ("GET", f"blobs/{digest}"),
        ("POST", "blobs/uploads/"),
        ("DELETE", "manifests/1"),
    ):
        answer = send(method, f"/v2/alice/private/{rest}", headers=token)
        assert answer.status == 401, (method, rest)
    asked = f"/v2/alice/public/blobs/uploads/?mount={digest}&from=alice/private"
    assert send("POST", asked, headers=token).status == 202


def test_tk05_a_token_from_before_the_first_push_is_good_for_all_of_it(world: World) -> None:
    """Clients ask once and push with that; the repository comes into being in between."""
    owner, name = world.callers["owner"], "alice/brand-new"
    token = owner.bearer(f"repository:{name}:pull,push")
    for blob in IMAGE.blobs:
        target = f"/v2/{name}/blobs/uploads/?digest={digest_of(blob)}"
        assert send("POST", target, headers=token, body=blob).status == 201
    kind = {**token, "Content-Type": IMAGE.media_type}
    put = send("PUT", f"/v2/{name}/manifests/1", headers=kind, body=IMAGE.manifest)
    assert put.status == 201
    assert send("GET", f"/v2/{name}/manifests/1", headers=token).body == IMAGE.manifest


def test_tk05_without_a_time_of_issue_there_is_no_token(world: World) -> None:
    answer = pull(ours(world, iat=...))
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
