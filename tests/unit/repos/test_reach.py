"""Who reaches what agrees with decide(), names every source, and costs the same for any number."""

from __future__ import annotations

import pytest

from accounts.models import Membership, User
from accounts.services.credentials import principal_of
from repos.models import Collaborator, TeamGrant
from repos.permissions import held_roles
from repos.reach import (
    changes_without_collaborator,
    changes_without_grant,
    changes_without_member,
    changes_without_team,
    reach_in,
    reachable,
    who_reaches,
)
from tests.unit.repos.people import organization, person, repository, team

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    owner = person("olga")
    acme = organization("acme", owner)
    app, tool = repository(acme.namespace, "app"), repository(acme.namespace, "tool")
    people = {n: person(n) for n in ("rita", "willi", "tom", "bea", "mia", "eve")}
    Collaborator.objects.create(repository=app, user=people["rita"], role="read")
    Collaborator.objects.create(repository=app, user=people["willi"], role="write")
    builders = team(acme, "builders", people["tom"], people["willi"])
    TeamGrant.objects.create(repository=app, team=builders, role="write")
    readers = team(acme, "readers", people["bea"])
    readers.base_role = "read"
    readers.save()
    Membership.objects.create(organization=acme, user=people["mia"])
    robot = User.objects.create(
        username="acme+ci", robot_namespace=acme.namespace, robot_role="write", password="!"
    )
    people |= {"olga": owner, "acme+ci": robot}
    return acme, app, tool, people


def all_of(user):
    return reach_in(user, reachable(user))


def told(rows):
    return {(r.user.username, r.repository.path, r.role, len(r.sources)) for r in rows}


def test_everybody_with_a_role_is_there_with_every_source(world):
    _, app, _, _ = world
    assert told(who_reaches(app)) == {
        ("olga", "acme/app", "admin", 1),
        ("willi", "acme/app", "write", 2),
        ("tom", "acme/app", "write", 1),
        ("acme+ci", "acme/app", "write", 1),
        ("rita", "acme/app", "read", 1),
        ("bea", "acme/app", "read", 1),
    }


def test_it_agrees_with_the_decision_for_everybody(world):
    acme, app, tool, people = world
    for base_role in ("", "read", "write"):
        for demanded in (False, True):
            acme.base_role, acme.second_factor_required = base_role, demanded
            acme.save()
            for repo in (app, tool):
                repo.refresh_from_db()
                repo.namespace.organization.refresh_from_db()
                reaches = {r.user.username: r for r in who_reaches(repo)}
                for name, user in people.items():
                    held = held_roles(principal_of(user), repo)
                    row = reaches.get(name)
                    roles = sorted(s.role for s in row.sources) if row and row.role else []
                    assert roles == sorted(h.role for h in held), (name, repo.path, base_role)


def test_ones_own_reach_is_everything_one_holds_a_role_on(world):
    _, _, _, people = world
    mine = repository(people["tom"].namespace, "own")
    assert told(all_of(people["tom"])) == {
        ("tom", "acme/app", "write", 1),
        ("tom", mine.path, "admin", 1),
    }
    assert told(all_of(people["bea"])) == {
        ("bea", "acme/app", "read", 1),
        ("bea", "acme/tool", "read", 1),
    }
    assert all_of(people["eve"]) == []


def test_what_changes_counts_only_what_is_not_held_otherwise(world):
    acme, app, _, people = world
    builders = acme.teams.get(name="builders")
    lost = {("tom", "acme/app", "write", "")}
    for changes in (changes_without_team(builders), changes_without_grant(app, builders)):
        assert {(c.name, c.path, c.before, c.after) for c in changes} == lost
    Collaborator.objects.filter(user=people["willi"]).update(role="read")
    assert len(changes_without_team(builders)) == 2
    (change,) = changes_without_collaborator(app, people["rita"])
    assert (change.before, change.after) == ("read", "")
    assert changes_without_collaborator(app, people["willi"]) == []


def test_a_member_who_leaves_keeps_what_they_were_given_directly(world):
    acme, _, _, people = world
    (change,) = changes_without_member(acme, people["willi"]) or [None]
    assert change is None or change.after == "write"
    lost = changes_without_member(acme, people["bea"])
    assert {(c.path, c.before, c.after) for c in lost} == {
        ("acme/app", "read", ""),
        ("acme/tool", "read", ""),
    }


def test_nothing_is_lost_where_everybody_may_read(world):
    acme, app, tool, people = world
    for repo in (app, tool):
        repo.visibility = "public"
        repo.save()
    assert changes_without_member(acme, people["bea"]) == []


def test_the_number_of_queries_does_not_grow(world, django_assert_num_queries):
    acme, app, _, _ = world
    with django_assert_num_queries(6):
        who_reaches(app)
    for n in range(10):
        one = person(f"more{n}")
        Collaborator.objects.create(repository=app, user=one, role="read")
        TeamGrant.objects.create(repository=app, team=team(acme, f"t{n}", one), role="read")
    with django_assert_num_queries(6):
        assert len(who_reaches(app)) == 16
