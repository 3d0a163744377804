"""decide(): every person, visibility, action and token; and the lists agree with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Membership, Namespace, TeamMembership, User
from accounts.services.credentials import principal_of
from accounts.services.signup import create_user, ensure_library
from accounts.types import ANONYMOUS
from core.errors import Denied, NotFound, Unauthenticated
from events.models import Event
from events.types import Actor
from repos.models import Collaborator, Opening, Repository, TeamGrant
from repos.permissions import (
    decide,
    find_visible,
    held_by,
    held_roles,
    may_create,
    member_ids,
    require,
    visible_in,
    visible_to,
)
from repos.services.repositories import create_repository
from tests.unit.repos.people import organization, person, principal, repository, team

pytestmark = pytest.mark.django_db

ACTIONS = ("see", "pull", "star", "comment", "push", "delete", "administer")
NONE, READ, WRITE, ADMIN = 0, 4, 6, 7  # how many of the actions each role may do
PEOPLE = {
    # person: (actions on a private repository, on a public one)
    "anonymous": (NONE, 2),
    "stranger": (NONE, READ),
    "superuser": (NONE, READ),
    "member": (NONE, READ),
    "reader": (READ, READ),
    "writer": (WRITE, WRITE),
    "admin": (ADMIN, ADMIN),
    "team reader": (READ, READ),
    "team writer": (WRITE, WRITE),
    "reader in a team of writers": (WRITE, WRITE),
    "owner of the organization": (ADMIN, ADMIN),
}


@pytest.fixture
def world():
    """An organization's repository and everybody who may look at it."""
    owner = person("owner")
    acme = organization("acme", owner)
    repo = repository(acme.namespace, "app")
    people = {name: person(f"p{n}") for n, name in enumerate(PEOPLE) if name != "anonymous"}
    people["owner of the organization"] = owner
    people["anonymous"] = None
    people["superuser"].is_superuser = True
    people["superuser"].save()
    Membership.objects.create(organization=acme, user=people["member"])
    for name in ("reader", "writer", "admin"):
        role = name.replace("er", "").replace("writ", "write")
        Collaborator.objects.create(repository=repo, user=people[name], role=role)
    both = people["reader in a team of writers"]
    Collaborator.objects.create(repository=repo, user=both, role="read")
    readers = team(acme, "readers", people["team reader"])
    writers = team(acme, "writers", people["team writer"], both)
    TeamGrant.objects.create(repository=repo, team=readers, role="read")
    TeamGrant.objects.create(repository=repo, team=writers, role="write")
    return repo, people


@pytest.mark.parametrize("visibility", ["private", "public"])
@pytest.mark.parametrize("name", PEOPLE)
def test_what_each_person_may_do(world, name, visibility):
    repo, people = world
    repo.visibility = visibility
    repo.save()
    who = principal(people[name])
    allowed = PEOPLE[name][visibility == "public"]
    for number, action in enumerate(ACTIONS):
        decision = decide(who, action, repo)
        if number < allowed:
            assert (decision.outcome, decision.code) == ("allow", "ok"), action
        elif allowed:
            assert decision.outcome == "deny", action
            expected = "sign_in" if name == "anonymous" else "role_missing"
            assert decision.code == expected
            assert decision.reasons[0]
        else:
            assert (decision.outcome, decision.code) == ("invisible", "not_found"), action
            assert "acme" not in decision.reasons[0]
    assert visible_to(who).filter(pk=repo.pk).exists() is (allowed > 0)


@pytest.mark.parametrize("visibility", ["private", "public"])
@pytest.mark.parametrize(
    ("scopes", "reaches"),
    [
        (["acme/app:pull"], {"see", "pull"}),
        (["acme/app:push"], {"see", "push"}),
        (["acme/app:delete"], {"see", "delete"}),
        (["acme/*:pull,push"], {"see", "pull", "push"}),
        (["*:pull,push,delete"], {"see", "pull", "push", "delete"}),
        (["acme/app:pull", "*:push"], {"see", "pull", "push"}),
        (["acme/other:pull,push,delete"], set()),
        (["acme/ap:pull"], set()),
        (["acme/app/*:pull"], set()),
        (["cme/app:pull"], set()),
    ],
)
def test_a_limited_token_reaches_the_smaller_of_its_scopes_and_the_role(
    world, scopes, reaches, visibility
):
    repo, people = world
    repo.visibility = visibility
    repo.save()
    public = {"see", "pull"} if visibility == "public" else set()
    for name, may in (("admin", ADMIN), ("team writer", WRITE), ("reader", READ)):
        who = principal(people[name], *scopes)
        expected = (reaches & set(ACTIONS[:may])) | public
        got = {action for action in ACTIONS if decide(who, action, repo).allowed}
        assert got == expected, name
        codes = {decide(who, a, repo).code for a in set(ACTIONS[:may]) - expected}
        assert codes <= ({"not_found"} if not (reaches or public) else {"token_scope"})


