"""Closing accounts, handing namespaces over, and coming back."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress

from accounts.errors import LastAdministrator, LastOwner, StillOwns
from accounts.models import AccessToken, Membership, Namespace, OutgoingMail, User
from accounts.services import closing
from accounts.services.closing import close_account, holds
from accounts.services.names import is_name_free
from accounts.services.organizations import create_organization, drop_emptied, set_member
from accounts.services.people import deactivate, hand_over, reactivate
from accounts.services.robots import create_robot
from accounts.services.tokens import create_token
from core.errors import Invalid
from events.models import Event
from events.types import SYSTEM, Actor
from repos.models import Repository
from tests.unit.repos.people import person, repository

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]


@pytest.fixture
def by(alice):
    return Actor(alice.pk, "alice", "session")


def test_deleted_repositories_do_not_count(alice):
    app = repository(alice.namespace, "app")
    with pytest.raises(StillOwns):
        close_account(alice)
    Repository.objects.filter(pk=app.pk).update(state="deleting")
    assert not holds(alice).anything
    close_account(alice)
    aside = Namespace.objects.get(user=alice)
    assert aside.name == f"~{aside.pk}"
    assert not is_name_free("alice")
    assert drop_emptied() == 0
    app.delete()
    assert drop_emptied() == 1
    assert not Namespace.objects.exists()
    assert User.objects.get(pk=alice.pk).username == "alice"


def test_the_log_tells_how_many_robots_and_tokens_went(alice, by):
    robot = create_robot(alice.namespace, "ci", actor=by)
    create_token(robot, name="r")
    for name in "ab":
        create_token(alice, name=name)
    close_account(alice)
    assert Event.objects.get(kind="account.closed").payload == {
        "user": "alice",
        "tokens": 2,
        "robots": 1,
    }
    assert Event.objects.filter(kind="robot.deleted").count() == 1
    assert not AccessToken.objects.filter(revoked_at=None).exists()


def test_two_administrators_who_close_together_leave_one(alice, monkeypatch):
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    other = person("other")
    User.objects.filter(pk=other.pk).update(is_superuser=True)

    def meanwhile():
        User.objects.filter(pk=other.pk).update(is_active=False)

    monkeypatch.setattr(closing, "lock_administrators", meanwhile)
    with pytest.raises(LastAdministrator):
        close_account(alice)


@pytest.mark.parametrize(
    "lack", [{"is_active": False}, {"is_verified": False}, {"second_factor": False}]
)
def test_an_owner_who_cannot_act_does_not_count(alice, by, lack):
    acme = create_organization(alice, name="acme")
    bob = person("bob")
    User.objects.filter(pk=bob.pk).update(second_factor=True)
    acme.second_factor_required = True
    acme.save()
    set_member(acme, bob, "owner", actor=by)
    assert not holds(alice).organizations
    User.objects.filter(pk=bob.pk).update(**lack)
    assert holds(alice).organizations == ["acme"]
    with pytest.raises(LastOwner):
        set_member(acme, alice, "member", actor=by)


def test_who_closed_their_account_does_not_come_back(alice):
    close_account(alice)
    alice.refresh_from_db()
    with pytest.raises(Invalid):
        reactivate(alice, actor=SYSTEM)
    alice.refresh_from_db()
    assert not alice.is_active


def test_nor_whoever_has_no_namespace_any_more(alice):
    deactivate(alice, actor=SYSTEM)
    hand_over(alice.namespace, person("bob"), actor=SYSTEM)
    Namespace.objects.filter(name="alice").update(name="other")
    with pytest.raises(Invalid):
        reactivate(alice, actor=SYSTEM)


def test_an_account_with_a_reserved_name_never_had_one():
    root = User(username="admin", is_superuser=True, is_active=False)
    root.set_password("correct horse 9")
    root.save()
    reactivate(root, actor=SYSTEM)
    assert User.objects.get().is_active


def test_nobody_hands_a_namespace_to_themselves_and_people_are_told(alice, by):
    acme = create_organization(alice, name="acme")
    for name in ("bob", "carol"):
        user = person(name)
        User.objects.filter(pk=user.pk).update(email=f"{name}@example.com")
    bob, carol = User.objects.filter(username__in=["bob", "carol"]).order_by("username")
    set_member(acme, bob, "member", actor=by)
    User.objects.filter(pk=alice.pk).update(is_active=False, email="alice@example.com")
    chief = person("chief")
    with pytest.raises(Invalid):
        hand_over(acme.namespace, chief, actor=Actor(chief.pk, "chief", "session"))
    assert not Membership.objects.filter(user=chief).exists()
    hand_over(acme.namespace, carol, actor=Actor(chief.pk, "chief", "session"))
    mails = OutgoingMail.objects.order_by("to")
    assert [mail.to for mail in mails] == ["alice@example.com", "bob@example.com"]
    assert "carol" in mails[0].text
    assert "acme" in mails[0].subject
    alice.refresh_from_db()
    hand_over(alice.namespace, bob, actor=SYSTEM)
    assert OutgoingMail.objects.filter(to="alice@example.com").count() == 2
    assert not EmailAddress.objects.exists()
