"""TK-06 to TK-09, AZ-16: how far a credential reaches, and where it must never be seen."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from itertools import product
from urllib.parse import quote, urlencode

import jwt
import pytest
from django.utils import timezone

from accounts.models import AccessToken, User
from accounts.services import credentials
from accounts.services.tokens import create_token
from repos.models import Collaborator, Repository
from tests.hub import ROOT
from tests.images import digest_of
from tests.security.lane import send
from tests.security.test_tokens import ours, pull
from tests.security.world import (
    ALL,
    CREDENTIALS,
    LOOSE,
    World,
    bearer,
    caller,
    undone,
)

pytestmark = pytest.mark.django_db
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


# --- TK-06, AZ-16


def catalog(headers: dict[str, str], query: str = "") -> list[str]:
    answer = send("GET", f"/v2/_catalog{query}", headers=headers)
    assert answer.status == 200, answer.body
    return list(json.loads(answer.body)["repositories"])


PUBLIC = ["acme/public", "alice/public"]
LIMITS: list[tuple[str, list[str]]] = [
    ("repository:alice/private:pull", ["acme/public", "alice/private", "alice/public"]),
    ("repository:alice/public:pull", PUBLIC),
    ("repository:acme/*:push", ["acme/private", "acme/public", "alice/public"]),
    ("repository:nothing/here:pull", PUBLIC),
    ("repository:alice/priv:pull", PUBLIC),
]


@pytest.mark.parametrize(("scope", "expected"), LIMITS)
def test_tk06_the_catalogue_of_a_limited_token_is_as_limited(
    world: World, scope: str, expected: list[str]
) -> None:
    Repository.objects.update(last_pushed_at=timezone.now())
    reader = User.objects.get(username="reader")
    limited = caller("limited", reader, scope)
    for make in CREDENTIALS.values():
        headers = make(limited, "registry:catalog:*")
        assert catalog(headers) == expected
        assert catalog(headers, "?n=1") == expected[:1]
        assert catalog(headers, f"?last={expected[0]}") == expected[1:]


@pytest.mark.parametrize("who", ["stranger", "member", "root", "reader", "team"])
def test_az16_the_catalogue_shows_what_may_be_seen_in_pages_without_gaps(
    world: World, who: str
) -> None:
    Repository.objects.update(last_pushed_at=timezone.now())
    private = {"reader": ["acme/private", "alice/private"], "team": ["acme/private"]}
    expected = sorted([*PUBLIC, *private.get(who, [])])
    headers = world.callers[who].bearer("registry:catalog:*")
    assert catalog(headers) == expected
    found, last = [], ""
    while page := catalog(headers, f"?n=1&last={quote(last)}"):
        found += page
        last = page[-1]
    assert found == expected
    hidden = world.repositories["alice/private"]
    before = send("GET", "/v2/_catalog?n=1", headers=headers).fixed
    with undone():
        Repository.objects.filter(pk=hidden.pk).update(path="~gone")
        if who not in private or who == "team":
            assert send("GET", "/v2/_catalog?n=1", headers=headers).fixed == before


def test_az16_a_role_that_went_leaves_the_catalogue_at_once(world: World) -> None:
    Repository.objects.update(last_pushed_at=timezone.now())
    headers = world.callers["reader"].bearer("registry:catalog:*")
    assert "alice/private" in catalog(headers)
    Collaborator.objects.filter(repository__path="alice/private").delete()
    assert "alice/private" not in catalog(headers)


# --- TK-07


def test_tk07_what_is_signed_or_hashed_together_cannot_be_moved_between_fields() -> None:
    users = [User(pk=pk, password=stored) for pk in (1, 11) for stored in ("", "1", "a", "aa")]
    keys = {}
    for user, password in product(users, ("", "1", "a", "aa", "a1", "1a")):
        key = credentials._memory_key(user, password)
        assert keys.setdefault(key, (user.pk, user.password, password)) == (
            user.pk,
            user.password,
            password,
        )
    assert len(keys) == len(users) * 6
    names = ("bob", "bob1", "bob\0", "b", "")
    addresses = ("1.2.3.4", "11.2.3.4", "", "ob1.2.3.4", "::1")
    pairs = {credentials._counters(n, a)[0][0] for n, a in product(names, addresses)}
    assert len(pairs) == len(names) * len(addresses)


def test_tk07_a_token_signed_for_one_purpose_has_no_other(world: World) -> None:
    """The fields of a good token, swapped with one another, make no good token."""
    good = jwt.decode(ours(world), options={"verify_signature": False})
    for one, other in product(("iss", "aud", "sub", "jti"), repeat=2):
        if one != other and {one, other} != {"sub", "jti"}:
            changes = {one: good[other], other: good[one]}
            assert pull(ours(world, **changes)).status == 401, (one, other)


# --- TK-08

SECRET_NAMES = re.compile(r"secret|token|signature|password|hmac|_hash$|mark$|csrf|cookie", re.I)
CHECKED = ("accounts", "core", "tokens", "registry", "repos", "hubsite", "events", "webhooks")
# Names of something about a secret, not of a secret.
NO_SECRET = {"token_id", "access_token_id", "_SIGNATURE"}  # the last names a header


def comparisons() -> Iterator[tuple[str, ast.Compare]]:
    for app in CHECKED:
        for path in sorted((ROOT / app).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Compare) and any(
                    isinstance(op, ast.Eq | ast.NotEq) for op in node.ops
                ):
                    yield str(path.relative_to(ROOT)), node


def name_of(node: ast.expr) -> str:
    """The last word of what is compared: of `a.b.secret`, `secret[3:]`, `make_secret(x)`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Subscript):
        return name_of(node.value)
    if isinstance(node, ast.Call):
        return name_of(node.func)
    return ""


