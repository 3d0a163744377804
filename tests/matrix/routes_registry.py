"""The registry lane: the acts of tests/security/world.py and what belongs to no repository."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.matrix.rules import Caller
from tests.matrix.table import Row, lane, with_heads
from tests.matrix.world import World
from tests.security.world import ACTS, Act

_NAME = r"^v2/(?P<name>.+)/"
_NEEDS = {"pull": "see", "push": "push", "delete": "delete"}
_PARTS = {
    "REFERENCE": "(?P<reference>[^/]+)",
    "DIGEST": "(?P<digest>[^/]+)",
    "UPLOAD": "(?P<upload>[^/]+)",
    "uploads/": "uploads/?",
}
# Asked at every place.
_EVERYWHERE = ("GET manifests/1", "PUT manifests/new", "DELETE manifests/1", "POST blobs/uploads/")


Asking = Callable[[World, Caller, str, str], Any]


@dataclass(frozen=True)
class Play:
    """One of the acts, by somebody."""

    act: Act

    def __call__(self, world: World, caller: Caller, place: str, method: str) -> Any:
        act = self.act
        address = act.address(world.repositories[place], world.principal(caller))
        more = {"Content-Type": act.content_type} if act.content_type else {}
        scope = f"repository:{place}:{act.scope}"
        return world.registry(
            caller, act.method, address, headers=more, body=act.body, scopes=[scope]
        )


def _pattern(act: Act) -> str:
    text = act.pattern
    for word, part in _PARTS.items():
        text = (
            text.replace(word, part)
            if not (word == "uploads/" and "UPLOAD" in act.pattern)
            else text
        )
    if act.pattern == "_oci/ext/discover":
        return r"^v2/(?:(?P<name>.+)/)?_oci/ext/discover\Z"
    return rf"{_NAME}{text}\Z"


def _of_acts() -> list[Row]:
    return [
        lane(
            act.method,
            _pattern(act),
            _NEEDS[act.action],
            act.status,
            data=Play(act),
            at=f"v2/{{path}}/{act.rest}",
            note=f" #{number}",
            everywhere=str(act) in _EVERYWHERE,
        )
        for number, act in enumerate(ACTS)
    ]


def plain(address: str, *scopes: str) -> Asking:
    """A request that no act of a repository is."""

    def ask(world: World, caller: Caller, place: str, method: str) -> Any:
        wanted = [world.fill(scope, place) for scope in scopes]
        return world.registry(caller, method, world.fill(address, place), scopes=wanted)

    return ask


def _of_all(status: int) -> dict[str, int]:
    """Where credentials are not looked at, bad ones do not matter either."""
    return dict.fromkeys(("gone, token", "olga, expired token", "olga, revoked token"), status)


def _v1(method: str, tail: str, need: str, ok: int = 200, at: str = "", **more: Any) -> Row:
    """Below a repository in the first version of the protocol, which takes tokens of the second too."""
    address = f"v1/repositories/{{path}}/{at or tail}"
    pattern = rf"^v1/repositories/(?P<name>.+)/{tail}/?\Z" if tail else _V1_REPOSITORY
    data = plain(f"/{address}", "repository:{path}:pull,push,delete")
    return lane(method, pattern, need, ok, data=data, at=address, **more)


def _one(method: str, pattern: str, need: str, ok: int, address: str, **more: Any) -> Row:
    return lane(method, pattern, need, ok, data=plain(f"/{address}"), at=address, **more)


_NO_JWT = {f"{person}, bearer": 401 for person in ("stranger", "reader", "writer", "acme+ci")}
_V1_REPOSITORY = r"^v1/repositories/(?P<name>.+?)/?\Z"
_IMAGE = r"^v1/images/(?P<image_id>[^/]+)/"
_ID = "a" * 64
ROWS: list[Row] = with_heads(
    [
        *_of_acts(),
        _one("GET", r"^v2/?\Z", "login", 200, "v2/"),
        lane(
            "GET",
            r"^v2/_catalog\Z",
            "login",
            200,
            data=plain("/v2/_catalog", "registry:catalog:*"),
            at="v2/_catalog",
        ),
        lane(
            "GET",
            "token",
            "anyone",
            200,
            data=plain("/token?scope=repository:{path}:pull"),
            at="token?scope={path}",
            but=_NO_JWT,
        ),
        _one("POST", "token", "anyone", 400, "token", but=_of_all(400)),
        _one("GET", "token/keys", "anyone", 200, "token/keys", but=_of_all(200)),
        _one("*", "", "anyone", 404, "v2/nothing", but=_of_all(404)),
        _one("GET", r"^(?:v1/)?_ping/?\Z", "anyone", 200, "v1/_ping", but=_of_all(200)),
        _one("GET", r"^v1/search/?\Z", "anyone", 200, "v1/search?q=acme"),
        _one("GET", r"^v1/users/?\Z", "login", 200, "v1/users/"),
        _one("POST", r"^v1/users/?\Z", "anyone", 400, "v1/users/", but=_of_all(400)),
        _one("PUT", r"^v1/users/(?P<username>[^/]+)/?\Z", "login", 404, "v1/users/nobody-here/"),
        _one("GET", rf"{_IMAGE}json/?\Z", "anyone", 404, f"v1/images/{_ID}/json"),
        _one("GET", rf"{_IMAGE}ancestry/?\Z", "anyone", 404, f"v1/images/{_ID}/ancestry"),
        _one("GET", rf"{_IMAGE}layer/?\Z", "anyone", 404, f"v1/images/{_ID}/layer"),
        # Images are pushed with the index's own tokens alone.
        *(
            _one("PUT", rf"{_IMAGE}{what}/?\Z", "anyone", 401, f"v1/images/{_ID}/{what}")
            for what in ("json", "layer", "checksum")
        ),
        _v1("GET", "tags/(?P<tag>[^/]+)/json", "see", at="tags/1/json"),
        _v1("GET", "tags/(?P<tag>[^/]+)", "see", at="tags/1"),
        _v1("PUT", "tags/(?P<tag>[^/]+)", "push", 400, at="tags/1"),
        _v1("DELETE", "tags/(?P<tag>[^/]+)", "delete", at="tags/1"),
        _v1("GET", "tags", "see"),
        _v1("DELETE", "tags", "administer"),
        _v1("GET", "images", "see", note=" of the index"),
        _v1("PUT", "images", "push", 400),
        _v1("DELETE", "images", "administer", 204),
        _v1("GET", "json", "see"),
        _v1("GET", "properties", "see"),
        _v1("PUT", "properties", "administer", 400),
        _v1("PUT", "auth", "see", 401),  # for the index's own tokens alone
        _v1(
            "GET",
            "layer/(?P<image_id>[^/]+)/access",
            "see",
            401,
            at=f"layer/{_ID}/access",
            note=" of the index",
        ),
        _v1("PUT", "", "push", 400),
        _v1("DELETE", "", "administer"),
        _one("*", r"^v1(?:/.*)?\Z", "anyone", 404, "v1/nothing/here", but=_of_all(404)),
    ]
)
