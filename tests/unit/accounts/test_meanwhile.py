"""What changes while somebody decides is looked at again, and what goes takes its rest with it."""

from __future__ import annotations

import pytest

from accounts.models import Invitation, Membership, OutgoingMail, TeamMembership, User
from accounts.services import invitations, organizations
from accounts.services.invitations import accept, checked_email, find, invite, list_open
from accounts.services.organizations import create_organization, set_member
from accounts.services.robots import create_robot, delete_robot, update_robot
from accounts.services.teams import create_team, delete_team, invitations_into, let_in
from core.errors import Invalid, NotFound, RateLimited
from events.models import Event
from events.types import Actor
from repos.models import Collaborator
from repos.services import invitations as to_repository
from tests.unit.accounts.test_invitations import mailed
from tests.unit.repos.people import person, repository

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]


def actor(user):
    return Actor(user.pk, user.username, "session")


@pytest.fixture
def acme(alice):
    return create_organization(alice, name="acme")


@pytest.fixture
def bob():
    return person("bob")


class TestInvitations:
    def test_the_sender_is_looked_at_again_under_the_lock(self, acme, alice, bob, monkeypatch):
        invite(acme, "x@example.com", "owner", inviter=actor(alice))
        lock = invitations.lock

        def meanwhile(organization):
            Membership.objects.filter(user=alice).update(role="member")
            return lock(organization)

        monkeypatch.setattr(invitations, "lock", meanwhile)
        with pytest.raises(NotFound):
            accept(mailed(), bob, actor=actor(bob))
        assert not Membership.objects.filter(user=bob).exists()
        assert Invitation.objects.exists()

    def test_so_is_that_of_one_to_a_repository(self, alice, bob, monkeypatch):
        app, carol = repository(alice.namespace, "app"), person("carol")
        Collaborator.objects.create(repository=app, user=carol, role="admin")
        to_repository.invite(app, "x@example.com", "read", inviter=actor(carol))
        lock = to_repository._lock

        def meanwhile(row):
            Collaborator.objects.filter(user=carol).update(role="read")
            lock(row)

        monkeypatch.setattr(to_repository, "_lock", meanwhile)
        with pytest.raises(NotFound):
            to_repository.accept(mailed(), bob, actor=actor(bob))
        assert not Collaborator.objects.filter(user=bob).exists()

    def test_those_of_former_owners_are_not_open(self, acme, alice, bob, monkeypatch):
        monkeypatch.setattr(invitations, "MAX_OPEN", 1)
        set_member(acme, bob, "owner", actor=actor(alice))
        row = invite(acme, "x@example.com", "member", inviter=actor(bob))
        assert list(list_open(acme)) == [row]
        set_member(acme, bob, "member", actor=actor(alice))
        assert not list_open(acme).exists()
        assert find(mailed()) is None
        again = invite(acme, "y@example.com", "member", inviter=actor(alice))
        assert list(list_open(acme)) == [again]

    def test_those_into_a_team_are_withdrawn_with_it(self, acme, alice):
        crew = create_team(acme, "crew", actor=actor(alice))
        invite(acme, "x@example.com", "member", inviter=actor(alice), team=crew)
        invite(acme, "y@example.com", "member", inviter=actor(alice))
        assert invitations_into(crew).count() == 1
        delete_team(crew, actor=actor(alice))
        assert [row.email for row in list_open(acme)] == ["y@example.com"]
        entry = Event.objects.get(kind="invitation.withdrawn")
        assert (entry.payload["email"], entry.payload["team"]) == ("x@example.com", "crew")

    def test_an_address_fits_into_its_column(self, acme, alice):
        long = f"{'a' * 60}@{'.'.join(['b' * 50] * 4)}.example.com"
        assert len(long) > 254
        with pytest.raises(Invalid):
            invite(acme, long, "member", inviter=actor(alice))
        assert checked_email(" A@Example.com ") == "a@example.com"
        assert not OutgoingMail.objects.exists()


class TestLettingIn:
    def test_adding_never_changes_a_role(self, acme, alice, bob):
        crew = create_team(acme, "crew", actor=actor(alice))
        assert let_in(acme, bob, "member", actor=actor(alice))
        assert not let_in(acme, bob, "owner", actor=actor(alice), team=crew)
        assert not let_in(acme, alice, "member", actor=actor(alice))
        assert Membership.objects.get(user=bob).role == "member"
        assert Membership.objects.get(user=alice).role == "owner"
        assert TeamMembership.objects.get().user == bob

    def test_both_or_neither(self, acme, alice, bob):
        crew = create_team(acme, "crew", actor=actor(alice))
        crew.delete()
        crew.pk = 999
        with pytest.raises(NotFound):
            let_in(acme, bob, "member", actor=actor(alice), team=crew)
        assert not Membership.objects.filter(user=bob).exists()


def test_a_robot_that_was_deleted_is_not_changed(alice):
    robot = create_robot(alice.namespace, "ci", actor=actor(alice))
    delete_robot(User.objects.get(pk=robot.pk), actor=actor(alice))
    with pytest.raises(NotFound):
        update_robot(robot, role="read", actor=actor(alice))


def test_a_robot_is_changed_from_what_it_is_now(alice):
    robot = create_robot(alice.namespace, "ci", actor=actor(alice))
    stale = User.objects.get(pk=robot.pk)
    update_robot(robot, role="read", actor=actor(alice))
    update_robot(stale, description="Builds", actor=actor(alice))
    robot.refresh_from_db()
    assert (robot.robot_role, robot.bio) == ("read", "Builds")


def test_one_person_makes_so_many_organizations_a_day(alice, bob, monkeypatch):
    monkeypatch.setattr(organizations, "MAX_A_DAY", 2)
    for name in ("one", "two"):
        create_organization(alice, name=name)
    with pytest.raises(RateLimited):
        create_organization(alice, name="three")
    create_organization(bob, name="three")
