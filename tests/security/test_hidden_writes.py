"""RG-07, TK-03, NM-02, AZ-16, AZ-14, AZ-13: what is hidden is neither written to nor told of, and
what was decided holds when it is committed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import Membership, User
from accounts.services.credentials import principal_of, principal_of_password, refresh
from accounts.services.organizations import update_organization
from accounts.services.tokens import create_token
from core.errors import Denied, HubError, Invalid, NotFound
from events.dispatch import drain
from events.models import Event
from oci.scope import parse_scopes
from registry.models import BlobLink
from repos.errors import PublicRefused
from repos.models import AccessRequest, Collaborator, Repository, TeamGrant
from repos.permissions import require
from repos.services.access_requests import answer
from repos.services.collaborators import grant_role, grant_team
from repos.services.renaming import rename_repository, transfer_repository
from repos.services.repositories import delete_repository, update_repository
from tests.images import digest_of
from tests.security.lane import send
from tests.security.world import LOOSE, basic, bearer, furnish
from tests.unit.repos import people
from tokens.services import issue

pytestmark = pytest.mark.django_db


def api(method: str, path: str, body: Any = None, *, token: str = "", client: Any = None) -> Any:
    client = client or Client(raise_request_exception=False)
    data = b"" if body is None else json.dumps(body).encode()
    more = {"HTTP_AUTHORIZATION": f"Bearer {token}"} if token else {}
    return client.generic(method, f"/api/{path}", data, "application/json", **more)


@pytest.fixture
def acme() -> dict[str, Any]:
    """An organization whose members make repositories, and one they do not see."""
    olga, mem = people.person("olga"), people.person("mem")
    organization = people.organization("acme", olga)
    Membership.objects.create(organization=organization, user=mem)
    organization.members_create = True
    organization.save()
    secret = people.repository(organization.namespace, "secret")
    furnish(secret)
    return {"org": organization, "secret": secret, "olga": olga, "mem": mem}


@pytest.mark.parametrize("how", ["basic", "bearer"])
def test_rg07_a_first_push_never_writes_into_what_is_hidden(acme: dict[str, Any], how: str) -> None:
    made = create_token(acme["mem"], name="t")
    headers = basic("mem", made.secret)
    if how == "bearer":
        headers = bearer(principal_of(acme["mem"]), "repository:acme/secret:pull,push")
    data = b"planted"
    before = BlobLink.objects.filter(repository=acme["secret"]).count()
    asked = [
        ("POST", "blobs/uploads/", b""),
        ("POST", f"blobs/uploads/?mount={digest_of(LOOSE)}", b""),
        ("POST", f"blobs/uploads/?mount={digest_of(b'unknown')}", b""),
        ("POST", f"blobs/uploads/?digest={digest_of(data)}", data),
        ("PUT", "manifests/new", b"{}"),
    ]
    for method, rest, body in asked:
        sent = send(method, f"/v2/acme/secret/{rest}", headers=headers, body=body)
        assert sent.status in (400, 401), (rest, sent.status)
    assert BlobLink.objects.filter(repository=acme["secret"]).count() == before
    assert not acme["secret"].uploads.exists()
    # The same person may make what is not there.
    assert (
        send("POST", "/v2/acme/fresh/blobs/uploads/", headers=basic("mem", made.secret)).status
        == 202
    )


def test_rg07_a_robot_that_makes_repositories_does_not_enter_what_it_has_no_role_on(
    acme: dict[str, Any],
) -> None:
    robot = User.objects.create(
        username="acme+ci",
        password="!",
        robot_namespace=acme["org"].namespace,
        robot_creates=True,
    )
    secret = create_token(robot, name="t").secret
    headers = basic("acme+ci", secret)
    assert send("POST", "/v2/acme/secret/blobs/uploads/", headers=headers).status == 401
    assert send("POST", "/v2/acme/fresh/blobs/uploads/", headers=headers).status == 202


def test_tk03_another_registry_gets_no_right_on_what_is_hidden(
    acme: dict[str, Any], hub_settings: Any
) -> None:
    hub_settings(token_services=["other:5000"])

    def granted(name: str) -> list[str]:
        scopes = parse_scopes([f"repository:acme/{name}:pull,push,delete"])
        found = issue(principal_of(acme["mem"]), scopes, service="other:5000").granted
        return [str(scope) for scope in found if scope.actions]

    assert granted("secret") == []
    assert granted("absent") == ["repository:acme/absent:pull,push,delete"]


def test_nm02_only_tokens_of_those_who_see_it_follow_a_renamed_repository() -> None:
    bob, eve, friend = (people.person(name) for name in ("bob", "eve", "friend"))
    guess = people.repository(bob.namespace, "guess")
    Collaborator.objects.create(repository=guess, user=friend, role="read")
    tokens = {
        user.username: create_token(user, name="t", scopes=["repository:bob/guess:pull"]).row
        for user in (eve, friend)
    }
    rename_repository(guess, "project-x", principal=principal_of(bob))
    scopes = {}
    for name, row in tokens.items():
        row.refresh_from_db()
        scopes[name] = row.scopes
    assert scopes == {
        "eve": ["repository:bob/guess:pull"],
        "friend": ["repository:bob/project-x:pull"],
    }


def test_az16_ones_own_log_tells_nothing_about_what_one_asked_for() -> None:
    bob, eve = people.person("bob"), people.person("eve")
    people.repository(bob.namespace, "guess")
    token = create_token(eve, name="t").secret
    asked = {"role": "read"}
    for path in ("bob/guess", "bob/absent"):
        sent = api("POST", f"repositories/{path}/access-requests", asked, token=token)
        assert sent.status_code == 204
    drain()
    assert AccessRequest.objects.count() == 1
    log = api("GET", "user/audit", token=token).json()["results"]
    told = {
        name: [row["kind"] for row in log if name in json.dumps(row)]
        for name in ("guess", "absent")
    }
    assert told["guess"] == told["absent"] == ["access.asked"]


def test_az14_a_team_gets_no_role_on_what_left_its_organization(acme: dict[str, Any]) -> None:
    team = people.team(acme["org"], "crew", acme["mem"])
    stale = Repository.objects.select_related("namespace__organization").get(pk=acme["secret"].pk)
    corp = people.organization("corp", acme["olga"])
    transfer_repository(acme["secret"], corp.namespace, principal=principal_of(acme["olga"]))
    with pytest.raises(Invalid):
        grant_team(stale, team, "admin", actor=principal_of(acme["olga"]).actor)
    assert not TeamGrant.objects.exists()
    # Whose it was keeps the fact in its log.
    left = Event.objects.get(kind="repository.left")
    assert (left.namespace_id, left.repository_path) == (acme["org"].namespace.pk, "acme/secret")


def test_az14_nothing_is_made_public_where_that_has_just_been_forbidden(
    acme: dict[str, Any],
) -> None:
    stale = Repository.objects.select_related("namespace__organization").get(pk=acme["secret"].pk)
    actor = principal_of(acme["olga"]).actor
    update_organization(acme["org"], actor=actor, public_allowed=False)
    assert stale.namespace.organization.public_allowed, "as it was read"
    with pytest.raises(PublicRefused):
        update_repository(stale, actor=actor, visibility="public")


@pytest.mark.parametrize("act", ["delete", "visibility", "grant"])
def test_az13_a_role_that_went_meanwhile_is_gone_at_the_commit(
    acme: dict[str, Any], act: str
) -> None:
    admin, other = people.person("admin"), people.person("other")
    Collaborator.objects.create(repository=acme["secret"], user=admin, role="admin")
    principal = principal_of(admin)
    row = Repository.objects.select_related("namespace__organization").get(pk=acme["secret"].pk)
    require(principal, "administer", row)
    Collaborator.objects.all().delete()

    def recheck(now: Repository) -> None:
        require(principal, "administer", now)

    actor = principal.actor
    acts = {
        "delete": lambda: delete_repository(row, actor=actor, recheck=recheck),
        "visibility": lambda: update_repository(
            row, actor=actor, visibility="public", recheck=recheck
        ),
        "grant": lambda: grant_role(row, other, "read", actor=actor, recheck=recheck),
    }
    with pytest.raises((Denied, NotFound)):
        acts[act]()
    row.refresh_from_db()
    assert row.is_active
    assert not row.is_public
    assert not Collaborator.objects.exists()


def test_az14_answering_a_request_never_lowers_a_role(acme: dict[str, Any]) -> None:
    asked = AccessRequest.objects.create(repository=acme["secret"], user=acme["mem"], role="read")
    Collaborator.objects.create(repository=acme["secret"], user=acme["mem"], role="admin")
    answer(asked, actor=principal_of(acme["olga"]).actor, granted=True)
    assert Collaborator.objects.get().role == "admin"


def test_tk05_a_registry_token_ends_with_the_password_it_was_made_with() -> None:
    alice = people.person("alice")
    known = principal_of_password(alice)
    assert refresh(known).user_id == alice.pk
    app = people.repository(alice.namespace, "app")
    headers = bearer(known, "repository:alice/app:pull,push")
    target = f"/v2/{app.path}/tags/list"
    assert send("GET", target, headers=headers).status == 200
    alice.set_password("another long secret")
    alice.save()
    assert send("GET", target, headers=headers).status == 401
    with pytest.raises(HubError):
        refresh(known)


def test_nm02_the_old_registry_api_reads_under_a_former_name_too() -> None:
    alice = people.person("alice")
    app = people.repository(alice.namespace, "app")
    furnish(app)
    headers = basic("alice", create_token(alice, name="t").secret)
    before = send("GET", "/v1/repositories/alice/app/tags", headers=headers)
    rename_repository(app, "web", principal=principal_of(alice))
    after = send("GET", "/v1/repositories/alice/app/tags", headers=headers)
    assert (after.status, after.body) == (before.status, before.body) == (200, before.body)
    refused = send("DELETE", "/v1/repositories/alice/app/tags/1", headers=headers)
    assert refused.status == 403
    assert b"alice/app is now alice/web" in refused.body
    stranger = basic("eve", create_token(people.person("eve"), name="t").secret)
    for method, rest in (("GET", "tags"), ("DELETE", "tags/1"), ("GET", "images")):
        hidden = send(method, f"/v1/repositories/alice/app/{rest}", headers=stranger)
        absent = send(method, f"/v1/repositories/alice/none/{rest}", headers=stranger)
        assert (hidden.status, hidden.body) == (absent.status, absent.body) == (404, absent.body)


def test_az13_what_the_old_registry_api_refuses_is_written_down() -> None:
    alice, bob = people.person("alice"), people.person("bob")
    app = people.repository(alice.namespace, "app", visibility="public")
    furnish(app)
    headers = basic("bob", create_token(bob, name="t").secret)
    assert send("DELETE", "/v1/repositories/alice/app/tags/1", headers=headers).status == 403
    assert Event.objects.get(kind="access.denied").actor_name == "bob"
