"""Access tokens over REST, and one and the same token at docker login, the registry and REST."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from accounts.models import AccessToken, User
from accounts.services import credentials
from accounts.services.credentials import principal_of
from accounts.services.robots import create_robot
from accounts.services.tokens import create_token
from registry.services import pulls
from repos.models import Collaborator, Repository
from repos.services.repositories import create_repository
from tests.api.conftest import Caller, World
from tests.images import image
from tests.security.lane import send
from tests.unit.registry.pushing import make_person, push
from tokens.services import forget_keys

pytestmark = pytest.mark.django_db
PASSWORD = "a sentence nobody guesses"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No keys of another test; no pulls that a thread would write later."""
    monkeypatch.setattr(pulls, "note_pull", lambda *_: None)
    forget_keys()
    yield
    forget_keys()


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


class TestRotating:
    def test_the_answer_has_the_new_secret(self, as_alice: Caller) -> None:
        made = as_alice("POST", "tokens", {"name": "ci", "scopes": ["repository:alice/*:pull"]})
        token = made.json()
        path = f"tokens/{token['id']}/rotate"
        turned = as_alice("POST", path)
        assert turned.status_code == 200
        new = turned.json()
        for key in ("id", "name", "prefix", "scopes", "created_at"):
            assert new[key] == token[key]
        assert new["previous_until"] is None
        assert Caller(token["token"])("GET", "repositories").status_code == 401
        assert Caller(new["token"])("GET", "repositories").status_code == 200
        kept = as_alice("POST", path, {"keep_old": True}).json()
        assert kept["previous_until"]
        for secret in (new["token"], kept["token"]):
            assert Caller(secret)("GET", "repositories").status_code == 200

    def test_who_may(self, as_alice: Caller, call_as: Callable[..., Caller], alice: User) -> None:
        token = create_token(alice, name="x").row
        path = f"tokens/{token.pk}/rotate"
        assert Caller()("POST", path).status_code == 401
        assert call_as(make_person("mallory"))("POST", path).status_code == 404
        limited = call_as(alice, "repository:alice/*:pull")
        assert code(limited("POST", path)) == (403, "token_scope")
        assert as_alice("POST", path, {"keep": True}).status_code == 400
        assert as_alice("GET", path).status_code == 405
        assert as_alice("DELETE", f"tokens/{token.pk}").status_code == 204
        assert as_alice("POST", path).status_code == 404

    def test_a_token_rotates_itself(self, as_alice: Caller, alice: User) -> None:
        own = AccessToken.objects.get(user=alice)
        new = as_alice("POST", f"tokens/{own.pk}/rotate").json()["token"]
        assert as_alice("GET", "user").status_code == 401
        assert Caller(new)("GET", "user").status_code == 200


def test_a_token_makes_none_that_outlives_it(alice: User) -> None:
    soon = timezone.now() + timedelta(days=5)
    caller = Caller(create_token(alice, name="x", expires_at=soon).secret)
    later = (soon + timedelta(days=1)).isoformat()
    refused = caller("POST", "tokens", {"name": "y", "expires_at": later})
    assert code(refused) == (403, "token_cannot")
    assert "longer than itself" in refused.json()["detail"]
    made = caller("POST", "tokens", {"name": "y"})
    assert made.status_code == 201
    assert AccessToken.objects.get(pk=made.json()["id"]).expires_at == soon
    endless = create_token(alice, name="endless").row
    assert code(caller("POST", f"tokens/{endless.pk}/rotate")) == (403, "token_cannot")


def test_the_hub_may_limit_lives(as_alice: Caller, hub_settings: Callable[..., None]) -> None:
    hub_settings(token_max_days=10)
    later = (timezone.now() + timedelta(days=11)).isoformat()
    refused = as_alice("POST", "tokens", {"name": "x", "expires_at": later})
    assert code(refused) == (400, "token_life")
    assert as_alice("POST", "tokens", {"name": "x"}).json()["expires_at"]