def test_no_token_with_scopes_administers_stars_or_comments(world):
    repo, people = world
    who = principal(people["owner of the organization"], "*:pull,push,delete")
    for action in ("administer", "star", "comment"):
        assert decide(who, action, repo).code == "token_scope"


def test_a_token_of_somebody_without_a_role_reaches_nothing_private(world):
    repo, people = world
    who = principal(people["stranger"], "*:pull,push,delete")
    assert {decide(who, action, repo).outcome for action in ACTIONS} == {"invisible"}


def test_reasons_tell_where_a_role_comes_from(world):
    repo, people = world
    both = principal(people["reader in a team of writers"])
    assert {(h.role, h.source) for h in held_roles(both, repo)} == {
        ("read", "collaborator with the role read"),
        ("write", "team writers with the role write"),
    }
    owner = principal(people["owner of the organization"])
    assert decide(owner, "push", repo).reasons == ("owner of the organization acme",)


def test_a_role_taken_away_counts_at_once(world):
    repo, people = world
    writer, mate = people["writer"], people["team writer"]
    Collaborator.objects.filter(user=writer).delete()
    TeamMembership.objects.filter(user=mate).delete()
    for user in (writer, mate):
        assert decide(principal(user), "see", repo).outcome == "invisible"
        assert not visible_to(principal(user)).exists()


def test_require_answers_as_absent_to_sign_in_or_with_a_code(world):
    repo, people = world
    with pytest.raises(NotFound, match="There is no such repository"):
        require(principal(people["stranger"]), "pull", repo)
    repo.visibility = "public"
    with pytest.raises(Unauthenticated):
        require(ANONYMOUS, "push", repo)
    with pytest.raises(Denied) as caught:
        require(principal(people["reader"]), "push", repo)
    assert caught.value.code == "role_missing"
    assert require(principal(people["reader"]), "pull", repo).role == "read"


def test_a_path_is_found_only_by_who_may_see_it(world):
    repo, people = world
    assert find_visible(principal(people["stranger"]), repo.path) is None
    assert find_visible(principal(people["stranger"]), "acme/absent") is None
    assert find_visible(principal(people["reader"]), repo.path) == repo
    assert find_visible(principal(people["reader"], "acme/*:pull"), repo.path) == repo
    assert find_visible(principal(people["reader"], "other/*:pull"), repo.path) is None


def test_who_may_make_repositories_where(world):
    _, people = world
    acme = Namespace.objects.get(name="acme")
    library = Namespace.objects.create(name="library", kind="library")
    owner, member = people["owner of the organization"], people["member"]
    assert may_create(principal(owner), acme)
    assert not may_create(principal(member), acme)
    assert not may_create(principal(people["team writer"]), acme)
    assert may_create(principal(member), member.namespace)
    assert not may_create(principal(owner), member.namespace)
    assert not may_create(ANONYMOUS, acme)
    assert may_create(principal(people["superuser"]), library)
    assert not may_create(principal(owner), library)


# --- random worlds

ROLES = st.none() | st.sampled_from(["read", "write", "admin"])
USERS = st.integers(0, 3)
ACCOUNTS = 4
PLACES = ["u0", "u1", "o0", "o1", "library"]
BASE = st.sampled_from(["", "", "read", "write"])
WORLDS = st.fixed_dictionaries(
    {
        "repositories": st.lists(
            st.tuples(
                st.sampled_from(PLACES),
                st.sampled_from(["public", "private", "private"]),
                st.sampled_from(["active", "active", "active", "deleting"]),
            ),
            min_size=1,
            max_size=5,
        ),
        "houses": st.lists(st.tuples(BASE, st.booleans()), min_size=2, max_size=2),
        "members": st.lists(st.tuples(st.integers(0, 1), USERS), max_size=3),
        "base_teams": st.lists(BASE, min_size=3, max_size=3),
        "superusers": st.sets(USERS, max_size=2),
        "second_factors": st.sets(USERS),
        "openings": st.lists(st.tuples(st.integers(0, 4), USERS, st.sampled_from([-1, 1]))),
        "robots": st.lists(st.tuples(st.sampled_from(PLACES), BASE), max_size=2),
        "owners": st.lists(st.tuples(st.integers(0, 1), USERS), max_size=2),
        "teams": st.lists(st.tuples(st.integers(0, 1), st.sets(USERS)), max_size=3),
        "collaborators": st.lists(st.tuples(st.integers(0, 4), USERS, ROLES), max_size=5),
        "grants": st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), ROLES), max_size=4),
    }
)
GLOBS = st.sampled_from(["*", "u0/*", "o0/*", "o1/r*", "u0/r0", "o0/r1", "*/r2", "u*", "none/x"])
SCOPES = st.lists(
    st.tuples(GLOBS, st.sets(st.sampled_from(["pull", "push", "delete"]), min_size=1)), max_size=3
)


