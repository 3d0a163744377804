"""Invitations by mail: a secret that works once, for a while, and tells nothing before."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import (
    Invitation,
    Membership,
    OutgoingMail,
    TeamMembership,
    User,
)
from accounts.services import invitations as into
from accounts.services.organizations import create_organization, remove_member, set_member
from accounts.services.teams import create_team
from core.errors import Conflict, Denied, Invalid, NotFound, RateLimited
from events.models import Event
from events.types import Actor
from repos.models import Collaborator, Repository, RepositoryInvitation
from repos.services import invitations as to
from tests.unit.repos.people import person, repository

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]
SECRET = re.compile(r"/invitations/(hubv_[0-9A-Za-z]{43})\n")


@pytest.fixture
def by(alice):
    return Actor(alice.pk, "alice", "session")


@pytest.fixture
def acme(alice):
    return create_organization(alice, name="acme")


@pytest.fixture
def app(alice):
    return repository(alice.namespace, "app")


@pytest.fixture
def bob():
    return person("bob")


def mailed():
    """The secret in the last mail that is owed."""
    (secret,) = SECRET.findall(OutgoingMail.objects.latest("pk").text)
    return secret


def actor(user):
    return Actor(user.pk, user.username, "session")


def kinds():
    rows = Event.objects.filter(kind__contains="invitation").order_by("pk")
    return [e.kind for e in rows]


class TestIntoAnOrganization:
    def test_from_the_mail_to_the_membership(self, acme, bob, by):
        crew = create_team(acme, "crew", actor=by)
        row = into.invite(acme, " New@Example.com ", "member", inviter=by, team=crew)
        mail = OutgoingMail.objects.get()
        assert (row.email, mail.to) == ("new@example.com", "new@example.com")
        assert "acme" in mail.subject
        assert mailed() not in str(vars(row))
        into.accept(mailed(), bob, actor=actor(bob))
        assert Membership.objects.get(user=bob).role == "member"
        assert TeamMembership.objects.get(user=bob).team == crew
        assert not Invitation.objects.exists()
        assert kinds() == ["invitation.sent", "invitation.accepted"]
        accepted = Event.objects.get(kind="invitation.accepted")
        assert (accepted.actor_name, accepted.payload["invited_by"]) == ("bob", "alice")
        assert mailed() not in str([e.payload for e in Event.objects.all()])

    def test_once(self, acme, bob, by):
        into.invite(acme, "x@example.com", "member", inviter=by)
        into.accept(mailed(), bob, actor=actor(bob))
        with pytest.raises(NotFound):
            into.accept(mailed(), person("carol"), actor=by)
        assert Membership.objects.count() == 2

    @pytest.mark.parametrize("end", ["withdrawn", "refused", "old", "sent again", "no owner"])
    def test_it_ends(self, acme, bob, by, end, alice):
        row = into.invite(acme, "x@example.com", "member", inviter=by)
        secret, later = mailed(), timezone.now()
        if end == "withdrawn":
            into.withdraw(row, actor=by)
        elif end == "refused":
            into.refuse(secret, actor=actor(bob))
        elif end == "old":
            later += into.LIFE
        elif end == "sent again":
            into.resend(row, actor=by)
        else:
            set_member(acme, person("carol"), "owner", actor=by)
            remove_member(acme, alice, actor=by)
        with time_machine.travel(later), pytest.raises(NotFound):
            into.accept(secret, bob, actor=actor(bob))
        assert not Membership.objects.filter(user=bob).exists()
        if end == "sent again":
            into.accept(mailed(), bob, actor=actor(bob))

    def test_inviting_again_replaces(self, acme, by):
        for role in ("member", "owner"):
            into.invite(acme, "x@example.com", role, inviter=by)
        assert [row.role for row in into.list_open(acme)] == ["owner"]

    def test_who_is_in_never_gets_less(self, acme, alice, bob, by):
        into.invite(acme, "x@example.com", "member", inviter=by)
        into.accept(mailed(), alice, actor=by)
        assert Membership.objects.get(user=alice).role == "owner"
        set_member(acme, bob, "member", actor=by)
        into.invite(acme, "x@example.com", "owner", inviter=by)
        into.accept(mailed(), bob, actor=actor(bob))
        assert Membership.objects.get(user=bob).role == "owner"

    def test_robots_the_unverified_and_the_deactivated_stay_out(self, acme, bob, by):
        into.invite(acme, "x@example.com", "member", inviter=by)
        for values in ({"is_verified": False}, {"is_active": False}):
            with pytest.raises(Denied):
                into.accept(mailed(), User(pk=bob.pk, username="bob", **values), actor=by)
        with pytest.raises(Denied):
            into.accept(mailed(), User(robot_namespace=acme.namespace), actor=by)
        assert into.list_open(acme).count() == 1

    def test_an_account_makes_no_difference(self, acme, bob, by):
        User.objects.filter(pk=bob.pk).update(email="bob@example.com")
        rows = [
            into.invite(acme, f"{name}@example.com", "member", inviter=by)
            for name in ("bob", "none")
        ]
        texts = {
            SECRET.sub("", mail.text).replace(mail.to, "")
            for mail in OutgoingMail.objects.order_by("pk")
        }
        assert len({re.sub(r"until .{16} UTC", "", text) for text in texts}) == 1
        assert {row.role for row in rows} == {"member"}

    def test_bad_wishes(self, acme, by, alice):
        foreign = create_team(create_organization(alice, name="other"), "crew", actor=by)
        for email, role, team in (
            ("nobody", "member", None),
            ("", "member", None),
            ("x@example.com", "admin", None),
            ("x@example.com", "member", foreign),
        ):
            with pytest.raises(Invalid):
                into.invite(acme, email, role, inviter=by, team=team)
        assert not OutgoingMail.objects.exists()

    def test_limits(self, acme, by, monkeypatch):
        monkeypatch.setattr(into, "MAX_OPEN", 2)
        monkeypatch.setattr(into, "MAX_MAILS", 4)
        for name in "ab":
            into.invite(acme, f"{name}@example.com", "member", inviter=by)
        with pytest.raises(Conflict):
            into.invite(acme, "c@example.com", "member", inviter=by)
        into.invite(acme, "a@example.com", "member", inviter=by)
        with time_machine.travel(timezone.now() + timedelta(days=15)):
            row = into.invite(acme, "c@example.com", "member", inviter=by)
            assert [r.email for r in into.list_open(acme)] == ["c@example.com"]
            for _ in range(3):
                into.resend(row, actor=by)
            for act in (
                lambda: into.resend(row, actor=by),
                lambda: into.invite(acme, "d@example.com", "member", inviter=by),
            ):
                with pytest.raises(RateLimited):
                    act()

    def test_one_that_was_answered_is_not_sent_again(self, acme, by):
        row = into.invite(acme, "a@example.com", "member", inviter=by)
        into.withdraw(row, actor=by)
        for act in (into.withdraw, into.resend):
            with pytest.raises(NotFound):
                act(row, actor=by)
        with pytest.raises(NotFound):
            into.get_open(acme, row.pk)


class TestToARepository:
    def test_from_the_mail_to_the_role(self, app, bob, by):
        to.invite(app, "x@example.com", "write", inviter=by)
        assert "alice/app" not in OutgoingMail.objects.get().subject
        assert [row.email for row in to.list_open(app)] == ["x@example.com"]
        found = to.accept_any(mailed(), bob, actor=actor(bob))
        assert found.repository == app
        assert Collaborator.objects.get(user=bob).role == "write"
        assert kinds() == ["repository_invitation.sent", "repository_invitation.accepted"]
        with pytest.raises(NotFound):
            to.get_any(mailed())

    def test_who_has_more_keeps_it(self, app, bob, by):
        Collaborator.objects.create(repository=app, user=bob, role="admin")
        to.invite(app, "x@example.com", "read", inviter=by)
        to.accept(mailed(), bob, actor=actor(bob))
        assert Collaborator.objects.get(user=bob).role == "admin"
        assert not RepositoryInvitation.objects.exists()

    @pytest.mark.parametrize("end", ["withdrawn", "refused", "deleted", "no admin", "gone"])
    def test_it_ends(self, app, alice, bob, by, end):
        carol = person("carol")
        Collaborator.objects.create(repository=app, user=carol, role="admin")
        row = to.invite(app, "x@example.com", "read", inviter=actor(carol))
        assert to.get_any(mailed()) == row
        if end == "withdrawn":
            to.withdraw(to.get_open(app, row.pk), actor=by)
        elif end == "refused":
            to.refuse_any(mailed(), actor=actor(bob))
        elif end == "deleted":
            Repository.objects.filter(pk=app.pk).update(state="deleting")
        elif end == "no admin":
            Collaborator.objects.filter(user=carol).update(role="write")
        else:
            User.objects.filter(pk=carol.pk).update(is_active=False)
        with pytest.raises(NotFound):
            to.accept(mailed(), bob, actor=actor(bob))
        assert not Collaborator.objects.filter(user=bob).exists()

    def test_sent_again_it_is_of_whoever_sent_it(self, app, by):
        row = to.invite(app, "x@example.com", "read", inviter=by)
        first, carol = mailed(), person("carol")
        Collaborator.objects.create(repository=app, user=carol, role="admin")
        to.resend(row, actor=actor(carol))
        with pytest.raises(NotFound):
            to.get_any(first)
        assert to.get_any(mailed()).invited_by == carol

    def test_bad_wishes_and_limits(self, app, by, monkeypatch):
        with pytest.raises(Invalid):
            to.invite(app, "x@example.com", "owner", inviter=by)
        monkeypatch.setattr(into, "MAX_OPEN", 1)
        to.invite(app, "a@example.com", "read", inviter=by)
        with pytest.raises(Conflict):
            to.invite(app, "b@example.com", "read", inviter=by)
        Repository.objects.filter(pk=app.pk).update(state="deleting")
        with pytest.raises(NotFound):
            to.invite(app, "a@example.com", "read", inviter=by)
