"""ID-01 to ID-04, ID-08, ID-11: guessing ends, hashing is bounded, who is out is out everywhere."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.db import connection

from accounts.models import AccessToken, User
from accounts.services import credentials
from accounts.services.tokens import create_token
from core.errors import Unavailable
from repos.models import Repository
from tests.security.lane import Answer, send
from tests.security.world import ALL, CREDENTIALS, World, basic
from tests.unit.repos.people import person, repository

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery 9"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    credentials._remembered.clear()
    yield
    credentials._remembered.clear()


@pytest.fixture
def noon() -> Iterator[None]:
    """Failures are counted in fixed pieces of the clock; none ends during the test."""
    with time_machine.travel(datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def bob() -> User:
    """Somebody with a password and a private repository."""
    user = person("bob")
    user.set_password(PASSWORD)
    user.save()
    repository(user.namespace, "app")
    return user


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Passwords that were really compared, without the cost of a hash."""
    seen: list[str] = []

    def check(user: User | None, password: str) -> bool:
        seen.append(password)
        return user is not None and password == PASSWORD

    monkeypatch.setattr(credentials, "_check_password", check)
    return seen


def by_get(name: str, secret: str, **more: Any) -> Answer:
    headers = {**basic(name, secret), **more.pop("headers", {})}
    return send("GET", "/token", headers=headers, **more)


def by_post(name: str, secret: str, **more: Any) -> Answer:
    fields = {"grant_type": "password", "username": name, "password": secret, "client_id": "x"}
    body = urlencode({**fields, "service": ""}).encode()
    headers = {**FORM, **more.pop("headers", {})}
    return send("POST", "/token", headers=headers, body=body, **more)


def by_pull(name: str, secret: str, **more: Any) -> Answer:
    headers = {**basic(name, secret), **more.pop("headers", {})}
    return send("GET", "/v2/bob/app/tags/list", headers=headers, **more)


DOORS: dict[str, Callable[..., Answer]] = {"get": by_get, "post": by_post, "pull": by_pull}


# --- ID-01


@pytest.mark.usefixtures("noon")
def test_id01_guesses_are_counted_over_every_door(bob: User, checked: list[str]) -> None:
    statuses = []
    for number in range(40):
        door = list(DOORS.values())[number % 3]
        statuses.append(door("bob", f"guess {number}").status)
    assert statuses == [401] * 10 + [429] * 30
    assert len(checked) == 10
    for door in DOORS.values():
        locked = door("bob", PASSWORD)
        assert (locked.status, locked.code) == (429, "TOOMANYREQUESTS")
        assert 0 < int(locked.headers["Retry-After"]) <= 300
    assert by_get("bob", PASSWORD, address="192.0.2.9").status == 200
    token = create_token(bob, name="ci").secret
    assert by_pull("bob", token).status == 200, "a good token is not kept out by a bad password"


@pytest.mark.parametrize("door", DOORS)
def test_id01_known_and_unknown_names_get_one_answer_at_one_cost(
    bob: User, checked: list[str], door: str
) -> None:
    User.objects.filter(pk=person("carol").pk).update(is_active=False)
    person("dave")
    answers = [DOORS[door](name, "wrong").fixed for name in ("bob", "nobody", "carol", "dave")]
    assert answers[0][0] == 401
    assert answers.count(answers[0]) == 4
    assert len(checked) == 4


@pytest.mark.usefixtures("noon")
def test_id01_stuffing_many_names_from_one_address_ends_too(
    checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "FAILURES_PER_ADDRESS", (20, 3600))
    statuses = [by_get(f"name{n}", "Summer2026!").status for n in range(50)]
    assert statuses.count(401) == len(checked) == 20
    assert set(statuses[20:]) == {429}


# --- ID-02