def build(plan) -> list:
    """Rows as the services would make them; returns the accounts."""
    users = [person(f"u{n}") for n in range(ACCOUNTS)]
    for n, user in enumerate(users):
        user.is_superuser, user.second_factor = n in plan["superusers"], n in plan["second_factors"]
        user.save()
    Namespace.objects.create(name="library", kind=Namespace.Kind.LIBRARY)
    teams = build_organizations(plan, users)
    repos = [
        repository(Namespace.objects.get(name=place), f"r{n}", visibility=seen, state=state)
        for n, (place, seen, state) in enumerate(plan["repositories"])
    ]
    give(plan, users, teams, repos)
    return users + build_robots(plan, repos[0])


def build_organizations(plan, users) -> list:
    """Organizations with owners and members; returns their teams."""
    orgs = [organization(f"o{n}", users[n + 2]) for n in range(2)]
    for org, (base, demands) in zip(orgs, plan["houses"], strict=True):
        org.base_role, org.second_factor_required = base, demands
        org.save()
    for org, user in plan["members"]:
        Membership.objects.get_or_create(organization=orgs[org], user=users[user])
    for org, user in plan["owners"]:
        Membership.objects.update_or_create(
            organization=orgs[org], user=users[user], defaults={"role": "owner"}
        )
    teams = [
        team(orgs[org], f"t{n}", *(users[u] for u in members))
        for n, (org, members) in enumerate(plan["teams"])
    ]
    for made, base in zip(teams, plan["base_teams"], strict=False):
        made.base_role = base
        made.save()
    return teams


def build_robots(plan, shared) -> list:
    """Robots, each also a collaborator of one repository that may not be of its namespace."""
    robots = []
    for n, (place, role) in enumerate(plan["robots"]):
        home = Namespace.objects.get(name=place)
        robot = User.objects.create(
            username=f"{place}+r{n}", password="!", robot_namespace=home, robot_role=role
        )
        Collaborator.objects.create(repository=shared, user=robot, role="read")
        robots.append(robot)
    return robots


def give(plan, users, teams, repos) -> None:
    """Openings and roles on single repositories, as far as there are so many."""
    for number, user, days in plan["openings"]:
        if number < len(repos):
            until = timezone.now() + timedelta(days=days)
            Opening.objects.create(repository=repos[number], user=users[user], until=until)
    for number, user, role in plan["collaborators"]:
        if role and number < len(repos):
            Collaborator.objects.get_or_create(
                repository=repos[number], user=users[user], defaults={"role": role}
            )
    for number, group, role in plan["grants"]:
        if role and number < len(repos) and group < len(teams):
            org = repos[number].namespace.organization_id
            if org == teams[group].organization_id:
                TeamGrant.objects.get_or_create(
                    repository=repos[number], team=teams[group], defaults={"role": role}
                )


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=WORLDS, scopes=SCOPES)
def test_lists_agree_with_single_decisions_in_random_worlds(plan, scopes):
    with transaction.atomic():
        users = build(plan)
        written = [f"{glob}:{','.join(actions)}" for glob, actions in scopes]
        sessions = [principal_of(user) for user in users]
        parsed = principal(users[0], *written).scopes
        tokens = [replace(s, is_superuser=False, scopes=parsed or ()) for s in sessions]
        everybody = [ANONYMOUS, *sessions, *tokens]
        every = list(Repository.objects.select_related("namespace__organization"))
        Event.objects.bulk_create(Event(kind="x", repository_id=repo.pk) for repo in every)
        for who in everybody:
            listed = set(visible_to(who))
            for repo in every:
                decision = decide(who, "see", repo)
                expected = decision.allowed and repo.is_active
                assert (repo in listed) is expected, (who, repo, decision)
                assert (decision.outcome == "invisible") is not decision.allowed
                if not decision.allowed:
                    assert not any(decide(who, a, repo).allowed for a in ("pull", "push"))
            if not who.is_anonymous:
                held = {repo.pk for repo in every if held_roles(who, repo)}
                assert held == set(member_ids(who))
                both = {repo.pk for repo in listed if repo.pk in held}
                assert both == set(held_by(who).values_list("pk", flat=True))
            told = visible_in(who, "repository_id")
            heard = Event.objects.filter(told).values_list("repository_id", flat=True)
            assert set(heard) == {repo.pk for repo in listed}
        transaction.set_rollback(True)


def test_the_library_belongs_to_administrators() -> None:
    library = ensure_library()
    root = create_user(
        username="root-one", email="", password="a long enough secret", superuser=True
    )
    ann = create_user(username="ann-two", email="", password="a long enough secret")
    official = create_repository(library, "busybox", actor=Actor(root.pk, root.username))
    keeper, stranger = principal_of(root), principal_of(ann)
    assert may_create(keeper, library)
    assert not may_create(stranger, library)
    assert decide(keeper, "push", official).allowed
    assert decide(stranger, "see", official).outcome == "invisible"
    assert official in visible_to(keeper)
    assert official not in visible_to(stranger)