class TestSecondFactor:
    @pytest.fixture
    def bob(self) -> Iterator[User]:
        credentials._remembered.clear()
        user = make_person("bob")
        user.set_password(PASSWORD)
        user.second_factor = True
        user.save()
        yield user
        credentials._remembered.clear()

    def test_the_right_password_is_told_of_tokens_everywhere(self, bob: User) -> None:
        right, wrong = basic("bob", PASSWORD), basic("bob", "wrong")
        rest = Caller()("GET", "user", HTTP_AUTHORIZATION=right)
        assert code(rest) == (401, "second_factor")
        assert "/settings/tokens" in rest.json()["detail"]
        form = urlencode(
            {
                "grant_type": "password",
                "username": "bob",
                "password": PASSWORD,
                "service": "localhost:5000",
                "client_id": "docker",
            }
        ).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answers = [
            send("GET", "/token?service=localhost:5000", headers={"Authorization": right}),
            send("GET", "/v2/", headers={"Authorization": right}),
            send("POST", "/token", headers=kind, body=form),
        ]
        for answer in answers:
            assert answer.status == 401
            assert b"/settings/tokens" in answer.body
            assert "WWW-Authenticate" in answer.headers
        assert code(Caller()("GET", "user", HTTP_AUTHORIZATION=wrong)) == (401, "unauthorized")
        usual = send("GET", "/v2/", headers={"Authorization": wrong})
        assert (usual.status, usual.code) == (401, "UNAUTHORIZED")
        assert b"settings/tokens" not in usual.body


# --- one token, every door


class Doors:
    """The same access token at the registry, the token service and REST."""

    def __init__(self, username: str, secret: str) -> None:
        self.name, self.secret = username, secret

    @property
    def login(self) -> int:
        """What `docker login` asks."""
        answer = send("GET", "/v2/", headers={"Authorization": basic(self.name, self.secret)})
        return answer.status

    def granted(self, path: str) -> set[str]:
        """What the token service grants."""
        query = urlencode(
            {"service": "localhost:5000", "scope": f"repository:{path}:pull,push,delete"}
        )
        header = {"Authorization": basic(self.name, self.secret)}
        answer = send("GET", f"/token?{query}", headers=header)
        assert answer.status == 200, answer.body
        scope = json.loads(answer.body)["scope"]
        return set(scope.rpartition(":")[2].split(",")) if scope else set()

    def signed(self, path: str) -> str:
        """A registry token to pull with."""
        query = urlencode({"service": "localhost:5000", "scope": f"repository:{path}:pull"})
        header = {"Authorization": basic(self.name, self.secret)}
        return str(json.loads(send("GET", f"/token?{query}", headers=header).body)["token"])

    def pull(self, path: str, bearer: str = "") -> int:
        """A manifest, with the access token itself unless there is a registry token."""
        headers = {"Authorization": f"Bearer {bearer or self.secret}"}
        return send("GET", f"/v2/{path}/manifests/v1", headers=headers).status

    def push(self, path: str) -> int:
        """Opening an upload."""
        header = {"Authorization": f"Bearer {self.secret}"}
        return send("POST", f"/v2/{path}/blobs/uploads/", headers=header).status

    def rest(self, path: str) -> int:
        """The repository over REST."""
        return Caller(self.secret)("GET", f"repositories/{path}").status_code

    @property
    def listed(self) -> dict[str, set[str]]:
        """Which private repositories lists show."""
        caller = Caller(self.secret)
        headers = {"Authorization": f"Bearer {self.secret}"}
        catalog = json.loads(send("GET", "/v2/_catalog", headers=headers).body)["repositories"]
        rows = {
            "repositories": caller("GET", "repositories").json()["results"],
            "search": caller("GET", "search?q=acme").json()["results"],
            "events": caller("GET", "events").json()["results"],
        }
        names = {
            kind: {row.get("path") or row.get("repository") or "" for row in found}
            for kind, found in rows.items()
        }
        return {**names, "catalog": set(catalog)}


