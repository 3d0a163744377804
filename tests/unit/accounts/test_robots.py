"""Robot accounts: machines with a role in one namespace, and no people."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.contrib.auth import authenticate as sign_in

from accounts.errors import BadCredential, NameTaken
from accounts.models import Membership, User
from accounts.selectors import find_user, get_account
from accounts.services.credentials import authenticate, authenticate_bearer
from accounts.services.organizations import set_member
from accounts.services.robots import (
    MAX_ROBOTS,
    check_manager,
    create_robot,
    delete_robot,
    get_robot,
    list_robots,
    short_name,
    update_robot,
)
from accounts.services.tokens import create_token, find_token, looks_like_token
from core.errors import Denied, HubError, Invalid, NotFound
from events.models import Event
from events.types import Actor
from repos.models import Collaborator
from repos.permissions import allowed_actions, may_create
from repos.services.collaborators import grant_role
from tests.unit.repos.people import organization, person, principal, repository

pytestmark = pytest.mark.django_db
HERE = "192.0.2.1"


@pytest.fixture
def olga():
    return person("olga")


@pytest.fixture
def acme(olga):
    return organization("acme", olga)


@pytest.fixture
def by(olga):
    return Actor(olga.pk, "olga", "session")


@pytest.fixture
def ci(acme, by):
    return create_robot(acme.namespace, "ci", actor=by)


def acting(robot, *scopes):
    return authenticate_bearer(create_token(robot, name="t", scopes=scopes).secret, address=HERE)


def test_a_robot_is_named_after_its_namespace_and_signs_in_with_a_token_only(ci, olga):
    assert (ci.username, short_name(ci), ci.robot_made_by) == ("acme+ci", "ci", olga)
    assert not ci.has_usable_password()
    made = create_token(ci, name="first")
    assert made.secret.startswith("hubr_")
    assert looks_like_token(made.secret)
    found = authenticate("acme+ci", made.secret, address=HERE)
    assert found == authenticate("ACME+ci", made.secret, address=HERE)
    assert (found.username, found.is_robot, found.robot_of) == (
        "acme+ci",
        True,
        ci.robot_namespace_id,
    )
    for name, secret in [
        ("acme ci", made.secret),
        ("ci", made.secret),
        ("acme", made.secret),
        ("olga", made.secret),
        ("acme+ci", made.secret.replace("hubr_", "hubp_")),
        ("acme+ci", ""),
        ("acme+ci", ci.password),
    ]:
        with pytest.raises(BadCredential):
            authenticate(name, secret, address=HERE)
    assert sign_in(username="acme+ci", password="") is None


@pytest.mark.parametrize("name", ["", "CI", "a b", "a+b", "a/b", "-a", "new", "x" * 41, "a\n"])
def test_a_name_outside_the_grammar_makes_none(acme, by, name):
    with pytest.raises(Invalid):
        create_robot(acme.namespace, name, actor=by)
    assert not list_robots(acme.namespace)


def test_a_name_is_taken_once_in_a_namespace(ci, acme, by, olga):
    with pytest.raises(NameTaken):
        create_robot(acme.namespace, "ci", actor=by)
    assert create_robot(olga.namespace, "ci", actor=by).username == "olga+ci"


def test_a_namespace_has_a_limited_number(acme, by):
    User.objects.bulk_create(
        User(username=f"acme+r{n}", password="!", robot_namespace=acme.namespace)
        for n in range(MAX_ROBOTS)
    )
    with pytest.raises(Invalid):
        create_robot(acme.namespace, "more", actor=by)


@pytest.mark.parametrize("values", [{"role": "admin"}, {"description": "x" * 301}])
def test_bad_values_are_refused_when_made_and_when_changed(acme, by, ci, values):
    with pytest.raises(Invalid):
        create_robot(acme.namespace, "other", actor=by, **values)
    with pytest.raises(Invalid):
        update_robot(ci, actor=by, **values)


def test_a_change_is_audited_with_before_and_after(ci, by, acme):
    update_robot(ci, actor=by, role="write", description=" builds ", may_create=True)
    update_robot(ci, actor=by, role="write")
    created, updated = Event.objects.filter(kind__startswith="robot.").order_by("id")
    assert created.payload["robot"] == "acme+ci"
    before = {"description": "", "role": "", "may_create": False}
    after = {"description": "builds", "role": "write", "may_create": True}
    assert updated.payload == {"robot": "acme+ci", "before": before, "after": after}
    assert {e.namespace_id for e in (created, updated)} == {acme.namespace.pk}
    assert get_robot(acme.namespace, "ci").robot_role == "write"


def test_rights_are_those_of_its_namespace_alone(ci, acme, by, olga):
    inside = repository(acme.namespace, "app")
    outside = repository(olga.namespace, "app")
    assert allowed_actions(acting(ci), inside) == set()
    update_robot(ci, actor=by, role="write", may_create=True)
    found = acting(ci)
    assert allowed_actions(found, inside) == {"see", "pull", "push", "delete"}
    assert allowed_actions(found, outside) == set()
    assert may_create(found, acme.namespace)
    assert not may_create(found, olga.namespace)
    assert allowed_actions(acting(ci, "repository:acme/app:pull"), inside) == {"see", "pull"}
    assert allowed_actions(acting(ci, "repository:acme/other:pull"), inside) == set()


def test_scopes_of_its_tokens_stay_in_its_namespace(ci):
    for scope in ("*", "acme*", "acmes/app", "olga/app", "acm*/app", "*/app"):
        with pytest.raises(Invalid):
            create_token(ci, name="x", scopes=["repository:acme/app:pull", f"repository:{scope}:*"])
    assert create_token(ci, name="x", scopes=["repository:acme/*:*", "repository:acme/a/b:pull"])


def test_it_is_a_collaborator_of_its_own_namespace_only_and_never_an_administrator(
    ci, acme, olga, by
):
    inside = repository(acme.namespace, "app")
    outside = repository(olga.namespace, "app")
    grant_role(inside, ci, "read", actor=by)
    assert allowed_actions(acting(ci), inside) == {"see", "pull"}
    for place, role in [(outside, "read"), (inside, "admin")]:
        with pytest.raises(Invalid):
            grant_role(place, ci, role, actor=by)
    assert Collaborator.objects.get().role == "read"


def test_it_is_no_person(ci, acme, olga, by):
    assert find_user("acme+ci") is None
    assert get_account("acme+ci", acme.namespace.pk) == ci
    with pytest.raises(NotFound):
        get_account("acme+ci", olga.namespace.pk)
    with pytest.raises(Invalid):
        set_member(acme, ci, "member", actor=by)
    assert Membership.objects.count() == 1


def test_deleting_ends_its_tokens_and_roles_and_keeps_its_name_in_history(ci, acme, by):
    inside = repository(acme.namespace, "app")
    grant_role(inside, ci, "read", actor=by)
    secret = create_token(ci, name="first").secret
    delete_robot(ci, actor=by)
    assert find_token(secret) is None
    assert not Collaborator.objects.exists()
    kinds = list(
        Event.objects.filter(namespace_id=acme.namespace.pk)
        .order_by("id")
        .values_list("kind", flat=True)
    )
    assert kinds[-2:] == ["token.revoked", "robot.deleted"]
    assert Event.objects.get(kind="robot.deleted").payload["robot"] == "acme+ci"
    with pytest.raises(NotFound):
        get_robot(acme.namespace, "ci")
    again = create_robot(acme.namespace, "ci", actor=by)
    assert not allowed_actions(acting(again), inside)


def test_a_deactivated_person_takes_their_robots_along(olga, by):
    secret = create_token(create_robot(olga.namespace, "ci", actor=by), name="x").secret
    assert authenticate_bearer(secret, address=HERE)
    User.objects.filter(pk=olga.pk).update(is_active=False)
    with pytest.raises(BadCredential):
        authenticate_bearer(secret, address=HERE)


def outcome(user, namespace):
    try:
        check_manager(principal(user), namespace)
    except HubError as error:
        return type(error)
    return None


def test_who_manages(acme, olga, ci):
    member, root = person("member"), person("root0")
    Membership.objects.create(organization=acme, user=member)
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    root.refresh_from_db()
    assert outcome(olga, acme.namespace) is None
    assert outcome(olga, olga.namespace) is None
    assert outcome(member, acme.namespace) is Denied
    assert outcome(member, olga.namespace) is NotFound
    assert outcome(root, acme.namespace) is NotFound
    assert outcome(None, olga.namespace) is NotFound
    with pytest.raises(Denied):
        check_manager(acting(ci), acme.namespace)


def test_an_owner_without_what_the_organization_asks_for_manages_nothing(acme, olga):
    acme.second_factor_required = True
    acme.save()
    assert outcome(olga, acme.namespace) is Denied
    acme.second_factor_required = False
    acme.save()
    with pytest.raises(Denied):
        check_manager(replace(principal(olga), is_verified=False), acme.namespace)


def test_the_list_costs_the_same_however_many_there_are(acme, by, django_assert_num_queries):
    for n in range(3):
        robot = create_robot(acme.namespace, f"r{n}", actor=by)
        create_token(robot, name="x")
    with django_assert_num_queries(1):
        rows = [(r.username, r.token_count, r.robot_made_by) for r in list_robots(acme.namespace)]
    assert [row[:2] for row in rows] == [("acme+r0", 1), ("acme+r1", 1), ("acme+r2", 1)]
