"""REST: giving up a role, inviting by mail, roles of accounts that were closed, odd text, limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from django.test import Client

from accounts.models import Membership, User
from accounts.services.credentials import principal_of
from accounts.services.tokens import create_token
from core.errors import RateLimited
from events.models import Event
from repos.limits import limits_of, refuse_often
from repos.models import Collaborator, Repository, RepositoryInvitation, TeamGrant
from repos.reach import MAX_REPOSITORIES, changes_without_team, reach_in, reachable, who_reaches
from tests.unit.repos import people

pytestmark = pytest.mark.django_db


def call(method: str, path: str, body: Any = None, *, by: User | None = None, client: Any = None):
    client = client or Client(raise_request_exception=False)
    data = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    more = {}
    if by is not None:
        more["HTTP_AUTHORIZATION"] = f"Bearer {create_token(by, name='t').secret}"
    return client.generic(method, f"/api/{path}", data, "application/json", **more)


@pytest.fixture
def alice() -> User:
    return people.person("alice")


@pytest.fixture
def app(alice: User) -> Repository:
    return people.repository(alice.namespace, "app")


def test_a_collaborator_gives_up_their_own_role(alice: User, app: Repository) -> None:
    bob = people.person("bob")
    Collaborator.objects.create(repository=app, user=bob, role="write")
    path = "repositories/alice/app/collaborators"
    assert call("DELETE", f"{path}/alice", by=bob).status_code == 403
    assert call("DELETE", f"{path}/bob", by=bob).status_code == 204
    assert not Collaborator.objects.exists()
    assert Event.objects.get(kind="collaborator.removed").actor_name == "bob"
    assert call("DELETE", f"{path}/bob", by=bob).status_code == 404, "nothing is seen any more"


def test_the_role_of_a_deactivated_person_can_be_taken(alice: User, app: Repository) -> None:
    bob = people.person("bob")
    Collaborator.objects.create(repository=app, user=bob, role="admin")
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert call("DELETE", "repositories/alice/app/collaborators/bob", by=alice).status_code == 204
    assert not Collaborator.objects.exists()


def test_inviting_listing_sending_again_and_withdrawing(alice: User, app: Repository) -> None:
    base = "repositories/alice/app/invitations"
    made = call("POST", base, {"email": "Guest@example.org", "role": "read"}, by=alice)
    assert made.status_code == 201
    assert made.json()["email"] == "guest@example.org"
    key = made.json()["id"]
    before = RepositoryInvitation.objects.get().secret_hash
    assert [row["id"] for row in call("GET", base, by=alice).json()["results"]] == [key]
    again = call("POST", f"{base}/{key}/resend", by=alice)
    assert again.status_code == 200
    assert RepositoryInvitation.objects.get().secret_hash != before
    key = again.json()["id"]
    stranger = people.person("stranger")
    for method, path in (("GET", base), ("POST", base), ("DELETE", f"{base}/{key}")):
        assert call(method, path, {}, by=stranger).status_code == 404
    assert call("DELETE", f"{base}/{key}", by=alice).status_code == 204
    assert call("DELETE", f"{base}/{key}", by=alice).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "repositories/alice/app", '{"visibility": "\\ud800"}'),
        ("POST", "repositories", '{"namespace": "alice", "name": "x", "visibility": "\\ud800"}'),
        ("PUT", "repositories/alice/app/collaborators/bob", '{"role": "\\udfff"}'),
        ("POST", "repositories/alice/app/access-requests", '{"role": "\\ud800"}'),
    ],
)
def test_half_a_pair_is_no_text(
    alice: User, app: Repository, method: str, path: str, body: str
) -> None:
    people.person("bob")
    answer = call(method, path, body, by=alice)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400


@pytest.mark.parametrize("query", ["to=9999-12-31", "from=0001-01-01", "kind=%00", "kind=a%00b"])
def test_odd_filters_of_a_log(alice: User, app: Repository, query: str) -> None:
    assert call("GET", f"user/audit?{query}", by=alice).status_code in (200, 400)
    page = Client()
    page.force_login(alice)
    for place in ("/settings/audit", "/alice/app/-/audit"):
        assert page.get(f"{place}?{query}&repository=a%00b").status_code == 200
        assert page.get(f"{place}?{query}&repository=a%00b&export=csv").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "repositories/alice/app", {"visibility": "public"}),
        ("DELETE", "repositories/alice/app", None),
        ("POST", "repositories/alice/app/transfer", {"namespace": "acme"}),
        ("POST", "tokens", {"name": "x", "scopes": []}),
        ("DELETE", "organizations/acme", None),
    ],
)
def test_an_old_session_is_asked_again_before_dangerous_steps(
    alice: User, app: Repository, method: str, path: str, body: Any
) -> None:
    alice.set_password("a long enough secret")
    alice.save()
    people.organization("acme", alice)
    client = Client()
    client.force_login(alice)
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": 1}]
    session[f"{AUTHENTICATION_METHODS_SESSION_KEY}_user"] = str(alice.pk)
    session.save()
    answer = call(method, path, body, client=client)
    assert answer.status_code == 403
    assert answer.json()["code"] == "reauthenticate"
    app.refresh_from_db()
    assert (app.path, app.visibility, app.is_active) == ("alice/app", "private", True)
    # A harmless change by the same session, and the same act with a token, go through.
    assert (
        call("PATCH", "repositories/alice/app", {"description": "d"}, client=client).status_code
        == 200
    )


def test_limits_count_what_was_done_by_hand_and_leave_administrators_alone(alice: User) -> None:
    most, _seconds = limits_of("repository.created")[0]
    me = principal_of(alice)
    facts = {"kind": "repository.created", "actor_id": alice.pk, "actor_name": "alice"}
    for by_push in (True, False):
        refuse_often(me, "repository.created")
        Event.objects.bulk_create(Event(**facts, payload={"by_push": by_push}) for _ in range(most))
    with pytest.raises(RateLimited):
        refuse_often(me, "repository.created")
    alice.is_superuser = True
    refuse_often(principal_of(alice), "repository.created")


def test_the_eleventh_comment_in_a_minute_waits(alice: User, app: Repository) -> None:
    facts = {"kind": "comment.added", "actor_id": alice.pk, "actor_name": "alice"}
    Event.objects.bulk_create(Event(**facts) for _ in range(10))
    path = "repositories/alice/app/comments"
    assert call("POST", path, {"body": "Eleven"}, by=alice).status_code == 429
    page = Client()
    page.force_login(alice)
    answer = page.post("/alice/app/-/comments", {"body": "Eleven"})
    assert answer.status_code == 422
    assert "10 times in a minute" in answer.content.decode()


def test_what_one_reaches_is_given_in_pages(alice: User) -> None:
    for n in range(7):
        people.repository(alice.namespace, f"r{n}")
    first = call("GET", "user/access?limit=5", by=alice).json()
    assert len(first["results"]) == 5
    rest = call("GET", f"user/access?{first['next'].partition('?')[2]}", by=alice).json()
    assert [row["repository"] for row in rest["results"]] == ["alice/r5", "alice/r6"]
    assert rest["next"] is None


def test_what_a_team_loses_is_looked_for_where_it_has_roles(alice: User) -> None:
    acme = people.organization("acme", alice)
    Repository.objects.bulk_create(
        Repository(namespace=acme.namespace, name=f"a{n}", path=f"acme/a{n}")
        for n in range(MAX_REPOSITORIES + 1)
    )
    last = people.repository(acme.namespace, "z-last")
    tom = people.person("tom")
    crew = people.team(acme, "crew", tom)
    TeamGrant.objects.create(repository=last, team=crew, role="write")
    changes = changes_without_team(crew)
    assert [(c.name, c.path, c.before, c.after) for c in changes] == [
        ("tom", "acme/z-last", "write", "")
    ]
    assert not changes.is_cut
    crew.base_role = "read"
    crew.save()
    assert changes_without_team(crew).is_cut


def test_reach_says_what_decisions_say_of_the_unconfirmed_and_of_the_library(
    alice: User, app: Repository
) -> None:
    bob = people.person("bob")
    Collaborator.objects.create(repository=app, user=bob, role="write")
    User.objects.filter(pk=bob.pk).update(is_verified=False)
    assert {r.user.username: r.role for r in who_reaches(app)} == {"alice": "admin", "bob": "read"}
    assert Membership.objects.count() == 0
    bob.refresh_from_db()
    assert [r.role for r in reach_in(bob, reachable(bob))] == ["read"]
