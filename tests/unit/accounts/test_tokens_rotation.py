"""Rotating a token, how long tokens may last, and what made with one ends with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from accounts.errors import BadCredential
from accounts.models import AccessToken, User
from accounts.services import credentials
from accounts.services.credentials import (
    authenticate,
    authenticate_bearer,
    principal_of_password,
    principal_of_token,
    refresh,
)
from accounts.services.tokens import (
    OLD_SECRET_KEPT,
    UNUSED,
    create_token,
    find_token,
    is_unused,
    revoke_token,
    rotate_token,
)
from core.errors import Denied, Invalid, NotFound
from events.models import Event
from tests.unit.repos.people import person
from tokens.refresh import create_refresh_token, redeem
from tokens.services import issue
from tokens.verify import read_authorization

pytestmark = pytest.mark.django_db
HERE = "192.0.2.1"
NOON = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def bearer(text: str):
    return read_authorization(f"Bearer {text}", address=HERE).principal


def test_a_rotated_token_stays_itself_with_another_secret(alice):
    made = create_token(alice, name="ci", scopes=["repository:alice/*:pull"])
    again = rotate_token(made.row)
    assert again.row.pk == made.row.pk
    assert again.secret != made.secret
    assert find_token(made.secret) is None
    found = find_token(again.secret)
    assert (found.name, found.scopes, found.prefix) == ("ci", made.row.scopes, made.row.prefix)
    assert AccessToken.objects.count() == 1
    event = Event.objects.get(kind="token.rotated")
    assert event.payload["old_secret_until"] is None
    assert again.secret not in str(event.payload)


def test_the_old_secret_may_stay_good_for_a_day_and_only_the_last_one(alice):
    with time_machine.travel(NOON, tick=False) as clock:
        first = create_token(alice, name="ci")
        second = rotate_token(first.row, keep_old=True)
        assert find_token(first.secret)
        assert find_token(second.secret)
        clock.shift(OLD_SECRET_KEPT - timedelta(seconds=1))
        assert find_token(first.secret)
        third = rotate_token(second.row, keep_old=True)
        assert find_token(first.secret) is None
        assert find_token(second.secret)
        clock.shift(OLD_SECRET_KEPT)
        assert find_token(second.secret) is None
        assert find_token(third.secret)
        revoke_token(third.row)
        assert find_token(third.secret) is None


def test_revoking_ends_both_secrets_and_a_revoked_token_cannot_be_rotated(alice):
    first = create_token(alice, name="ci")
    second = rotate_token(first.row, keep_old=True)
    revoke_token(second.row)
    assert find_token(first.secret) is find_token(second.secret) is None
    with pytest.raises(NotFound):
        rotate_token(second.row)


@pytest.mark.parametrize("keep_old", [False, True])
def test_what_was_made_with_the_old_secret_ends_with_it(alice, keep_old):
    with time_machine.travel(NOON, tick=False) as clock:
        made = create_token(alice, name="ci")
        principal = authenticate("alice", made.secret, address=HERE)
        signed = issue(principal, []).token
        client = create_refresh_token(principal, service="localhost:5000")
        clock.shift(1)
        new = rotate_token(made.row, keep_old=keep_old)
        if keep_old:
            assert bearer(signed).token_id == made.row.pk
            assert redeem(client, address=HERE).principal.user_id == alice.pk
            old = authenticate("alice", made.secret, address=HERE)
            assert create_refresh_token(old, service="localhost:5000") == ""
            clock.shift(OLD_SECRET_KEPT - timedelta(seconds=30))
            signed = issue(authenticate_bearer(made.secret, address=HERE), []).token
            clock.shift(31)
        for refused in (
            lambda: bearer(signed),
            lambda: redeem(client, address=HERE),
            lambda: refresh(principal),
            lambda: authenticate_bearer(made.secret, address=HERE),
        ):
            with pytest.raises(BadCredential):
                refused()
        fresh = authenticate("alice", new.secret, address=HERE)
        assert bearer(issue(fresh, []).token) == fresh
        kept = create_refresh_token(fresh, service="localhost:5000")
        assert redeem(kept, address=HERE).principal == fresh


def test_a_rotation_begins_a_life_of_the_same_length(alice, hub_settings):
    with time_machine.travel(NOON, tick=False) as clock:
        made = create_token(alice, name="ci", expires_at=NOON + 30 * DAY)
        clock.shift(20 * DAY)
        assert rotate_token(made.row).row.expires_at == NOON + 50 * DAY
        clock.shift(40 * DAY)
        late = rotate_token(made.row)
        assert late.row.expires_at == NOON + 90 * DAY
        assert find_token(late.secret)
        hub_settings(token_max_days=10)
        assert rotate_token(made.row).row.expires_at == NOON + 70 * DAY


def test_the_hub_may_limit_lives(alice, hub_settings):
    hub_settings(token_max_days=30)
    with time_machine.travel(NOON, tick=False):
        assert create_token(alice, name="x").row.expires_at == NOON + 30 * DAY
        assert create_token(alice, name="x", expires_at=NOON + DAY).row.expires_at == NOON + DAY
        assert create_token(alice, name="x", expires_at=NOON + 30 * DAY)
        with pytest.raises(Invalid) as caught:
            create_token(alice, name="x", expires_at=NOON + 31 * DAY)
    assert caught.value.code == "TOKEN_LIFE"
    assert "30 days" in caught.value.message


def test_a_token_makes_none_that_outlives_it(alice):
    with time_machine.travel(NOON, tick=False):
        made = create_token(alice, name="maker", expires_at=NOON + 5 * DAY).row
        free = create_token(alice, name="free").row
        child = create_token(alice, name="child", made_with=made.pk)
        assert child.row.expires_at == made.expires_at
        assert create_token(alice, name="x", expires_at=NOON + DAY, made_with=made.pk)
        assert create_token(alice, name="x", made_with=free.pk).row.expires_at is None
        for refused in (
            lambda: create_token(alice, name="x", expires_at=NOON + 6 * DAY, made_with=made.pk),
            lambda: rotate_token(free, made_with=made.pk),
        ):
            with pytest.raises(Denied) as caught:
                refused()
            assert caught.value.code == "TOKEN_CANNOT"
        assert rotate_token(made, made_with=made.pk).row.expires_at == made.expires_at


def test_a_token_nobody_used_for_long_is_unused(alice):
    with time_machine.travel(NOON, tick=False) as clock:
        row = create_token(alice, name="x").row
        assert not is_unused(row)
        clock.shift(UNUSED + DAY)
        assert is_unused(row)
        row.last_used_at = NOON + UNUSED
        assert not is_unused(row)


class TestSecondFactor:
    @pytest.fixture(autouse=True)
    def _forgetful(self):
        credentials._remembered.clear()
        yield
        credentials._remembered.clear()

    @pytest.fixture
    def bob(self):
        user = person("bob")
        user.set_password("correct horse 9")
        user.save()
        return user

    def refused(self, name, secret):
        with pytest.raises(BadCredential) as caught:
            authenticate(name, secret, address=HERE)
        return caught.value

    def test_the_right_password_is_told_to_use_a_token(self, bob):
        usual = self.refused("bob", "wrong")
        User.objects.filter(pk=bob.pk).update(second_factor=True)
        for _ in range(2):
            told = self.refused("bob", "correct horse 9")
            assert told.code == "SECOND_FACTOR"
            assert "access token" in told.message
            assert "http://localhost:5000/settings/tokens" in told.message
        assert self.refused("bob", "wrong").message == usual.message
        token = create_token(bob, name="x").secret
        assert authenticate("bob", token, address=HERE).user_id == bob.pk

    def test_what_was_made_with_the_password_before_is_over(self, bob):
        before = principal_of_password(bob)
        signed = issue(before, []).token
        client = create_refresh_token(before, service="localhost:5000")
        with_token = create_refresh_token(
            principal_of_token(create_token(bob, name="x").row), service="localhost:5000"
        )
        User.objects.filter(pk=bob.pk).update(second_factor=True)
        for refused in (lambda: bearer(signed), lambda: redeem(client, address=HERE)):
            with pytest.raises(BadCredential):
                refused()
        assert redeem(with_token, address=HERE).principal.second_factor
