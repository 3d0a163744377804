"""Mail and an event before a token ends, each once, to whoever can make a new one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from accounts.models import Membership, OutgoingMail, User
from accounts.services.expiring import warn_expiring
from accounts.services.robots import create_robot
from accounts.services.tokens import create_token, revoke_token, rotate_token
from events.models import Event
from events.types import Actor
from tests.unit.repos.people import organization, person

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _quiet(rung):
    """No messages to workers."""


def reachable(name: str) -> User:
    user = person(name)
    user.email = f"{name}@example.com"
    user.save()
    return user


def told() -> list[str]:
    return list(OutgoingMail.objects.order_by("id").values_list("to", flat=True))


def test_a_week_before_and_a_day_before():
    alice = reachable("alice")
    with time_machine.travel(NOON, tick=False) as clock:
        made = create_token(alice, name="ci & cd", expires_at=NOON + 30 * DAY)
        clock.shift(23 * DAY - HOUR)
        assert warn_expiring() == 0
        clock.shift(HOUR)
        assert warn_expiring() == 1
        assert warn_expiring() == 0
        clock.shift(6 * DAY - HOUR)
        assert warn_expiring() == 0
        clock.shift(HOUR)
        assert warn_expiring() == 1
        clock.shift(12 * HOUR)
        assert warn_expiring() == 0
    assert told() == ["alice@example.com"] * 2
    mail = OutgoingMail.objects.first()
    assert mail.subject == "[localhost:5000] The access token “ci & cd” ends soon"
    assert "“ci & cd”" in mail.text
    assert f"hubp_{made.row.prefix}…" in mail.text
    assert "2026-05-31 12:00 UTC" in mail.text
    assert "http://localhost:5000/settings/tokens" in mail.text
    assert "It was never used." in mail.text
    assert made.secret not in mail.text
    events = Event.objects.filter(kind="token.expiring")
    assert {e.payload["token"] for e in events} == {"ci & cd"}
    assert {e.namespace_id for e in events} == {alice.namespace.pk}
    assert events.count() == 2


@pytest.mark.parametrize(
    ("life", "at", "warned"),
    [
        (DAY, 23 * HOUR, 0),
        (3 * DAY, HOUR, 0),
        (3 * DAY, 2 * DAY, 1),
        (8 * DAY, DAY, 1),
        (8 * DAY, 8 * DAY, 0),
    ],
    ids=["short", "first day", "last day", "a week", "over"],
)
def test_short_lives_are_known_to_their_owners(life, at, warned):
    alice = reachable("alice")
    with time_machine.travel(NOON, tick=False) as clock:
        create_token(alice, name="x", expires_at=NOON + life)
        clock.shift(at)
        assert warn_expiring() == warned


def test_neither_revoked_nor_rotated_nor_endless_tokens_nor_those_of_the_deactivated():
    alice, bob = reachable("alice"), reachable("bob")
    with time_machine.travel(NOON, tick=False) as clock:
        end = NOON + 30 * DAY
        revoke_token(create_token(alice, name="revoked", expires_at=end).row)
        create_token(alice, name="endless")
        create_token(bob, name="of nobody", expires_at=end)
        User.objects.filter(pk=bob.pk).update(is_active=False)
        rotated = create_token(alice, name="rotated", expires_at=end).row
        clock.shift(25 * DAY)
        assert warn_expiring() == 1
        rotate_token(rotated)
        clock.shift(4 * DAY)
        assert warn_expiring() == 0
        clock.shift(19 * DAY)
        assert warn_expiring() == 1
    assert told() == ["alice@example.com"] * 2


def test_a_robots_token_is_told_of_to_the_owners():
    olga, second, member = reachable("olga"), reachable("second"), reachable("member")
    acme = organization("acme", olga)
    Membership.objects.create(organization=acme, user=second, role="owner")
    Membership.objects.create(organization=acme, user=member)
    with time_machine.travel(NOON, tick=False) as clock:
        robot = create_robot(acme.namespace, "ci", actor=Actor(olga.pk, "olga"))
        create_token(robot, name="first", expires_at=NOON + 30 * DAY)
        clock.shift(25 * DAY)
        assert warn_expiring() == 1
    assert sorted(told()) == ["olga@example.com", "second@example.com"]
    text = OutgoingMail.objects.first().text
    assert "acme+ci" in text
    assert "http://localhost:5000/acme/-/robots/ci" in text
    assert Event.objects.get(kind="token.expiring").namespace_id == acme.namespace.pk