def test_tk08_secrets_are_never_compared_with_equals() -> None:
    """Content digests are public names; only `core.crypto.same` compares what must stay secret."""
    count = 0
    for where, node in comparisons():
        count += 1
        sides = [node.left, *node.comparators]
        constant = any(isinstance(side, ast.Constant) for side in sides)
        suspects = [name_of(side) for side in sides if SECRET_NAMES.search(name_of(side))]
        assert constant or not set(suspects) - NO_SECRET, (where, ast.unparse(node))
    assert count > 100


def test_tk08_the_comparison_that_is_used_is_the_constant_one() -> None:
    source = (ROOT / "core" / "crypto.py").read_text()
    assert "return hmac.compare_digest(" in source
    for where in ("accounts/services/tokens.py", "tokens/refresh.py"):
        assert "same(" in (ROOT / where).read_text(), where


# --- TK-09


def test_tk09_a_credential_in_the_address_is_refused_or_nothing(world: World) -> None:
    owner = world.callers["owner"]
    token = owner.bearer(f"repository:alice/private:{ALL}")["Authorization"].split()[1]
    for name in ("access_token", "token", "password", "Authorization", "auth", "jwt", "key"):
        for secret in (owner.secret, token):
            query = urlencode({name: secret, "username": "alice", "account": "alice"})
            for path in ("alice/private/manifests/1", "alice/private/tags/list", "_catalog"):
                answer = send("GET", f"/v2/{path}?{query}")
                assert answer.status == 401, name
                assert secret.encode() not in answer.body
                assert secret not in str(answer.headers)
            asked = send("GET", f"/token?{query}&scope=repository:alice/private:pull")
            assert asked.status in (200, 400), name
            assert asked.status == 400 or json.loads(asked.body)["scope"] == ""
            assert secret.encode() not in asked.body
    for name in ("password", "refresh_token", "access_token"):
        assert send("GET", f"/token?{name}=x", headers=owner.basic()).status == 400
    form = {"grant_type": "password", "username": "alice", "password": owner.secret}
    in_address = f"/token?{urlencode(form)}"
    assert send("POST", in_address, headers=FORM).status == 400


def test_tk09_no_answer_puts_a_credential_into_an_address(world: World) -> None:
    owner = world.callers["owner"]
    headers = owner.bearer(f"repository:alice/private:{ALL}")
    token = headers["Authorization"].split()[1]
    for method, target in (
        ("POST", "/v2/alice/private/blobs/uploads/"),
        ("GET", "/v2/alice/private/tags/list?n=1"),
        ("GET", "/v2/_catalog?n=1"),
        ("POST", f"/v2/alice/private/blobs/uploads/?mount={digest_of(LOOSE)}"),
        ("GET", "/v2/alice/absent/tags/list"),
    ):
        answer = send(method, target, headers=headers)
        assert token not in str(answer.headers)
        assert token.encode() not in answer.body


def test_tk06_the_source_of_truth_is_the_row_not_the_claim(world: World) -> None:
    """Scopes taken away from an access token are gone from the registry tokens it made."""
    reader = User.objects.get(username="reader")
    made = create_token(reader, name="x", scopes=["repository:alice/private:pull"])
    headers = bearer(credentials.principal_of_token(made.row), "repository:alice/private:pull")
    assert send("GET", "/v2/alice/private/tags/list", headers=headers).status == 200
    AccessToken.objects.filter(pk=made.row.pk).update(scopes=["repository:acme/private:pull"])
    assert send("GET", "/v2/alice/private/tags/list", headers=headers).status == 401
