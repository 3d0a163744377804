"""Tokens that were made with a token end with it, and no life is longer than some years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from accounts.models import AccessToken
from accounts.services import tokens
from accounts.services.robots import create_robot
from accounts.services.tokens import LONGEST, create_token, find_token, revoke_token, rotate_token
from core.errors import Invalid, NotFound
from events.models import Event
from events.types import Actor

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_token_that_rotates_itself_does_not_live_for_ever(alice):
    with time_machine.travel(NOON, tick=False) as clock:
        made = create_token(alice, name="ci", expires_at=NOON + 30 * DAY).row
        for _ in range(3):
            clock.shift(5 * DAY)
            assert rotate_token(made, made_with=made.pk).row.expires_at == NOON + 30 * DAY


def test_what_a_token_made_ends_with_it(alice):
    by = Actor(alice.pk, "alice", "session")
    robot = create_robot(alice.namespace, "ci", actor=by)
    maker = create_token(alice, name="maker").row
    child = create_token(alice, name="child", made_with=maker.pk)
    grandchild = create_token(robot, name="grandchild", actor=by, made_with=child.row.pk)
    other = create_token(alice, name="other")
    revoke_token(maker, actor=by)
    assert find_token(child.secret) is find_token(grandchild.secret) is None
    assert find_token(other.secret)
    found = Event.objects.filter(kind="token.revoked").order_by("pk")
    assert [e.payload["token"] for e in found] == ["maker", "child", "grandchild"]
    assert {e.actor_name for e in found} == {"alice"}
    with pytest.raises(NotFound):
        create_token(alice, name="late", made_with=maker.pk)


def test_rotating_does_not_outlive_the_maker(alice):
    with time_machine.travel(NOON, tick=False) as clock:
        maker = create_token(alice, name="maker", expires_at=NOON + 10 * DAY).row
        child = create_token(alice, name="child", made_with=maker.pk).row
        clock.shift(5 * DAY)
        assert rotate_token(child).row.expires_at == NOON + 10 * DAY


def test_far_dates_are_refused_and_old_ones_rotate(alice):
    far = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    with pytest.raises(Invalid) as caught:
        create_token(alice, name="x", expires_at=far)
    assert caught.value.code == "TOKEN_LIFE"
    row = create_token(alice, name="x").row
    AccessToken.objects.filter(pk=row.pk).update(expires_at=far)
    with time_machine.travel(NOON, tick=False):
        assert rotate_token(row).row.expires_at == NOON + LONGEST


def test_the_limit_is_counted_under_the_lock_of_the_owner(
    alice, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(tokens, "MAX_TOKENS", 1)
    create_token(alice, name="x")
    with pytest.raises(Invalid), django_assert_max_num_queries(4) as asked:
        create_token(alice, name="y")
    owner, count = [
        next(n for n, q in enumerate(asked.captured_queries) if word in q["sql"])
        for word in ('FROM "accounts_user"', "COUNT(")
    ]
    assert owner < count
