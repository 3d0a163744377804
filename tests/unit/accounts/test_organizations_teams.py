"""Teams hold members only, and everything about them is written down."""

from __future__ import annotations

import pytest

from accounts.errors import NameTaken
from accounts.models import Team
from accounts.services.organizations import create_organization, set_member
from accounts.services.teams import (
    add_to_team,
    create_team,
    delete_team,
    remove_from_team,
    teams_for,
    update_team,
)
from core.errors import Conflict, Invalid, NotFound
from events.models import Event
from events.types import Actor
from tests.unit.repos.people import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def by(alice):
    return Actor(alice.pk, "alice", "session")


@pytest.fixture
def acme(alice):
    return create_organization(alice, name="acme")


@pytest.fixture
def crew(acme, by):
    return create_team(acme, "crew", actor=by)


def test_names_are_of_their_own_organization(acme, crew, alice, by):
    with pytest.raises(NameTaken):
        create_team(acme, "crew", actor=by)
    create_team(create_organization(alice, name="other"), "crew", actor=by)
    for name in ("", "Crew", "a b", "../x", "a" * 61, "new"):
        with pytest.raises(Invalid):
            create_team(acme, name, actor=by)
    for values in ({"base_role": "boss"}, {"description": "x" * 301}):
        with pytest.raises(Invalid):
            create_team(acme, "more", actor=by, **values)
    assert Team.objects.count() == 2


def test_there_are_not_endlessly_many(acme, crew, by, monkeypatch):
    monkeypatch.setattr("accounts.services.teams.MAX_TEAMS", 1)
    with pytest.raises(Conflict):
        create_team(acme, "more", actor=by)


def test_only_members_join_and_joining_twice_is_once(acme, crew, by):
    bob = person("bob")
    with pytest.raises(Invalid):
        add_to_team(crew, bob, actor=by)
    set_member(acme, bob, "member", actor=by)
    assert add_to_team(crew, bob, actor=by) == add_to_team(crew, bob, actor=by)
    remove_from_team(crew, bob, actor=by)
    with pytest.raises(NotFound):
        remove_from_team(crew, bob, actor=by)
    kinds = Event.objects.filter(kind__startswith="team.").order_by("pk")
    assert [e.kind for e in kinds] == ["team.created", "team.member_added", "team.member_removed"]
    assert {e.namespace_id for e in kinds} == {acme.namespace.pk}


def test_changes_say_what_was_there_before(crew, acme, by):
    create_team(acme, "other", actor=by)
    update_team(crew, actor=by, name="builders", base_role="write")
    update_team(crew, actor=by, base_role="write")
    with pytest.raises(NameTaken):
        update_team(crew, actor=by, name="other")
    with pytest.raises(Invalid):
        update_team(crew, actor=by, name="No")
    event = Event.objects.get(kind="team.changed")
    assert event.payload["before"] == {"name": "crew", "base_role": ""}
    assert event.payload["after"] == {"name": "builders", "base_role": "write"}


def test_deleting_says_who_was_in_it(crew, acme, alice, by):
    add_to_team(crew, alice, actor=by)
    delete_team(crew, actor=by)
    assert Event.objects.get(kind="team.deleted").payload["before"]["members"] == ["alice"]
    for act in (
        lambda: delete_team(crew, actor=by),
        lambda: update_team(crew, actor=by, name="x"),
        lambda: add_to_team(crew, alice, actor=by),
    ):
        with pytest.raises(NotFound):
            act()


def test_members_know_their_own(acme, crew, alice, by):
    create_team(acme, "others", actor=by)
    add_to_team(crew, alice, actor=by)
    assert [t.name for t in teams_for(acme, alice.pk, owner=False)] == ["crew"]
    assert [t.name for t in teams_for(acme, alice.pk, owner=True)] == ["crew", "others"]
