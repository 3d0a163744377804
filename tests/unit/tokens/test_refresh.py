"""Refresh tokens: what a signed-in client keeps, and everything that ends it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.cache import cache

from accounts.errors import BadCredential
from accounts.models import AccessToken, User
from accounts.services import credentials
from accounts.services.credentials import (
    authenticate,
    principal_of_password,
    principal_of_token,
)
from accounts.services.tokens import create_token, revoke_token
from accounts.types import Principal
from core.errors import RateLimited, Unauthenticated
from tests.unit.repos.people import person
from tokens import refresh
from tokens.models import RefreshToken
from tokens.refresh import (
    MAX_REFRESH_TOKENS,
    create_refresh_token,
    list_refresh_tokens,
    redeem,
    revoke_refresh_token,
    sweep,
)
from tokens.verify import read_authorization

pytestmark = pytest.mark.django_db
HERE = "192.0.2.1"
HUB = "hub.example"
NOON = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


def with_password(user: User) -> Principal:
    return Principal(user.pk, user.username, "password")


def made_for(user: User, *, service: str = HUB, client: str = "docker") -> str:
    return create_refresh_token(with_password(user), service=service, client_id=client)


def from_access_token(user: User, *scopes: str, **values) -> tuple[str, AccessToken]:
    row = create_token(user, name="ci", scopes=scopes, **values).row
    return create_refresh_token(principal_of_token(row), service=HUB), row


def refused(secret: str, **where) -> tuple[str, str]:
    with pytest.raises(BadCredential) as caught:
        redeem(secret, address=HERE, **where)
    return caught.value.message, caught.value.code


def test_it_stands_for_the_person_at_one_registry_and_only_its_hash_is_kept(alice):
    secret = made_for(alice)
    assert redeem(secret, address=HERE) == refresh.Redeemed(principal_of_password(alice), HUB)
    assert redeem(secret, service=HUB, address=HERE).principal.user_id == alice.pk
    (kept,) = RefreshToken.objects.values()
    assert secret.split("_")[2] not in str(kept)
    assert kept["client_id"] == "docker"
    assert secret.startswith("hubi_")


def test_a_superuser_is_one_only_as_long_as_it_is_true(alice):
    secret = made_for(alice)
    User.objects.update(is_superuser=True)
    assert redeem(secret, address=HERE).principal.is_superuser
    User.objects.update(is_superuser=False)
    assert not redeem(secret, address=HERE).principal.is_superuser


def test_the_scopes_of_the_access_token_it_stems_from_go_on_to_limit_it(alice):
    secret, row = from_access_token(alice, "repository:alice/app:pull")
    principal = redeem(secret, address=HERE).principal
    assert principal == principal_of_token(row)
    assert principal.token_actions("alice/app") == {"pull"}
    assert not principal.token_actions("alice/other")


ENDS = {
    "deactivated": lambda user, row: User.objects.filter(pk=user.pk).update(is_active=False),
    "password changed": lambda user, row: User.objects.filter(pk=user.pk).update(password="!2"),
    "access token revoked": lambda user, row: revoke_token(row),
    "access token expired": lambda user, row: AccessToken.objects.update(
        expires_at=NOON - timedelta(days=1)
    ),
    "revoked": lambda user, row: revoke_refresh_token(RefreshToken.objects.get()),
    "at rest for too long": lambda user, row: RefreshToken.objects.update(expires_at=NOON),
    "account deleted": lambda user, row: (user.namespace.delete(), user.delete()),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_what_ends_it_ends_it_at_once_and_says_no_more_than_for_one_made_up(alice, end):
    with time_machine.travel(NOON, tick=False):
        secret, row = from_access_token(alice)
        assert redeem(secret, address=HERE)
        assert list_refresh_tokens(alice.pk)
        end(alice, row)
        made_up = f"{refresh.PREFIX}{'a' * 10}_{'b' * 43}"
        assert refused(secret) == refused(f"{made_up}_{refresh._checksum(made_up)}")
        assert list_refresh_tokens(alice.pk or 0) == []


def test_it_is_good_at_no_other_registry(alice):
    secret = made_for(alice, service="other.example")
    assert refused(secret, service=HUB)
    assert redeem(secret, service="other.example", address=HERE).service == "other.example"


@pytest.mark.parametrize("name", ["alice", "", "<token>"])
def test_it_is_no_password_and_no_bearer_token(alice, name):
    secret = made_for(alice)
    with pytest.raises(BadCredential):
        authenticate(name, secret, address=HERE)
    basic = base64.b64encode(f"{name}:{secret}".encode()).decode()
    for header in (f"Basic {basic}", f"Bearer {secret}"):
        with pytest.raises(Unauthenticated):
            read_authorization(header, address=HERE)
    assert redeem(secret, address=HERE)


def test_an_access_token_is_no_refresh_token(alice):
    assert refused(create_token(alice, name="x").secret)


def test_any_changed_character_is_refused_before_the_database_is_asked(
    alice, django_assert_num_queries
):
    secret = made_for(alice)
    with django_assert_num_queries(0):
        for position in range(len(secret)):
            other = "b" if secret[position] != "b" else "c"
            assert refresh._find(secret[:position] + other + secret[position + 1 :]) is None
        for text in ("", "hubi_", secret[:-1], f"{secret}\n", f" {secret}", "\0", "é" * 100):
            assert refresh._find(text) is None


def test_the_right_handle_with_another_secret_is_refused(alice):
    handle = made_for(alice).split("_")[1]
    body = f"{refresh.PREFIX}{handle}_{'b' * 43}"
    assert refused(f"{body}_{refresh._checksum(body)}")


def test_use_is_noted_every_five_minutes_and_puts_the_end_off(alice, hub_settings):
    hub_settings(refresh_token_lifetime_s=3600)
    with time_machine.travel(NOON, tick=False) as clock:
        secret, row = from_access_token(alice)

        def kept():
            return RefreshToken.objects.values_list("last_used_at", "expires_at").get()

        clock.shift(timedelta(minutes=5) - timedelta(seconds=1))
        redeem(secret, address=HERE)
        assert kept() == (NOON, NOON + timedelta(hours=1))
        clock.shift(timedelta(minutes=50))
        redeem(secret, address=HERE)
        used = NOON + timedelta(minutes=55) - timedelta(seconds=1)
        assert kept() == (used, used + timedelta(hours=1))
        row.refresh_from_db()
        assert row.last_used_at == used, "its owner sees that the access token is needed"
        clock.shift(timedelta(minutes=59))
        assert redeem(secret, address=HERE)
        clock.shift(timedelta(hours=1))
        refused(secret)


def test_reading_costs_one_query(alice, django_assert_num_queries):
    secret, _ = from_access_token(alice)
    with django_assert_num_queries(1):
        redeem(secret, address=HERE)


def test_logins_do_not_pile_up_and_the_one_that_rested_longest_goes(alice, monkeypatch):
    monkeypatch.setattr(refresh, "MAX_REFRESH_TOKENS", 3)
    with time_machine.travel(NOON, tick=False) as clock:
        ci, _ = from_access_token(alice)
        secrets = []
        for _ in range(3):
            secrets.append(made_for(alice))
            clock.shift(timedelta(minutes=6))
        redeem(secrets[0], address=HERE)
        newest = made_for(alice)
        refused(secrets[1])
        for secret in (ci, secrets[0], secrets[2], newest):
            assert redeem(secret, address=HERE)
        for _ in range(5):
            made_for(alice)
        assert RefreshToken.objects.filter(access_token=None).count() == 3
        assert redeem(ci, address=HERE), "another credential has its own room"
    assert MAX_REFRESH_TOKENS >= 10


def test_what_is_long_dead_is_swept_away(alice):
    with time_machine.travel(NOON, tick=False) as clock:
        made_for(alice)
        revoke_refresh_token(RefreshToken.objects.get())
        _, row = from_access_token(alice)
        revoke_token(row)
        from_access_token(alice, expires_at=NOON + timedelta(days=1))
        alive = made_for(alice)
        assert sweep() == 0
        clock.shift(timedelta(days=32))
        assert sweep() == 3
        assert redeem(alive, address=HERE)


def test_made_up_ones_close_the_address_and_dead_ones_do_not(alice):
    body = f"{refresh.PREFIX}{'a' * 10}_{'b' * 43}"
    made_up = f"{body}_{refresh._checksum(body)}"
    good, dead = made_for(alice), made_for(alice)
    revoke_refresh_token(RefreshToken.objects.latest("id"))
    limit, _ = credentials.FAILURES_PER_ACCOUNT_AND_ADDRESS
    with time_machine.travel(NOON, tick=False):
        for _ in range(limit + 1):
            refused(dead)
        for _ in range(limit):
            refused(made_up)
        with pytest.raises(RateLimited):
            redeem(made_up, address=HERE)
        assert redeem(good, address=HERE), "a good one is never refused for somebody's bad ones"
    cache.clear()


def test_one_does_not_see_or_lose_the_clients_of_another_person(alice):
    bob = person("bob")
    mine, theirs = made_for(alice), made_for(bob)
    (row,) = list_refresh_tokens(alice.pk)
    assert row.user == alice
    revoke_refresh_token(row)
    refused(mine)
    assert redeem(theirs, address=HERE)


@pytest.mark.parametrize("client", ["a\0b\nc", "x" * 500, "é", ""])
def test_what_a_client_calls_itself_is_kept_as_one_short_line(alice, client):
    made_for(alice, client=client)
    kept = RefreshToken.objects.get().client_id
    assert kept == "".join(c for c in client if c.isprintable())[:100]
    assert kept.isprintable()
