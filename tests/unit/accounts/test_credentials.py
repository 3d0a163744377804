"""Name and password, or token: one answer for every cause, and an end to guessing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from accounts.errors import BadCredential
from accounts.models import User
from accounts.services import credentials
from accounts.services.credentials import authenticate, authenticate_bearer, principal_of, refresh
from accounts.services.tokens import create_token
from accounts.types import ANONYMOUS, Principal
from core.errors import RateLimited, Unavailable
from tests.unit.repos.people import person

pytestmark = pytest.mark.django_db
HERE, THERE = "192.0.2.1", "192.0.2.2"
NOON = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
PASSWORD = "correct horse 9"


@pytest.fixture(autouse=True)
def _forgetful():
    credentials._remembered.clear()
    yield
    credentials._remembered.clear()


@pytest.fixture
def bob():
    user = person("bob")
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def quick(monkeypatch):
    """Passwords are compared without the cost of a hash; counts how often."""
    calls = []

    def check(user, password):
        calls.append((user, password))
        return user is not None and password == PASSWORD

    monkeypatch.setattr(credentials, "_check_password", check)
    return calls


def refused(username, secret, address=HERE):
    with pytest.raises(BadCredential) as caught:
        authenticate(username, secret, address=address)
    return (caught.value.message, caught.value.code, caught.value.detail)


def test_the_right_password_is_the_person_whatever_the_case_of_the_name(bob):
    found = authenticate("BOB", PASSWORD, address=HERE)
    mark = credentials.password_mark(bob)
    assert found == Principal(bob.pk, "bob", "password", token_mark=mark)


def test_a_token_is_its_owner_with_or_without_the_name(bob):
    made = create_token(bob, name="x", scopes=["repository:bob/*:pull"])
    for found in (
        authenticate("bob", made.secret, address=HERE),
        authenticate_bearer(made.secret, address=HERE),
    ):
        assert (found.user_id, found.credential, found.token_id) == (bob.pk, "token", made.row.pk)
        assert found.is_limited


def test_every_cause_of_failure_has_the_same_answer(bob, alice, quick):
    token = create_token(bob, name="x").secret
    inactive = person("carol")
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    answers = {
        refused("bob", "wrong"),
        refused("nobody", PASSWORD),
        refused("carol", PASSWORD),
        refused("alice", token),
        refused("bob", token[:-1]),
        refused("", PASSWORD),
        refused("", ""),
        refused("bob", ""),
        refused("bob", "x" * 2000),
        refused("b\0b", PASSWORD),
        refused("bob\0", PASSWORD),
        refused("x" * 5000, PASSWORD),
    }
    assert len(answers) == 1


def test_an_absent_account_costs_a_hash_like_a_present_one(bob, monkeypatch):
    hashed = []
    hasher = credentials.User.set_password
    monkeypatch.setattr(
        credentials.User, "set_password", lambda self, p: hashed.append(p) or hasher(self, p)
    )
    refused("nobody", "some password")
    assert hashed == ["some password"]


def test_a_good_password_is_hashed_once_a_minute_and_a_changed_one_at_once(bob, monkeypatch):
    hashed = []
    check = User.check_password
    monkeypatch.setattr(User, "check_password", lambda self, p: hashed.append(p) or check(self, p))
    for _ in range(3):
        authenticate("bob", PASSWORD, address=HERE)
    assert len(hashed) == 1
    bob.set_password("another good one")
    bob.save()
    refused("bob", PASSWORD)
    assert len(hashed) == 2


def test_a_remembered_password_does_not_outlive_the_account(bob):
    authenticate("bob", PASSWORD, address=HERE)
    User.objects.update(is_active=False)
    refused("bob", PASSWORD)


def test_nothing_readable_of_a_password_is_remembered(bob):
    authenticate("bob", PASSWORD, address=HERE)
    assert PASSWORD.encode() not in b"".join(credentials._remembered)


def test_sign_ins_that_would_take_too_much_memory_at_once_are_put_off(bob, monkeypatch):
    class Full:
        def acquire(self, timeout):
            return False

    monkeypatch.setattr(credentials, "_hashing", Full())
    with pytest.raises(Unavailable):
        authenticate("bob", PASSWORD, address=HERE)


def test_ten_failures_for_one_name_close_it_for_this_address_only_and_for_five_minutes(bob, quick):
    with time_machine.travel(NOON, tick=False) as clock:
        for _ in range(10):
            refused("Bob", "wrong")
        with pytest.raises(RateLimited) as caught:
            authenticate("bob", PASSWORD, address=HERE)
        assert caught.value.detail == {"retry_after_s": 300}
        assert len(quick) == 10
        assert authenticate("bob", PASSWORD, address=THERE)
        refused("alice", "wrong")
        clock.shift(timedelta(seconds=299))
        with pytest.raises(RateLimited):
            authenticate("bob", PASSWORD, address=HERE)
        clock.shift(timedelta(seconds=1))
        assert authenticate("bob", PASSWORD, address=HERE)


def test_failures_for_many_names_close_the_address_for_the_whole_hour(bob, quick, monkeypatch):
    monkeypatch.setattr(credentials, "FAILURES_PER_ADDRESS", (4, 3600))
    with time_machine.travel(NOON, tick=False) as clock:
        for name in ("a1", "b2", "c3", "d4"):
            refused(name, "wrong")
            clock.shift(timedelta(minutes=10))
        with pytest.raises(RateLimited) as caught:
            authenticate("bob", PASSWORD, address=HERE)
        assert caught.value.detail == {"retry_after_s": 20 * 60}
        assert authenticate("bob", PASSWORD, address=THERE)
        clock.shift(timedelta(minutes=20))
        assert authenticate("bob", PASSWORD, address=HERE)


def test_good_sign_ins_count_nothing(bob, quick):
    for _ in range(30):
        authenticate("bob", PASSWORD, address=HERE)
    refused("bob", "wrong")


def test_wrong_tokens_are_counted_too(bob):
    wrong = f"hubp_{'a' * 10}_{'b' * 43}_00000000"
    with time_machine.travel(NOON, tick=False):
        for _ in range(10):
            with pytest.raises(BadCredential):
                authenticate_bearer(wrong, address=HERE)
        with pytest.raises(RateLimited):
            authenticate_bearer(wrong, address=HERE)


def test_refreshing_tells_what_is_true_now(bob):
    before = principal_of(bob)
    assert refresh(ANONYMOUS) is ANONYMOUS
    assert refresh(before) == before
    User.objects.filter(pk=bob.pk).update(is_superuser=True)
    assert refresh(before).is_superuser
    User.objects.filter(pk=bob.pk).update(is_active=False)
    with pytest.raises(BadCredential):
        refresh(before)
    with pytest.raises(BadCredential):
        refresh(Principal(2**40, "gone"))
    with pytest.raises(BadCredential):
        refresh(Principal(bob.pk, "bob", "token", token_id=2**40))