@pytest.mark.usefixtures("noon")
def test_id02_a_header_does_not_make_another_address(bob: User, checked: list[str]) -> None:
    for number in range(60):
        fake = f"203.0.113.{number}"
        headers = {
            "X-Forwarded-For": fake,
            "Forwarded": f"for={fake}",
            "X-Real-IP": fake,
            "X-Client-IP": fake,
            "CF-Connecting-IP": fake,
        }
        by_get("bob", "wrong", headers=headers)
    assert len(checked) == 10
    assert by_get("bob", PASSWORD).status == 429


@pytest.mark.usefixtures("noon")
def test_id02_behind_a_proxy_of_ours_only_its_own_word_counts(
    bob: User, checked: list[str], hub_settings: Callable[..., None]
) -> None:
    hub_settings(trusted_proxies=1)
    for number in range(60):
        chain = f"203.0.113.{number}, 198.51.100.{number}, 192.0.2.77"
        by_get("bob", "wrong", headers={"X-Forwarded-For": chain})
    assert len(checked) == 10
    other = {"X-Forwarded-For": "192.0.2.77, 192.0.2.78"}
    assert by_get("bob", PASSWORD, headers=other).status == 200


# --- ID-03


@pytest.mark.parametrize("length", [1025, 4000, 60_000])
def test_id03_a_long_password_is_not_hashed(bob: User, checked: list[str], length: int) -> None:
    for door in (by_get, by_post):
        assert door("bob", "x" * length).status == 401
    assert checked == []


def test_id03_no_more_than_two_hashes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def hash_slowly(self: User, password: str) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1

    monkeypatch.setattr(User, "set_password", hash_slowly)
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(lambda n: credentials._check_password(None, str(n)), range(32)))
    assert done == [False] * 32
    assert most == 2


def test_id03_who_waits_too_long_is_told_to_come_back(
    bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(user: User | None, password: str) -> bool:
        raise Unavailable("Too many sign-ins at once; try again in a few seconds.")

    monkeypatch.setattr(credentials, "_check_password", busy)
    for door in DOORS.values():
        answer = door("bob", PASSWORD)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


# --- ID-04

LONG = "long enough to be cut by careless hashes: " + "0123456789" * 6


def test_id04_every_byte_of_a_password_counts(bob: User) -> None:
    """bcrypt stops at byte 72, C at NUL, and a careless comparison at the look of a letter."""
    bob.set_password(LONG)
    bob.save()
    assert len(LONG) > 73
    assert by_get("bob", LONG).status == 200
    for number, wrong in enumerate(
        (LONG[:72], LONG[:72] + "X" + LONG[73:], LONG[:-1], LONG + " ", LONG + "\0", "\0" + LONG)
    ):
        credentials._remembered.clear()
        assert by_get("bob", wrong, address=f"192.0.2.{number}").status == 401, repr(wrong)


@pytest.mark.parametrize(
    ("real", "looks"),
    [
        ("paßwort eins zwei", "passwort eins zwei"),
        ("finally a password", "\ufb01nally a password"),
        ("password of alice", "p\u0430ssword of alice"),
        ("pass 12345 word", "pass \uff11\uff12\uff13\uff14\uff15 word"),
        ("Password Of Bob", "password of bob"),
        ("two words here", "two\u00a0words here"),
        ("no break at all", "no break at all\u200b"),
    ],
)
def test_id04_what_only_looks_alike_is_another_password(bob: User, real: str, looks: str) -> None:
    bob.set_password(real)
    bob.save()
    for name, secret, status in (
        ("bob", real, 200),
        ("bob", looks, 401),
        ("\uff42ob", real, 401),
        ("b\u043eb", real, 401),
        ("bob\0", real, 401),
        ("bob ", real, 401),
    ):
        assert by_get(name, secret).status == status, (name, secret)


# --- ID-08


def everything_of(user: User) -> dict[str, Callable[[], Answer]]:
    """Every way to act as somebody, with credentials that were made while all was well."""
    secret = create_token(user, name="ci").secret
    asked = f"/token?scope=repository:bob/app:{ALL}&offline_token=true"
    told = {
        "password": json.loads(send("GET", asked, headers=basic("bob", PASSWORD)).body),
        "token": json.loads(send("GET", asked, headers=basic("bob", secret)).body),
    }
    ways: dict[str, Callable[[], Answer]] = {
        "password at the token service": lambda: by_get("bob", PASSWORD),
        "password in the form": lambda: by_post("bob", PASSWORD),
        "password at the registry": lambda: by_pull("bob", PASSWORD),
        "access token at the token service": lambda: by_get("bob", secret),
        "access token in the form": lambda: by_post("bob", secret),
        "access token at the registry": lambda: by_pull("bob", secret),
        "access token alone": lambda: send(
            "GET", "/v2/bob/app/tags/list", headers={"Authorization": f"Bearer {secret}"}
        ),
    }
    for kind, answer in told.items():
        bearer = {"Authorization": f"Bearer {answer['token']}"}
        form = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}
        body = urlencode({**form, "client_id": "x", "service": ""}).encode()
        ways[f"registry token by {kind}"] = lambda h=bearer: send(
            "GET", "/v2/bob/app/tags/list", headers=h
        )
        ways[f"ping by {kind}"] = lambda h=bearer: send("GET", "/v2/", headers=h)
        ways[f"push by {kind}"] = lambda h=bearer: send(
            "POST", "/v2/bob/app/blobs/uploads/", headers=h
        )
        ways[f"refresh token by {kind}"] = lambda b=body: send(
            "POST", "/token", headers=FORM, body=b
        )
    return ways


