"""Former names over the wire: remembered answers, counted uses, and names that end."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.client import RegistryClient
from tests.images import image, multi
from tests.protocol.conftest import Desk

pytestmark = pytest.mark.e2e
IMAGE = image("aliases", layers=2, size=500)


def rest(desk: Desk, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    found, answer = desk.hub.api(method, path, body, token=desk.person.token)
    assert found == status, answer
    return answer


@pytest.fixture
def moved(desk: Desk) -> str:
    """The desk's repository has a tag, and another name than before."""
    assert desk.client.push(desk.name, IMAGE, "1").status == 201
    path = f"repositories/{desk.name}/rename"
    return str(rest(desk, "POST", path, {"name": f"{desk.name.partition('/')[2]}-moved"})["path"])


def uses(desk: Desk, moved: str) -> int:
    rows = rest(desk, "GET", f"repositories/{moved}/aliases")["results"]
    assert [row["path"] for row in rows] == [desk.name]
    return int(rows[0]["uses"])


def test_everything_is_read_under_both_names(desk: Desk, moved: str) -> None:
    client = desk.client
    assert client.pull(desk.name, "1") == client.pull(moved, "1")
    for name in (desk.name, moved):
        tags = client.send("GET", f"/v2/{name}/tags/list")
        assert json.loads(tags.data) == {"name": name, "tags": ["1"]}
        referrers = client.send("GET", f"/v2/{name}/referrers/{IMAGE.digest}")
        assert json.loads(referrers.data)["manifests"] == []


def test_every_pull_counts_once_also_from_memory(desk: Desk, moved: str) -> None:
    client = RegistryClient(desk.hub, desk.person)
    index = multi("aliases counted")
    assert client.push(moved, index, "all").status == 201
    for _ in range(5):
        client.send("GET", f"/v2/{desk.name}/manifests/1")
        client.send("HEAD", f"/v2/{desk.name}/manifests/1")
    client.pull(desk.name, "all")  # its children are part of it
    client.send("GET", f"/v2/{moved}/manifests/1")
    deadline = time.monotonic() + 20
    while (found := uses(desk, moved)) < 6 and time.monotonic() < deadline:
        time.sleep(0.3)
    assert found == 6


def test_pushes_are_told_the_new_name(desk: Desk, moved: str) -> None:
    sentence = f"{desk.name} is now {moved}; push there".encode()
    for method, path in (
        ("POST", "blobs/uploads/"),
        ("PUT", "manifests/2"),
    ):
        answer = desk.client.send(method, f"/v2/{desk.name}/{path}", body=b"{}", scope=desk.scope)
        assert answer.status == 403
        assert sentence in answer.data
    assert desk.client.push(moved, IMAGE, "2").status == 201


def test_strangers_see_nothing(desk: Desk, moved: str, stranger: Any) -> None:
    for client in (RegistryClient(desk.hub, stranger), RegistryClient(desk.hub)):
        answers = [
            client.send("GET", f"/v2/{name}/manifests/1")
            for name in (desk.name, moved, f"{desk.name}-never")
        ]
        assert {answer.status for answer in answers} == {401}
        assert (
            len({answer.data.replace(b"-moved", b"").replace(b"-never", b"") for answer in answers})
            == 1
        )


def test_a_name_that_ends_ends_at_the_next_request(desk: Desk, moved: str) -> None:
    """Whatever was remembered under it."""
    client = desk.client
    for _ in range(3):
        assert client.send("GET", f"/v2/{desk.name}/manifests/1").status == 200
    row = rest(desk, "GET", f"repositories/{moved}/aliases")["results"][0]
    rest(desk, "DELETE", f"repositories/{moved}/aliases/{row['id']}", status=204)
    assert client.send("GET", f"/v2/{desk.name}/manifests/1").status in (401, 404)
    client.forget()
    assert client.send("GET", f"/v2/{desk.name}/manifests/1").status == 404
    assert client.send("GET", f"/v2/{moved}/manifests/1").status == 200


def test_a_new_repository_takes_a_name_over(desk: Desk, moved: str) -> None:
    """By hand only: a push to a former name is a mistake."""
    client = desk.client
    client.pull(desk.name, "1")
    namespace, _, name = desk.name.partition("/")
    rest(desk, "POST", "repositories", {"namespace": namespace, "name": name}, status=201)
    assert client.send("GET", f"/v2/{desk.name}/manifests/1").status in (401, 404)
    client.forget()
    other = image("aliases: another", layers=1, size=100)
    assert client.push(desk.name, other, "1").status == 201
    assert client.send("GET", f"/v2/{desk.name}/manifests/1").data == other.manifest
    assert client.send("GET", f"/v2/{moved}/manifests/1").data == IMAGE.manifest
