"""AZ-09 to AZ-12: tags are moved only by right, rules hold by every route, failure denies."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oci.digest import Digest
from registry.errors import TagImmutable
from registry.models import Manifest, Tag, TagMove
from registry.services import collect
from registry.services.tags import is_immutable
from repos.models import Repository
from tests.security.lane import Answer, send
from tests.security.world import (
    ACTS,
    ALL,
    CREDENTIALS,
    FIXED,
    IMAGE,
    INDEX,
    LATER,
    LISTED,
    Act,
    World,
    undone,
)
from tests.unit.registry.pushing import put

pytestmark = pytest.mark.django_db
PATH = "alice/public"
MANY = settings(
    max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


def tags(path: str = PATH) -> dict[str, str]:
    return dict(Tag.objects.filter(repository__path=path).values_list("name", "manifest__digest"))


def put_manifest(target: str, headers: dict[str, str], image: Any = LATER) -> Answer:
    headers = {**headers, "Content-Type": image.media_type}
    return send("PUT", f"/v2/{PATH}/manifests/{target}", headers=headers, body=image.manifest)


# --- AZ-09

MOVES = (
    *("1", "latest", "many", "fixed", "new"),
    f"{LATER.digest}?tag=1",
    f"{LATER.digest}?tag=latest",
    f"{LATER.digest}?tag=new&tag=1",
    LATER.digest,
)


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("who", ["nobody", "stranger", "reader", "pulls", "root"])
def test_az09_no_tag_moves_without_the_right_to_push(
    world: World, who: str, credential: str
) -> None:
    put(world.repositories[PATH], IMAGE, "latest")
    before = tags()
    caller = world.callers[who]
    headers = CREDENTIALS[credential](caller, f"repository:{PATH}:{ALL}")
    for target in MOVES:
        assert put_manifest(target, headers).status == (401 if who == "nobody" else 403), target
    for act in ACTS:
        if act.method == "DELETE":
            act.do(world.repositories[PATH], headers, caller.principal)
    assert tags() == before


def test_az09_a_move_that_is_allowed_says_who_made_it(world: World) -> None:
    writer = world.callers["writer"]
    for target in ("1", f"{LATER.digest}?tag=new&tag=other", "latest"):
        assert put_manifest(target, writer.basic()).status == 201
    moved = TagMove.objects.filter(repository__path=PATH, actor_id=writer.principal.user_id)
    assert {move.name for move in moved} == {"1", "new", "other", "latest"}
    assert tags()["1"] == tags()["new"] == tags()["latest"] == LATER.digest


# --- AZ-10

NAMES = ("1", "1.0", "1.0-rc1", "v1", "V1", "latest", "a", "ab", "a.b", "a-b", "fixed")
pieces = st.sampled_from(["*", "?", "[ab]", "[!a]", "[v-z]", "1", ".", "0", "-", "v", "a", "b"])
patterns = st.lists(pieces, max_size=5).map("".join)


def matches(name: str, pattern: list[str]) -> bool:
    """What a rule means, spelled out: `*` any text, `?` a character, `[…]` one of some."""
    if not pattern:
        return not name
    first, rest = pattern[0], pattern[1:]
    if first == "*":
        return any(matches(name[n:], rest) for n in range(len(name) + 1))
    return bool(name) and _one(name[0], first) and matches(name[1:], rest)


def _one(char: str, piece: str) -> bool:
    sets: dict[str, Callable[[str], bool]] = {
        "?": lambda c: True,
        "[ab]": lambda c: c in "ab",
        "[!a]": lambda c: c != "a",
        "[v-z]": lambda c: "v" <= c <= "z",
    }
    return sets[piece](char) if piece in sets else char == piece


@MANY
@given(rules=st.lists(st.lists(pieces, max_size=5), max_size=4), name=st.sampled_from(NAMES))
def test_az10_every_rule_counts_and_names_match_in_full(rules: list[list[str]], name: str) -> None:
    repository = Repository(immutable_tags=["".join(rule) for rule in rules])
    assert is_immutable(repository, name) == any(matches(name, rule) for rule in rules)


def test_az10_hostile_rules_are_judged_without_backtracking() -> None:
    """With a backtracking matcher none of these ends before the suite's timeout."""
    rules = ["*a" * 60 + "b", "*" * 500 + "b", "[a-" * 30, "*[!b]" * 60 + "b", "(a+)+$", "a{99999}"]
    repository = Repository(immutable_tags=rules * 160)
    assert not is_immutable(repository, "a" * 128)
    assert is_immutable(Repository(immutable_tags=[*rules, "v*"]), "v" + "a" * 127)


