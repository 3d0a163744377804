"""Organizations: there is always an owner, and teams hold members only."""

from __future__ import annotations

import pytest

from accounts.errors import LastOwner, NameTaken
from accounts.models import Membership, Namespace, Organization, Team, TeamMembership
from accounts.selectors import is_member, is_owner
from accounts.services import organizations
from accounts.services.organizations import (
    add_to_team,
    create_organization,
    create_team,
    remove_from_team,
    remove_member,
    set_member,
)
from core.errors import Invalid, NotFound
from tests.unit.repos.people import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(alice):
    return create_organization(alice, name="acme", display_name="Acme")


def test_an_organization_comes_with_its_namespace_and_first_owner(acme, alice):
    assert acme.namespace.kind == "org"
    assert is_owner(alice.pk, acme)
    assert Membership.objects.count() == 1


def test_a_bad_or_taken_name_makes_nothing(acme, alice):
    for name, error in (("A", Invalid), ("api", Invalid), ("acme", NameTaken)):
        with pytest.raises(error):
            create_organization(alice, name=name)
    person("bob")
    with pytest.raises(NameTaken):
        create_organization(alice, name="bob")
    assert Organization.objects.count() == 1


def test_an_error_at_the_end_leaves_no_organization(alice, monkeypatch):
    def explode(**_):
        raise MemoryError

    monkeypatch.setattr(organizations.Membership.objects, "create", explode)
    with pytest.raises(MemoryError):
        create_organization(alice, name="acme")
    assert not Organization.objects.exists()
    assert not Namespace.objects.filter(name="acme").exists()


def test_members_join_change_their_role_and_leave(acme, alice):
    bob = person("bob")
    set_member(acme, bob, "member")
    assert is_member(bob.pk, acme)
    assert not is_owner(bob.pk, acme)
    set_member(acme, bob, "owner")
    set_member(acme, alice, "member")
    assert is_owner(bob.pk, acme)
    remove_member(acme, alice)
    with pytest.raises(NotFound):
        remove_member(acme, alice)
    with pytest.raises(Invalid):
        set_member(acme, alice, "admin")


def test_the_last_owner_can_neither_leave_nor_step_down(acme, alice):
    set_member(acme, person("bob"), "member")
    for act in (lambda: remove_member(acme, alice), lambda: set_member(acme, alice, "member")):
        with pytest.raises(LastOwner):
            act()
    assert is_owner(alice.pk, acme)
    set_member(acme, alice, "owner")


def test_who_leaves_the_organization_leaves_its_teams_and_no_others(acme, alice):
    bob = person("bob")
    other = create_organization(alice, name="other")
    for org in (acme, other):
        set_member(org, bob, "member")
        add_to_team(create_team(org, "crew"), bob)
    remove_member(acme, bob)
    assert [m.team.organization.name for m in TeamMembership.objects.all()] == ["other"]


def test_an_error_at_the_end_of_a_removal_keeps_the_member(acme, alice, monkeypatch):
    bob = person("bob")
    set_member(acme, bob, "member")

    def explode(**_):
        raise MemoryError

    monkeypatch.setattr(organizations.TeamMembership.objects, "filter", explode)
    with pytest.raises(MemoryError):
        remove_member(acme, bob)
    assert is_member(bob.pk, acme)


def test_teams_have_names_of_their_own_organization(acme, alice):
    create_team(acme, "crew")
    with pytest.raises(NameTaken):
        create_team(acme, "crew")
    create_team(create_organization(alice, name="other"), "crew")
    for name in ("", "Crew", "a b", "../x", "a" * 61):
        with pytest.raises(Invalid):
            create_team(acme, name)
    assert Team.objects.count() == 2


def test_only_members_join_teams_and_joining_twice_is_once(acme, alice):
    crew, bob = create_team(acme, "crew"), person("bob")
    with pytest.raises(Invalid):
        add_to_team(crew, bob)
    set_member(acme, bob, "member")
    assert add_to_team(crew, bob) == add_to_team(crew, bob)
    remove_from_team(crew, bob)
    with pytest.raises(NotFound):
        remove_from_team(crew, bob)
