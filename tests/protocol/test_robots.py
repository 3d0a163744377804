"""Robot accounts over a real socket: a push and a pull in their namespace, and nothing else."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import urllib3

from tests.client import RegistryClient
from tests.hub import Person, RunningHub
from tests.images import image

_numbers = itertools.count(1)


class Manager:
    """The owner's side, over REST."""

    def __init__(self, hub: RunningHub, owner: Person) -> None:
        self.hub, self.owner = hub, owner

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to a call below the owner's robots."""
        answer = self.hub.http.request(
            method,
            f"{self.hub.url}/api/namespaces/{self.owner.name}/robots{path}",
            body=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **self.owner.basic},
        )
        assert answer.status in (200, 201, 204), answer.data
        return json.loads(answer.data) if answer.data else None


@pytest.fixture
def manager(live: RunningHub, owner: Person) -> Manager:
    return Manager(live, owner)


@pytest.fixture
def robot(manager: Manager) -> str:
    """The name of a fresh robot that may write everywhere and make repositories."""
    name = f"ci{next(_numbers)}"
    manager("POST", "", {"name": name, "role": "write", "may_create": True})
    return name


def client(manager: Manager, robot: str, **body: Any) -> tuple[RegistryClient, int]:
    made = manager("POST", f"/{robot}/tokens", {"name": "x", **body})
    person = Person(f"{manager.owner.name}+{robot}", made["token"])
    asking = RegistryClient(manager.hub, person)
    asking.repeat = 2
    return asking, made["id"]


def login(hub: RunningHub, person: Person) -> int:
    query = f"account={person.name.replace('+', '%2B')}&client_id=docker&service={hub.host}"
    return int(hub.http.request("GET", f"{hub.url}/token?{query}", headers=person.basic).status)


def refused(asking: RegistryClient, name: str, wanted: bytes = b"errors") -> int:
    """The status of opening an upload with whatever the token service grants."""
    answer = asking.send("POST", f"/v2/{name}/blobs/uploads/", scope=f"repository:{name}:pull,push")
    assert wanted in answer.data
    return int(answer.status)


def test_pushes_and_pulls_in_its_namespace_and_is_refused_elsewhere(
    live: RunningHub, manager: Manager, robot: str, fresh_name: str, stranger: Person
) -> None:
    asking, _id = client(manager, robot)
    assert asking.person is not None
    assert login(live, asking.person) == 200
    picture = image(fresh_name)
    assert asking.push(fresh_name, picture, "v1").status == 201
    assert picture.digest in asking.pull(fresh_name, "v1")
    seen = manager.hub.http.request(
        "GET", f"{live.url}/api/repositories/{fresh_name}/tags/v1", headers=manager.owner.basic
    )
    assert json.loads(seen.data)["pushed_by"] == asking.person.name
    assert refused(asking, f"{stranger.name}/theirs") == 401
    manager("PATCH", f"/{robot}", {"role": "read"})
    assert refused(asking, fresh_name) == 403
    assert picture.digest in asking.pull(fresh_name, "v1")
    manager("PATCH", f"/{robot}", {"role": "", "may_create": False})
    assert asking.send("GET", f"/v2/{fresh_name}/manifests/v1").status == 401


def test_a_rotated_token_refuses_its_old_secret_at_once(
    live: RunningHub, manager: Manager, robot: str, fresh_name: str
) -> None:
    asking, id = client(manager, robot)
    picture = image(fresh_name)
    assert asking.push(fresh_name, picture, "v1").status == 201
    assert asking.person is not None
    headers = {"Authorization": f"Bearer {asking.token(f'repository:{fresh_name}:pull')}"}
    path = f"{live.url}/v2/{fresh_name}/manifests/v1"
    for _ in range(3):
        assert live.http.request("GET", path, headers=headers).status == 200
        assert login(live, asking.person) == 200
    kept = manager("POST", f"/{robot}/tokens/{id}/rotate", {"keep_old": True})["token"]
    for secret in (kept, asking.person.token):
        assert login(live, Person(asking.person.name, secret)) == 200
    assert live.http.request("GET", path, headers=headers).status == 200
    last = manager("POST", f"/{robot}/tokens/{id}/rotate")["token"]
    assert live.http.request("GET", path, headers=headers).status == 401
    assert login(live, asking.person) == 401
    assert login(live, Person(asking.person.name, kept)) == 401
    assert login(live, Person(asking.person.name, last)) == 200
    manager("DELETE", f"/{robot}")
    assert login(live, Person(asking.person.name, last)) == 401


def test_every_way_to_present_its_token(live: RunningHub, manager: Manager, robot: str) -> None:
    asking, _id = client(manager, robot)
    person = asking.person
    assert person is not None
    bearer = {"Authorization": f"Bearer {person.token}"}
    form = {
        "grant_type": "password",
        "username": person.name,
        "password": person.token,
        "service": live.host,
        "client_id": "docker",
        "access_type": "offline",
    }
    assert live.http.request("GET", f"{live.url}/v2/", headers=bearer).status == 200
    answer = live.http.request_encode_body(
        "POST", f"{live.url}/token", fields=form, encode_multipart=False
    )
    assert answer.status == 200
    again = live.http.request_encode_body(
        "POST",
        f"{live.url}/token",
        fields={
            "grant_type": "refresh_token",
            "refresh_token": json.loads(answer.data)["refresh_token"],
            "service": live.host,
            "client_id": "docker",
        },
        encode_multipart=False,
    )
    assert again.status == 200
    spaced = urllib3.make_headers(basic_auth=f"{person.name.replace('+', ' ')}:{person.token}")
    assert live.http.request("GET", f"{live.url}/v2/", headers=dict(spaced)).status == 401
