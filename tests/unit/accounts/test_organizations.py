"""Organizations: there is always an owner, switches keep their promises, a name stays retired."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from accounts.errors import LastOwner, NameTaken
from accounts.models import (
    Membership,
    Namespace,
    NamespaceAlias,
    Organization,
    RetiredName,
    Team,
    TeamMembership,
    User,
)
from accounts.selectors import is_member, is_owner
from accounts.services import organizations
from accounts.services.invitations import invite
from accounts.services.organizations import (
    create_organization,
    delete_organization,
    drop_emptied,
    remove_member,
    set_member,
    transfer_ownership,
    update_organization,
)
from accounts.services.robots import create_robot
from accounts.services.teams import add_to_team, create_team
from core.errors import Conflict, Invalid, NotFound
from events.models import Event
from events.types import Actor
from repos.models import Repository
from repos.services.repositories import create_repository, delete_repository
from tests.unit.repos.people import person, repository

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(alice):
    return create_organization(alice, name="acme", display_name="Acme")


@pytest.fixture
def by(alice):
    return Actor(alice.pk, "alice", "session")


def audited(kind):
    return [e.payload for e in Event.objects.filter(kind=kind).order_by("pk")]


def test_an_organization_comes_with_its_namespace_and_first_owner(acme, alice):
    assert acme.namespace.kind == "org"
    assert is_owner(alice.pk, acme)
    assert Membership.objects.count() == 1
    event = Event.objects.get(kind="organization.created")
    assert (event.actor_name, event.namespace_id) == ("alice", acme.namespace.pk)
    assert event.payload["after"] == {"name": "acme", "owner": "alice"}


def test_a_bad_or_taken_name_makes_nothing(acme, alice):
    for name, error in (("A", Invalid), ("api", Invalid), ("acme", NameTaken)):
        with pytest.raises(error):
            create_organization(alice, name=name)
    for name in ("organizations", "invitations"):
        with pytest.raises(Invalid):
            create_organization(alice, name=name)
    person("bob")
    with pytest.raises(NameTaken):
        create_organization(alice, name="bob")
    with pytest.raises(Invalid):
        create_organization(alice, name="long", description="x" * 301)
    assert Organization.objects.count() == 1


def test_an_error_at_the_end_leaves_no_organization(alice, monkeypatch):
    def explode(**_):
        raise MemoryError

    monkeypatch.setattr(organizations.Membership.objects, "create", explode)
    with pytest.raises(MemoryError):
        create_organization(alice, name="acme")
    assert not Organization.objects.exists()
    assert not Namespace.objects.filter(name="acme").exists()


class TestMembers:
    def test_they_join_change_their_role_and_leave(self, acme, alice, by):
        bob = person("bob")
        set_member(acme, bob, "member", actor=by)
        assert is_member(bob.pk, acme)
        assert not is_owner(bob.pk, acme)
        set_member(acme, bob, "owner", actor=by)
        set_member(acme, bob, "owner", actor=by)
        set_member(acme, alice, "member", actor=by)
        assert is_owner(bob.pk, acme)
        remove_member(acme, alice, actor=by)
        with pytest.raises(NotFound):
            remove_member(acme, alice, actor=by)
        with pytest.raises(Invalid):
            set_member(acme, alice, "admin", actor=by)
        assert [p["user"] for p in audited("member.added")] == ["bob"]
        assert [(p["before"], p["after"]) for p in audited("member.role")] == [
            ({"role": "member"}, {"role": "owner"}),
            ({"role": "owner"}, {"role": "member"}),
        ]
        assert audited("member.removed")[0]["before"] == {"role": "member", "teams": []}

    def test_the_last_owner_can_neither_leave_nor_step_down(self, acme, alice, by):
        set_member(acme, person("bob"), "member", actor=by)
        for act in (
            lambda: remove_member(acme, alice, actor=by),
            lambda: set_member(acme, alice, "member", actor=by),
        ):
            with pytest.raises(LastOwner):
                act()
        assert is_owner(alice.pk, acme)
        set_member(acme, alice, "owner", actor=by)

    def test_a_deactivated_owner_is_none_to_count_on_and_can_be_removed(self, acme, alice, by):
        bob = person("bob")
        set_member(acme, bob, "owner", actor=by)
        User.objects.filter(pk=bob.pk).update(is_active=False)
        with pytest.raises(LastOwner):
            remove_member(acme, alice, actor=by)
        remove_member(acme, bob, actor=by)
        assert not is_member(bob.pk, acme)

    def test_whoever_changes_them_holds_the_organization(self, acme, alice, by, monkeypatch):
        held = []
        real = organizations.lock
        monkeypatch.setattr(organizations, "lock", lambda o: held.append(o.pk) or real(o))
        bob = person("bob")
        set_member(acme, bob, "owner", actor=by)
        transfer_ownership(acme, alice, bob, actor=by)
        remove_member(acme, alice, actor=by)
        assert held == [acme.pk] * 3
        assert connection.in_atomic_block

    def test_who_leaves_the_organization_leaves_its_teams_and_no_others(self, acme, alice, by):
        bob = person("bob")
        other = create_organization(alice, name="other")
        for org in (acme, other):
            set_member(org, bob, "member", actor=by)
            add_to_team(create_team(org, "crew", actor=by), bob, actor=by)
        remove_member(acme, bob, actor=by)
        assert [m.team.organization.name for m in TeamMembership.objects.all()] == ["other"]
        assert audited("member.removed")[0]["before"]["teams"] == ["crew"]

    def test_an_error_at_the_end_of_a_removal_keeps_the_member(self, acme, by, monkeypatch):
        bob = person("bob")
        set_member(acme, bob, "member", actor=by)

        def explode(*_, **__):
            raise MemoryError

        monkeypatch.setattr(organizations, "audit", explode)
        with pytest.raises(MemoryError):
            remove_member(acme, bob, actor=by)
        assert is_member(bob.pk, acme)

    def test_ownership_goes_over_in_one_act(self, acme, alice, by):
        bob = person("bob")
        with pytest.raises(Invalid):
            transfer_ownership(acme, alice, bob, actor=by)
        set_member(acme, bob, "member", actor=by)
        with pytest.raises(Invalid):
            transfer_ownership(acme, alice, alice, actor=by)
        transfer_ownership(acme, alice, bob, actor=by)
        assert is_owner(bob.pk, acme)
        assert not is_owner(alice.pk, acme)
        with pytest.raises(NotFound):
            transfer_ownership(acme, alice, bob, actor=by)

    @pytest.mark.parametrize(
        ("of_bob", "of_acme"),
        [
            ({"is_active": False}, {}),
            ({"is_verified": False}, {}),
            ({}, {"second_factor_required": True}),
        ],
    )
    def test_nobody_gets_it_who_could_not_act_as_owner(self, acme, alice, by, of_bob, of_acme):
        bob = person("bob")
        set_member(acme, bob, "member", actor=by)
        for name, value in of_bob.items():
            setattr(bob, name, value)
        bob.save()
        Organization.objects.filter(pk=acme.pk).update(**{"created_at": timezone.now(), **of_acme})
        with pytest.raises(Invalid):
            transfer_ownership(acme, alice, bob, actor=by)
        assert is_owner(alice.pk, acme)


class TestSwitches:
    def test_what_is_given_changes_and_is_written_down(self, acme, by):
        update_organization(acme, actor=by, base_role="read", members_create=True)
        update_organization(acme, actor=by, base_role="read")
        acme.refresh_from_db()
        assert (acme.base_role, acme.members_create) == ("read", True)
        (payload,) = audited("organization.changed")
        assert payload["before"] == {"base_role": "", "members_create": False}
        assert payload["after"] == {"base_role": "read", "members_create": True}

    def test_unknown_roles_and_long_texts_are_refused(self, acme, by):
        for values in ({"base_role": "boss"}, {"description": "x" * 301}):
            with pytest.raises(Invalid):
                update_organization(acme, actor=by, **values)
        with pytest.raises(TypeError):
            update_organization(acme, actor=by, name="other")

    def test_public_repositories_are_made_private_before_they_are_forbidden(self, acme, by):
        shown = repository(acme.namespace, "app", visibility="public")
        repository(acme.namespace, "gone", visibility="public", state="deleted")
        with pytest.raises(Conflict, match="public repositories: 1"):
            update_organization(acme, actor=by, public_allowed=False)
        Repository.objects.filter(pk=shown.pk).update(visibility="private")
        update_organization(acme, actor=by, public_allowed=False)
        with pytest.raises(Invalid):
            update_organization(acme, actor=by, default_public=True)
        acme.refresh_from_db()
        assert (acme.public_allowed, acme.default_public) == (False, False)

    def test_nobody_shuts_themselves_out(self, acme, alice, by):
        with pytest.raises(Conflict, match="second factor for yourself"):
            update_organization(acme, actor=by, second_factor_required=True)
        User.objects.filter(pk=alice.pk).update(second_factor=True)
        update_organization(acme, actor=by, second_factor_required=True)


class TestDeleting:
    def test_not_while_it_has_repositories(self, acme, by):
        create_repository(acme.namespace, "app", actor=by)
        with pytest.raises(Conflict, match="still has repositories: 1"):
            delete_organization(acme, actor=by)

    def test_an_empty_one_goes_with_all_that_is_its_own(self, acme, alice, by):
        place = acme.namespace.pk
        create_team(acme, "crew", actor=by)
        create_robot(acme.namespace, "ci", actor=by)
        NamespaceAlias.objects.create(namespace=acme.namespace, old_name="former")
        invite(acme, "x@example.com", "member", inviter=by)
        delete_organization(acme, actor=by)
        assert not Organization.objects.exists()
        assert not Team.objects.exists()
        assert not Namespace.objects.filter(pk=place).exists()
        assert not User.objects.filter(username="acme+ci").exists()
        event = Event.objects.get(kind="organization.deleted")
        assert event.namespace_id == place
        assert event.payload["before"] == {"name": "acme", "members": 1}
        retired = {row.name: row.free_at for row in RetiredName.objects.all()}
        assert set(retired) == {"acme", "former"}
        for name in retired:
            with pytest.raises(NameTaken):
                create_organization(alice, name=name)
        with time_machine.travel(timezone.now() + timedelta(days=181)):
            create_organization(alice, name="acme")

    def test_what_deleted_repositories_leave_goes_later(self, acme, alice, by):
        row = create_repository(acme.namespace, "app", actor=by)
        delete_repository(row, actor=by)
        delete_organization(acme, actor=by)
        left = Namespace.objects.get(pk=acme.namespace.pk)
        assert left.name == f"~{left.pk}"
        assert not Membership.objects.exists()
        assert drop_emptied() == 0
        with pytest.raises(NotFound):
            delete_organization(left.organization, actor=by)
        with pytest.raises(NotFound):
            set_member(left.organization, alice, "owner", actor=by)
        Repository.objects.all().delete()
        assert drop_emptied() == 1
        assert not Organization.objects.exists()