@MANY
@given(rules=st.lists(patterns, min_size=1, max_size=3))
def test_az10_no_route_gets_round_a_rule(rules: list[str], world: World) -> None:
    with undone():
        repository = world.repositories[PATH]
        Repository.objects.filter(pk=repository.pk).update(immutable_tags=rules)
        repository.refresh_from_db()
        headers = world.callers["admin"].basic()
        held = is_immutable(repository, "1")
        before = tags()
        for method, target in (
            ("PUT", "1"),
            ("PUT", f"{LATER.digest}?tag=brand-new&tag=1"),
            ("DELETE", "1"),
            ("DELETE", IMAGE.digest),
        ):
            with undone():
                kind = {**headers, "Content-Type": LATER.media_type}
                body = LATER.manifest if method == "PUT" else b""
                address = f"/v2/{PATH}/manifests/{target}"
                answer = send(method, address, headers=kind, body=body)
                done = {"PUT": 201, "DELETE": 202}[method]
                assert answer.status == (409 if held else done), (method, target, rules)
                assert (tags() == before) == held
                if held:
                    assert answer.code == "DENIED"


def test_az10_what_an_immutable_tag_holds_is_neither_deleted_nor_collected(
    world: World, hub_settings: Callable[..., None]
) -> None:
    hub_settings(push_grace_s=0, untag_grace_s=0, discard_grace_s=0, trash_days=0)
    repository = world.repositories[PATH]
    Repository.objects.filter(pk=repository.pk).update(untagged_days=0)
    put(repository, INDEX, "v-index")
    headers = world.callers["admin"].basic()
    for target, status in ((LISTED.digest, 405), (INDEX.digest, 409), (FIXED.digest, 409)):
        gone = send("DELETE", f"/v2/{PATH}/manifests/{target}", headers=headers)
        assert gone.status == status
    for blob in (*FIXED.blobs, *LISTED.blobs):
        address = f"/v2/{PATH}/blobs/{Digest.of(blob)}"
        assert send("DELETE", address, headers=headers).status == 405
    for _ in range(4):
        collect.collect()
    kept = set(Manifest.objects.filter(repository=repository).values_list("digest", flat=True))
    assert {FIXED.digest, INDEX.digest, LISTED.digest} <= kept
    for blob in (*FIXED.blobs, *LISTED.blobs):
        got = send("GET", f"/v2/{PATH}/blobs/{Digest.of(blob)}", headers=headers)
        assert got.body == blob


def test_az10_a_rule_made_in_the_middle_of_a_push_counts(world: World) -> None:
    """The rules are those of the locked row, not of the one that was read to decide."""
    stale = Repository.objects.get(path="alice/public")
    Repository.objects.filter(pk=stale.pk).update(immutable_tags=["*"])
    with pytest.raises(TagImmutable):
        put(stale, LATER, "1")


# --- AZ-11

