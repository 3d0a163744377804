"""AZ-01, AZ-08: every address and method of the registry lane, asked by everybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from hubsite.roles import HUB
from registry.models import Blob, BlobLink, Manifest, Tag, UploadSession
from repos.models import Repository
from tests.images import digest_of
from tests.security.lane import METHODS, send
from tests.security.world import (
    ACTS,
    ALL,
    CREDENTIALS,
    FRESH,
    IMAGE,
    LOOSE,
    Act,
    Caller,
    World,
    undone,
)

pytestmark = pytest.mark.django_db
READ = {"GET", "HEAD"}
# Every address of the lane by its pattern, in order, with the methods it offers.
ROUTES: dict[str, tuple[str, set[str]]] = {
    "token": ("/token", {"GET", "POST"}),
    "token/keys": ("/token/keys", READ),
    r"^v2/?\Z": ("/v2/", READ),
    r"^v2/_catalog\Z": ("/v2/_catalog", READ),
    r"^v2/(?:(?P<name>.+)/)?_oci/ext/discover\Z": ("/v2/{name}/_oci/ext/discover", READ),
    r"^v2/(?P<name>.+)/tags/list\Z": ("/v2/{name}/tags/list", READ),
    r"^v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)\Z": (
        "/v2/{name}/manifests/1",
        READ | {"PUT", "DELETE"},
    ),
    r"^v2/(?P<name>.+)/referrers/(?P<digest>[^/]+)\Z": (
        f"/v2/{{name}}/referrers/{IMAGE.digest}",
        READ,
    ),
    r"^v2/(?P<name>.+)/blobs/uploads/?\Z": ("/v2/{name}/blobs/uploads/", {"POST"}),
    r"^v2/(?P<name>.+)/blobs/uploads/(?P<upload>[^/]+)\Z": (
        "/v2/{name}/blobs/uploads/6f1e6dbe-6d4b-4d4e-8a5e-2f7f3a0c1b11",
        READ | {"PATCH", "PUT", "DELETE"},
    ),
    r"^v2/(?P<name>.+)/blobs/(?P<digest>[^/]+)\Z": (
        f"/v2/{{name}}/blobs/{IMAGE.digest}",
        READ | {"DELETE"},
    ),
    "": ("/v2/{name}/nothing/here", set()),
}
_NAME = r"^v1/repositories/(?P<name>.+)/"
_IMAGE = r"^v1/images/(?P<image_id>[^/]+)/"
_ID = "0" * 64
# The same of the old registry, whose rights tests/protocol/test_v1_changes.py plays through.
LEGACY: dict[str, tuple[str, set[str]]] = {
    r"^(?:v1/)?_ping/?\Z": ("/v1/_ping", READ),
    r"^v1/search/?\Z": ("/v1/search", READ),
    r"^v1/users/?\Z": ("/v1/users/", READ | {"POST"}),
    r"^v1/users/(?P<username>[^/]+)/?\Z": ("/v1/users/alice/", {"PUT"}),
    rf"{_IMAGE}json/?\Z": (f"/v1/images/{_ID}/json", READ | {"PUT"}),
    rf"{_IMAGE}ancestry/?\Z": (f"/v1/images/{_ID}/ancestry", READ),
    rf"{_IMAGE}layer/?\Z": (f"/v1/images/{_ID}/layer", READ | {"PUT"}),
    rf"{_IMAGE}checksum/?\Z": (f"/v1/images/{_ID}/checksum", {"PUT"}),
    rf"{_NAME}tags/(?P<tag>[^/]+)/json/?\Z": ("/v1/repositories/{name}/tags/1/json", READ),
    rf"{_NAME}tags/(?P<tag>[^/]+)/?\Z": (
        "/v1/repositories/{name}/tags/1",
        READ | {"PUT", "DELETE"},
    ),
    rf"{_NAME}tags/?\Z": ("/v1/repositories/{name}/tags", READ | {"DELETE"}),
    rf"{_NAME}images/?\Z": (
        "/v1/repositories/{name}/images",
        READ | {"PUT", "DELETE"},
    ),
    rf"{_NAME}json/?\Z": ("/v1/repositories/{name}/json", READ),
    rf"{_NAME}properties/?\Z": ("/v1/repositories/{name}/properties", READ | {"PUT"}),
    rf"{_NAME}auth/?\Z": ("/v1/repositories/{name}/auth", {"PUT"}),
    rf"{_NAME}layer/(?P<image_id>[^/]+)/access/?\Z": (
        f"/v1/repositories/{{name}}/layer/{_ID}/access",
        READ,
    ),
    r"^v1/repositories/(?P<name>.+?)/?\Z": ("/v1/repositories/{name}/", {"PUT", "DELETE"}),
    r"^v1(?:/.*)?\Z": ("/v1/nothing", set()),
}
# What stands in the acts of world.py for a route that belongs to a repository.
BY_ACTS = {
    pattern: pattern.removeprefix(r"^v2/(?P<name>.+)/")
    .removeprefix(r"^v2/(?:(?P<name>.+)/)?")
    .removesuffix(r"\Z")
    .replace("(?P<reference>[^/]+)", "REFERENCE")
    .replace("(?P<digest>[^/]+)", "DIGEST")
    .replace("(?P<upload>[^/]+)", "UPLOAD")
    .replace("uploads/?", "uploads/")
    for pattern in ROUTES
    if "name" in pattern
}
# Who may do what: columns of security.md 4.3 and 4.4, as far as the registry goes.
MAY = {
    "pull": ("reader", "writer", "admin", "owner", "pulls", "pushes", "team"),
    "push": ("writer", "admin", "owner", "pushes", "team"),
    "delete": ("writer", "admin", "owner", "team"),
}


@pytest.fixture(autouse=True)
def _all_of_v1(hub_settings: Any) -> None:
    hub_settings(v1="push")


def offered(view: Any) -> set[str]:
    """Methods a view answers; the frameworks add HEAD where there is GET, and an OPTIONS."""
    names = {m for m in view.http_method_names if m != "options" and hasattr(view, m)}
    if "get" in names and "head" in view.http_method_names:
        names.add("head")
    return {name.upper() for name in names}


def walk(patterns: Any) -> Iterator[tuple[str, set[str]]]:
    for entry in patterns:
        if isinstance(entry, URLResolver):
            assert str(entry.pattern) == ""
            yield from walk(entry.url_patterns)
        else:
            assert isinstance(entry, URLPattern)
            callback: Any = entry.callback
            yield str(entry.pattern), offered(getattr(callback, "cls", None) or callback.view_class)


def test_az01_every_address_and_method_is_in_the_matrix() -> None:
    found = list(walk(get_resolver(HUB.registry).url_patterns))
    known = [(pattern, methods) for pattern, (_, methods) in {**ROUTES, **LEGACY}.items()]
    assert [route for route in found if route[0] not in LEGACY] == known[: len(ROUTES)]
    assert [route for route in found if route[0] in LEGACY] == known[len(ROUTES) :]
    acted = {(act.pattern, act.method) for act in ACTS}
    assert acted == {(BY_ACTS[p], m) for p in BY_ACTS for m in ROUTES[p][1]}


def rows() -> dict[str, list[Any]]:
    """Everything the lane may change, as the database has it."""
    kept: dict[str, list[Any]] = {
        model.__name__: list(model.objects.order_by("pk").values_list(*fields))
        for model, fields in (
            (Repository, ("pk", "path", "last_pushed_at")),
            (Tag, ("pk", "manifest")),
            (Manifest, ("pk", "review_after")),
            (Blob, ("pk", "storage_key")),
            (BlobLink, ("pk",)),
        )
    }
    return kept


def expected(act: Act, caller: Caller, path: str) -> int:
    namespace, _, visibility = path.partition("/")
    reaches = caller.name != "team" or namespace == "acme"
    if reaches and caller.name in MAY[act.action]:
        return act.status
    seen = visibility == "public" or (reaches and caller.name in MAY["pull"])
    if seen and act.action == "pull":
        return act.status
    return 401 if caller.name == "nobody" or not seen else 403


def play(world: World, path: str, caller: Caller, credential: str) -> None:
    """Every act once; what is refused changes nothing, what is done is taken back."""
    headers = {
        scope: CREDENTIALS[credential](caller, f"repository:{path}:{scope}")
        for scope in {act.scope for act in ACTS}
    }

    def ask(act: Act) -> None:
        answer = act.do(world.repositories[path], headers[act.scope], caller.principal)
        assert answer.status == expected(act, caller, path), (caller.name, str(act), answer.body)

    before = rows()
    for act in ACTS:
        if expected(act, caller, path) >= 400:
            ask(act)
    assert rows() == before, (path, caller.name)
    for act in ACTS:
        if expected(act, caller, path) < 400:
            with undone():
                ask(act)


PLAYS = (
    *(("alice/public", "basic"), ("alice/private", "basic"), ("alice/private", "access token")),
    *(("alice/public", "registry token"), ("acme/public", "registry token")),
    *(("acme/private", "registry token"), ("acme/private", "basic")),
)


@pytest.mark.parametrize(("path", "credential"), PLAYS)
def test_az01_everybody_gets_what_the_matrix_says(world: World, path: str, credential: str) -> None:
    owner = "olga" if path.startswith("acme") else "owner"
    for name, caller in world.callers.items():
        if name not in {"owner", "olga"} - {owner}:
            play(world, path, caller, credential)


def test_az01_addresses_of_no_repository(world: World) -> None:
    reader, nobody = world.callers["reader"], world.callers["nobody"]
    for pattern in ("/v2/", "/v2", "/v2/_catalog", "/v2/_oci/ext/discover"):
        assert send("GET", pattern).status == 401
        assert send("GET", pattern, headers=reader.basic()).status == 200
        token = reader.bearer("registry:catalog:*")
        assert send("GET", pattern, headers=token).status == 200
    assert send("GET", "/v2/_catalog", headers=nobody.bearer("registry:catalog:*")).status == 401
    assert send("GET", "/v2/_catalog", headers=reader.bearer()).status == 401
    assert send("GET", "/v2/", headers=nobody.bearer()).status == 200
    assert send("GET", "/token").status == send("GET", "/token/keys").status == 200
    assert send("POST", "/token").status == 400


@pytest.mark.parametrize("who", ["nobody", "stranger", "owner"])
def test_az08_other_methods_are_refused_before_anything_is_asked(world: World, who: str) -> None:
    before = rows()
    for template, methods in ROUTES.values():
        for method in set(METHODS) - methods:
            for name in ("alice/public", "alice/private", "alice/absent"):
                headers = world.callers[who].basic()
                answer = send(method, template.replace("{name}", name), headers=headers)
                wanted = 405 if methods else 404
                assert (answer.status, answer.code) in (
                    (wanted, "UNSUPPORTED"),
                    (wanted, ""),
                ), (method, template, name)
                if wanted == 405:
                    assert set(answer.headers["Allow"].split(", ")) - {"OPTIONS"} == methods
    assert rows() == before


@pytest.mark.parametrize("who", ["nobody", "stranger", "owner"])
def test_az08_other_methods_are_refused_under_v1_too(world: World, who: str) -> None:
    before = rows()
    for template, methods in LEGACY.values():
        for method in set(METHODS) - methods:
            for name in ("alice/public", "alice/private", "alice/absent"):
                headers = world.callers[who].basic()
                answer = send(method, template.replace("{name}", name), headers=headers)
                assert answer.status == (405 if methods else 404), (method, template, name)
                if methods:
                    assert set(answer.headers["Allow"].split(", ")) - {"OPTIONS"} == methods
    assert rows() == before


def test_az08_a_method_is_never_another_one(world: World) -> None:
    """Push does not imply delete; no header, parameter or form turns one into the other."""
    owner = world.callers["owner"]
    path = "alice/private"
    pushes = owner.bearer(f"repository:{path}:pull,push")
    deletes = owner.bearer(f"repository:{path}:delete")
    before = rows()
    targets = [act for act in ACTS if act.method == "DELETE" and act.action == "delete"]
    assert len(targets) == 5
    for act in targets:
        answer = act.do(world.repositories[path], pushes, owner.principal)
        assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
        assert f"repository:{path}:delete" in answer.headers["WWW-Authenticate"]
    for act in ACTS:
        if act.action != "delete":
            answer = act.do(world.repositories[path], deletes, owner.principal)
            assert answer.status == 401, str(act)
    UploadSession.objects.all().delete()
    assert rows() == before

    everything = owner.bearer(f"repository:{path}:{ALL}")
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        for method in ("GET", "POST", "PUT"):
            headers = {**everything, header: "DELETE"}
            send(method, f"/v2/{path}/blobs/{IMAGE.digest}?_method=DELETE", headers=headers)
            got = send(method, f"/v2/{path}/manifests/1?_method=DELETE", headers=headers)
            assert got.status == {"GET": 200, "POST": 405, "PUT": 400}[method]
    form = {**everything, "Content-Type": "application/x-www-form-urlencoded"}
    body = b"_method=DELETE"
    assert send("POST", f"/v2/{path}/manifests/1", headers=form, body=body).status == 405
    assert rows() == before


def test_az08_head_reads_and_changes_nothing(world: World) -> None:
    owner = world.callers["owner"]
    before = rows()
    for act in ACTS:
        if act.method == "HEAD" and act.action == "pull":
            answer = act.do("alice/private", owner.basic(), owner.principal)
            got = send("GET", f"/v2/alice/private/{act.rest}", headers=owner.basic())
            assert (answer.status, answer.body) == (200, b"")
            assert answer.headers["Content-Length"] == str(len(got.body)), str(act)
    assert rows() == before


def test_az01_the_matrix_is_played_with_things_that_are_there(world: World) -> None:
    """A matrix of 404 would prove nothing."""
    for repository in world.repositories.values():
        held = {link.blob.digest for link in repository.blob_links.select_related("blob")}
        assert digest_of(LOOSE) in held
        assert digest_of(FRESH) not in held
        assert {tag.name for tag in repository.tags.all()} == {"1", "fixed", "many"}