@pytest.mark.parametrize("visibility", ["private", "public"])
def test_id08_a_deactivated_account_enters_by_no_path(bob: User, visibility: str) -> None:
    Repository.objects.update(visibility=visibility)
    ways = everything_of(bob)
    assert len(ways) == 15
    for name, way in ways.items():
        assert way().status in (200, 202), name
    User.objects.filter(pk=bob.pk).update(is_active=False)
    for name, way in ways.items():
        assert way().status == 401, name
    assert not User.objects.get(pk=bob.pk).is_active, "nothing wakes it up again"


def test_id08_a_revoked_or_expired_token_enters_by_no_path(bob: User) -> None:
    ways = everything_of(bob)
    row = AccessToken.objects.get()
    now = row.created_at
    for change in ({"revoked_at": now}, {"expires_at": now}):
        AccessToken.objects.update(**change)
        for name, way in ways.items():
            ends = name.startswith("access token") or name.endswith("by token")
            assert (way().status == 401) == ends, name
        AccessToken.objects.update(revoked_at=None, expires_at=None)


# --- ID-11


def test_id11_the_database_holds_no_secret_that_can_be_used(bob: User, world: World) -> None:
    """Every row of every table, read without the fields that decrypt."""
    told = json.loads(send("GET", "/token?offline_token=true", headers=basic("bob", PASSWORD)).body)
    secrets = {PASSWORD, told["token"], told["refresh_token"]}
    for caller in world.callers.values():
        if caller.secret:
            secrets.add(caller.secret)
            for make in CREDENTIALS.values():
                header = make(caller, f"repository:alice/private:{ALL}")
                send("POST", "/v2/alice/private/blobs/uploads/", headers=header)
                secrets.add(header["Authorization"].split()[1])
    parts = {part for secret in secrets for part in secret.split("_") if len(part) > 30}
    assert len(parts) > 20
    text = dump()
    assert "bob" in text
    for secret in secrets | parts:
        assert secret not in text, secret[:9]
    assert "PRIVATE KEY" not in text


def dump() -> str:
    lines = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                for value in row:
                    if isinstance(value, bytes | memoryview):
                        value = bytes(value).decode("latin-1")
                    lines.append(str(value))
    return "\n".join(lines)