STRANGE = {
    "User-Agent": ("docker/28.0", "Hub-Internal/1", "kube-probe/1.3", "curl/8", "-", "\xff"),
    "X-Requested-With": ("XMLHttpRequest", "hub"),
    "X-Original-URL": ("/v2/", "/token", "/healthz", "/v2/alice/public/tags/list"),
    "X-Original-URI": ("/v2/", "/v2/alice/public/tags/list"),
    "X-Original-Method": ("GET", "OPTIONS"),
    "X-Rewrite-URL": ("/v2/", "/admin/"),
    "X-Forwarded-For": ("127.0.0.1", "::1", "10.0.0.1, 127.0.0.1", "localhost", ","),
    "X-Forwarded-Host": ("localhost", "evil.example", "localhost:1"),
    "X-Forwarded-Proto": ("https", "http", "file"),
    "X-Forwarded-Prefix": ("/v2", "/../.."),
    "X-Forwarded-User": ("alice", "admin", "root"),
    "X-Forwarded-Email": ("alice@example.org",),
    "X-Real-IP": ("127.0.0.1", "10.0.0.1"),
    "X-Client-IP": ("127.0.0.1",),
    "True-Client-IP": ("127.0.0.1",),
    "Forwarded": ("for=127.0.0.1;host=localhost;proto=https", "by=hub"),
    "Remote-User": ("alice", "admin"),
    "X-Remote-User": ("alice", "root"),
    "X-Remote-Group": ("system:masters",),
    "X-User": ("alice",),
    "X-Auth-Token": ("admin", "null"),
    "X-Registry-Auth": ("e30=", "eyJ1c2VybmFtZSI6ImFsaWNlIn0="),
    "X-Docker-Token": ("true", "signature=x,repository=alice/private,access=write"),
    "X-HTTP-Method-Override": ("GET", "DELETE"),
    "X-Hub-Internal": ("1", "true"),
    "X-Admin": ("1", "true"),
    "X-Debug": ("1",),
    "X-Csrftoken": ("x",),
    "Cookie": ("hub_session=x", "sessionid=alice; admin=1", "hub_csrf=x"),
    "Proxy-Authorization": ("Basic YWxpY2U6eA==", "Bearer x"),
    "WWW-Authenticate": ("Bearer",),
    "Authentication-Info": ("nextnonce=1",),
    "Origin": ("null", "http://localhost:5000", "https://evil.example"),
    "Referer": ("http://localhost:5000/admin/", "x"),
    "Host": ("evil.example", "127.0.0.1", "hub:9999", "localhost@evil.example"),
    "Via": ("1.1 hub",),
    "Accept": ("*/*", "text/html", "application/vnd.docker.distribution.manifest.v1+json", "x"),
    "Accept-Language": ("xx", "*"),
    "Content-Type": ("text/html", "application/x-www-form-urlencoded", "multipart/form-data; x"),
    "Content-Range": ("0-0", "bytes 0-1/2", "x"),
    "Content-Encoding": ("gzip", "identity"),
    "If-Match": ("*", '"x"'),
    "If-None-Match": ("*", f'"{IMAGE.digest}"'),
    "If-Modified-Since": ("Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"),
    "If-Unmodified-Since": ("Thu, 01 Jan 1970 00:00:00 GMT",),
    "If-Range": ("x",),
    "Range": ("bytes=0-0", "bytes=0-", "items=1-2"),
    "Cache-Control": ("no-cache", "only-if-cached"),
    "Pragma": ("no-cache",),
    "Early-Data": ("1",),
    "DNT": ("1",),
    "Upgrade": ("h2c", "websocket"),
    "Connection": ("Authorization", "close"),
    "TE": ("trailers",),
    "HX-Request": ("true",),
    "Docker-Distribution-Api-Version": ("registry/2.0", "registry/1.0"),
    "OCI-Subject": (IMAGE.digest,),
    "Sec-Fetch-Site": ("same-origin",),
    "X-Request-Id": ("admin-admin-admin",),
}
EXTRA = [(name, value) for name, values in STRANGE.items() for value in values]
EXTRA += [(name, " ") for name in STRANGE] + [(f"X-{name}", "1") for name in STRANGE]


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("nobody", "alice/private", 401),
        ("stranger", "alice/private", 401),
        ("root", "alice/private", 401),
        ("reader", "alice/private", 403),
        ("pulls", "alice/public", 403),
    ],
)
def test_az11_no_header_but_the_credential_decides(
    world: World, who: str, path: str, status: int
) -> None:
    assert len(EXTRA) >= 200
    caller = world.callers[who]
    headers = caller.basic()
    acts = [Act("", "DELETE", "manifests/1", "delete", 202)]
    if status == 401:
        acts.append(Act("", "GET", "manifests/1", "pull", 200))
    for act in acts:
        plain = act.do(path, headers, caller.principal)
        assert plain.status == status
        for name, value in EXTRA:
            answer = act.do(path, {**headers, name: value}, caller.principal)
            assert answer.fixed == plain.fixed, (name, value)


# --- AZ-12

CALLED = (
    *("repos.permissions.decision.held_roles", "accounts.types.Principal.token_actions"),
    *("registry.v2.auth.find_visible", "registry.v2.auth.decide"),
    *("registry.v2.auth.read_authorization", "tokens.verify.verify", "tokens.verify.refresh"),
    *("tokens.jwt.TokenVerifier.verify", "accounts.services.credentials.principal_of_token"),
)
ERRORS = (OperationalError("x"), RuntimeError("x"), TimeoutError("x"), KeyError("x"))


@pytest.fixture
def quiet() -> Iterator[None]:
    """Hundreds of tracebacks are expected here."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("called", CALLED)
def test_az12_an_error_in_a_check_is_never_a_yes(
    world: World, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, path = world.callers["owner"], "alice/private"
    before = tags(path)
    for error in ERRORS:
        headers = owner.bearer(f"repository:{path}:{ALL}")

        def fail(*_: Any, error: Exception = error, **__: Any) -> Any:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(called, fail)
            for act in ACTS:
                answer = act.do(world.repositories[path], headers, owner.principal)
                wanted = 503 if isinstance(error, OperationalError) else 500
                assert answer.status == wanted, (str(act), repr(error))
                assert b"Traceback" not in answer.body
    assert tags(path) == before


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("act", [act for act in ACTS if act.status < 400], ids=str)
def test_az12_no_question_to_the_database_may_fail_unnoticed(world: World, act: Act) -> None:
    """Each query of the request fails in turn, until one run has no query left to fail."""
    owner, path = world.callers["owner"], "alice/private"
    before = tags(path)
    for number in range(200):
        headers = owner.bearer(f"repository:{path}:{ALL}")
        count = 0

        def break_one(execute: Any, sql: str, *args: Any, number: int = number) -> Any:
            nonlocal count
            if not sql.startswith("ROLLBACK"):
                count += 1
                if count == number + 1:
                    raise OperationalError("the database went away")
            return execute(sql, *args)

        with undone():
            address = act.address(world.repositories[path], owner.principal)
            with connection.execute_wrapper(break_one):
                answer = act.ask(address, headers)
            if count <= number:
                assert answer.status == act.status
                break
            assert answer.status in (500, 503), (str(act), number)
            assert tags(path) == before
    assert number > 1