def doors_of(user: User, *scopes: str) -> Doors:
    made = create_token(user, name="t", scopes=scopes)
    return Doors(user.username, made.secret)


@pytest.fixture
def robot(world: World) -> User:
    actor = principal_of(world.people["olga"]).actor
    return create_robot(world.organization.namespace, "ci", actor=actor)


def give(user: User, repository: Repository, role: str) -> None:
    Collaborator.objects.update_or_create(repository=repository, user=user, defaults={"role": role})


@pytest.mark.parametrize("kind", ["person", "robot"])
def test_a_role_taken_away_works_on_the_next_request_at_every_door(
    world: World, robot: User, kind: str
) -> None:
    secret = world.repositories["secret"]
    user = robot if kind == "robot" else world.people["mallory"]
    doors = doors_of(user)
    assert doors.login == 200
    assert (doors.granted("acme/secret"), doors.rest("acme/secret")) == (set(), 404)
    give(user, secret, "write")
    assert doors.granted("acme/secret") == {"pull", "push", "delete"}
    assert (doors.pull("acme/secret"), doors.push("acme/secret")) == (200, 202)
    assert doors.rest("acme/secret") == 200
    give(user, secret, "read")
    signed = doors.signed("acme/secret")
    assert doors.granted("acme/secret") == {"pull"}
    assert (doors.pull("acme/secret"), doors.push("acme/secret")) == (200, 403)
    assert doors.pull("acme/secret", signed) == 200
    Collaborator.objects.filter(user=user).delete()
    assert doors.granted("acme/secret") == set()
    assert doors.pull("acme/secret") in (401, 404)
    assert doors.pull("acme/secret", signed) in (401, 404)
    assert doors.rest("acme/secret") == 404
    assert doors.login == 200
    AccessToken.objects.filter(user=user).update(revoked_at=timezone.now())
    assert (doors.login, doors.rest("acme/app"), doors.pull("acme/app")) == (401, 401, 401)


@pytest.mark.parametrize("kind", ["person", "robot"])
def test_a_token_is_an_upper_bound_at_every_door(world: World, robot: User, kind: str) -> None:
    secret = world.repositories["secret"]
    user = robot if kind == "robot" else world.people["mallory"]
    give(user, secret, "write")
    pulls = doors_of(user, "repository:acme/secret:pull")
    assert pulls.granted("acme/secret") == {"pull"}
    assert (pulls.pull("acme/secret"), pulls.push("acme/secret")) == (200, 403)
    assert pulls.rest("acme/secret") == 200
    other = doors_of(user, "repository:acme/other:pull,push")
    assert other.granted("acme/secret") == set()
    assert other.pull("acme/secret") in (401, 404)
    assert other.push("acme/secret") in (401, 404)
    assert other.rest("acme/secret") == 404


@pytest.mark.parametrize("kind", ["person", "robot"])
def test_tk06_lists_show_only_what_a_limited_token_reaches(
    world: World, robot: User, kind: str
) -> None:
    olga = world.people["olga"]
    actor = principal_of(olga).actor
    hidden = create_repository(world.organization.namespace, "hidden", actor=actor)
    push(hidden, image("hidden"), "v1")
    user = robot if kind == "robot" else olga
    User.objects.filter(pk=robot.pk).update(robot_role="read")
    whole = doors_of(user).listed
    limited = doors_of(user, "repository:acme/secret:pull").listed
    for found in whole.values():
        assert {"acme/app", "acme/secret", "acme/hidden"} <= found
    for found in limited.values():
        assert "acme/secret" in found
        assert "acme/app" in found
        assert "acme/hidden" not in found
    nothing = doors_of(user, "repository:acme/none:pull").listed
    for found in nothing.values():
        assert not {"acme/secret", "acme/hidden"} & found
