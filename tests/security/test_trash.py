"""NM-02, NM-03: what lies in the trash, and everybody who reaches for it at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.hub import Person
from tests.images import image
from tests.security.conftest import Hub

pytestmark = pytest.mark.e2e
ROUNDS = 12
IMAGE = image("trash", layers=1, size=100)


@pytest.fixture
def person(hub: Hub) -> Person:
    """Somebody with an empty trash."""
    return hub.person("trash")


def at_once(hub: Hub, person: Person, calls: list[tuple[str, str, Any]]) -> list[int]:
    """The status of each call; all of them are sent at the same moment."""
    together = threading.Barrier(len(calls))

    def call(method: str, path: str, body: Any) -> int:
        together.wait()
        status: int = hub.running.api(method, path, body, token=person.token)[0]
        return status

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda args: call(*args), calls))


def in_trash(hub: Hub, person: Person) -> list[int]:
    """Ids, the last deleted first."""
    rows = hub.api("GET", f"namespaces/{person.name}/trash", person=person)["results"]
    return [row["id"] for row in rows]


def test_nm03_of_many_who_restore_purge_and_make_it_anew_one_wins(hub: Hub, person: Person) -> None:
    trash, winners = f"namespaces/{person.name}/trash", set()
    for number in range(ROUNDS):
        name = f"r{number}"
        path = f"{person.name}/{name}"
        assert hub.client(person).push(path, IMAGE, "1").status == 201
        hub.api("DELETE", f"repositories/{path}", person=person)
        (key,) = in_trash(hub, person)
        restored, again, purged, made = at_once(
            hub,
            person,
            [
                ("POST", f"{trash}/{key}/restore", {}),
                ("POST", f"{trash}/{key}/restore", {}),
                ("DELETE", f"{trash}/{key}", None),
                ("POST", "repositories", {"namespace": person.name, "name": name}),
            ],
        )
        restores = [restored, again]
        # Only whoever was first has the row; the name goes to one of the two who want it.
        assert (200 in restores) + (purged == 204) <= 1, (number, restores, purged)
        assert restores.count(200) + (made == 201) == 1, (number, restores, made)
        assert {*restores, purged, made} <= {200, 201, 204, 403, 404, 409}
        tags = hub.api("GET", f"repositories/{path}/tags", person=person)["results"]
        assert [tag["name"] for tag in tags] == (["1"] if 200 in restores else [])
        for left in in_trash(hub, person):
            hub.api("DELETE", f"{trash}/{left}", person=person)
        winners.add("made" if made == 201 else "restored")
    assert winners  # whoever it was


def test_nm03_a_deletion_and_pushes_at_once_leave_all_or_nothing(hub: Hub, person: Person) -> None:
    for number in range(ROUNDS):
        path = f"{person.name}/p{number}"
        client = hub.client(person)
        assert client.push(path, IMAGE, "1").status == 201
        token = client.token(f"repository:{path}:pull,push")
        together = threading.Barrier(2)

        def push(path: str = path, token: str = token, gate: threading.Barrier = together) -> int:
            gate.wait()
            answer = hub.running.http.request(
                "PUT",
                f"{hub.running.url}/v2/{path}/manifests/2",
                body=IMAGE.manifest,
                headers={"Authorization": f"Bearer {token}", "Content-Type": IMAGE.media_type},
            )
            return answer.status

        with ThreadPoolExecutor(1) as pool:
            pushed = pool.submit(push)
            together.wait()
            hub.api("DELETE", f"repositories/{path}", person=person)
            status = pushed.result()
        assert status in (201, 400, 401, 404), number  # 400: its layers are not there any more
        (key,) = in_trash(hub, person)
        hub.api("POST", f"namespaces/{person.name}/trash/{key}/restore", {}, person=person)
        tags = hub.api("GET", f"repositories/{path}/tags", person=person)["results"]
        assert [tag["name"] for tag in tags] == (["1", "2"] if status == 201 else ["1"])


def test_rg17_ids_of_the_trash_tell_a_stranger_nothing(
    hub: Hub, person: Person, stranger: Person
) -> None:
    path = f"{person.name}/secret"
    hub.api("POST", "repositories", {"namespace": person.name, "name": "secret"}, person=person)
    hub.api("DELETE", f"repositories/{path}", person=person)
    key = in_trash(hub, person)[0]
    for token in (stranger.token, ""):
        answers = set()
        for number in (key, 10**6):
            for method, tail in (("POST", "/restore"), ("DELETE", "")):
                status, answer = hub.running.api(
                    method, f"namespaces/{person.name}/trash/{number}{tail}", token=token
                )
                answers.add((status, str(answer)))
        assert len(answers) == 1, answers
        assert next(iter(answers))[0] in (401, 403)
    hub.api("DELETE", f"namespaces/{person.name}/trash/{key}", person=person)
