"""AZ-13, AZ-14, RG-13, NM-03: a right that went is gone at the next request, and at the commit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3

from tests.hub import Person
from tests.images import OCI_MANIFEST, Image, digest_of, image
from tests.security.conftest import Hub
from tests.security.wire import Wire, request, statuses

pytestmark = pytest.mark.e2e
ROUNDS = 12
HERE, GUESSER = "127.0.0.1", "127.0.0.13"  # failures are counted by address
IMAGE = image("races", layers=1, size=100)


@pytest.fixture(scope="module")
def guest(hub: Hub) -> Person:
    """Somebody whose rights come and go."""
    return hub.person("guest")


@pytest.fixture
def name(hub: Hub, owner: Person) -> str:
    """A private repository with one tag."""
    made = hub.name(owner)
    assert hub.client(owner).push(made, IMAGE, "1").status == 201
    return made


def everywhere(
    hub: Hub, method: str, target: str, headers: dict[str, str], times: int = 6, here: str = HERE
) -> list[int]:
    """The status over many new connections, so that every process of the hub is asked."""
    found = []
    for _ in range(times):
        with urllib3.PoolManager(retries=False, source_address=(here, 0)) as pool:
            found.append(pool.request(method, f"{hub.running.url}{target}", headers=headers).status)
    return found


# --- AZ-13


@pytest.mark.parametrize("credential", ["basic", "bearer"])
def test_az13_a_role_taken_away_is_gone_at_the_next_request(
    hub: Hub, owner: Person, guest: Person, name: str, credential: str
) -> None:
    """Over kept connections whose answers are remembered, over new ones, in every process."""
    grants = f"repositories/{name}/collaborators/{guest.name}"
    client = hub.client(guest)
    target = f"/v2/{name}/manifests/1"
    for number in range(ROUNDS):
        hub.api("PUT", grants, {"role": "write"}, person=owner)
        client.forget()
        token = client.token(f"repository:{name}:pull,push")
        headers = guest.basic if credential == "basic" else {"Authorization": f"Bearer {token}"}
        assert set(everywhere(hub, "GET", target, headers)) == {200}, number
        assert client.send("GET", target, headers=dict(headers)).status == 200
        hub.api("DELETE", grants, person=owner)
        kept = hub.running.http.request("GET", f"{hub.running.url}{target}", headers=headers)
        assert kept.status == 401, number
        assert set(everywhere(hub, "GET", target, headers)) == {401}, number
        assert set(everywhere(hub, "POST", f"/v2/{name}/blobs/uploads/", headers)) == {401}


def test_az13_every_kind_of_revocation_is_seen_by_the_next_request(
    hub: Hub, owner: Person, guest: Person
) -> None:
    """What is remembered for speed knows each of these by the rows it came from."""
    name = hub.name(owner)
    assert hub.client(owner).push(name, IMAGE, "1").status == 201
    target = f"/v2/{name}/tags/list"
    grants = f"repositories/{name}/collaborators/{guest.name}"
    for number in range(4):
        hub.api("PUT", grants, {"role": "read"}, person=owner)
        made = hub.api("POST", "tokens", {"name": f"t{number}", "scopes": []}, person=guest)
        hub.secrets.add(made["token"])
        other = Person(guest.name, made["token"])
        client = hub.client(other)
        bearer = {"Authorization": f"Bearer {client.token(f'repository:{name}:pull')}"}
        secrets = (other.basic, {"Authorization": f"Bearer {other.token}"})
        for headers in (bearer, *secrets):
            assert set(everywhere(hub, "GET", target, headers, here=GUESSER)) == {200}
        hub.api("DELETE", f"tokens/{made['id']}", person=guest)
        assert set(everywhere(hub, "GET", target, bearer, here=GUESSER)) == {401}
        for headers in secrets:
            assert everywhere(hub, "GET", target, headers, times=1, here=GUESSER) == [401]

        hub.api("PATCH", f"repositories/{name}", {"visibility": "public"}, person=owner)
        assert set(everywhere(hub, "GET", target, {})) == {200}
        hub.api("PATCH", f"repositories/{name}", {"visibility": "private"}, person=owner)
        assert set(everywhere(hub, "GET", target, {})) == {401}


# --- AZ-14

Change = Callable[[Hub, Person, Person, str], None]


def take_role(hub: Hub, owner: Person, guest: Person, name: str) -> None:
    hub.api("DELETE", f"repositories/{name}/collaborators/{guest.name}", person=owner)


def lower_role(hub: Hub, owner: Person, guest: Person, name: str) -> None:
    path = f"repositories/{name}/collaborators/{guest.name}"
    hub.api("PUT", path, {"role": "read"}, person=owner)


def delete(hub: Hub, owner: Person, guest: Person, name: str) -> None:
    hub.api("DELETE", f"repositories/{name}", person=owner)


CHANGES: dict[str, Change] = {"taken": take_role, "lowered": lower_role, "deleted": delete}
LATE = b"bytes that end after the right did" * 20_000


def routes(hub: Hub, guest: Person, name: str) -> dict[str, tuple[str, str, bytes, str]]:
    """Method, target, body, type of every request that commits what its body brings."""
    client, scope = hub.client(guest), f"repository:{name}:pull,push"
    opened = client.send("POST", f"/v2/{name}/blobs/uploads/", scope=scope).headers["Location"]
    digest = digest_of(LATE)
    put = IMAGE.manifest
    return {
        "manifest by tag": ("PUT", f"/v2/{name}/manifests/late", put, OCI_MANIFEST),
        "tag moved": ("PUT", f"/v2/{name}/manifests/1", put[:-1] + b" }", OCI_MANIFEST),
        "blob in the PUT": ("PUT", f"{opened}?digest={digest}", LATE, ""),
        "blob in the POST": ("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", LATE, ""),
    }


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "route", ["manifest by tag", "tag moved", "blob in the PUT", "blob in the POST"]
)
def test_az14_a_right_that_goes_in_the_middle_of_a_push_is_missed_at_the_commit(
    hub: Hub, owner: Person, guest: Person, name: str, change: str, route: str
) -> None:
    """The hub says `100 Continue` once it has decided; then comes the change, then the body."""
    path = f"repositories/{name}/collaborators/{guest.name}"
    hub.api("PUT", path, {"role": "write"}, person=owner)
    method, target, body, kind = routes(hub, guest, name)[route]
    token = hub.client(guest).token(f"repository:{name}:pull,push")
    headers = {"Authorization": f"Bearer {token}", "Content_Length": str(len(body))}
    headers |= {"Expect": "100-continue", **({"Content_Type": kind} if kind else {})}
    with Wire(hub.running) as wire:
        wire.send(request(method, target, hub.running.host, **headers))
        assert statuses(wire.head()) == [100]
        wire.send(body[: len(body) // 2])
        CHANGES[change](hub, owner, guest, name)
        wire.send(body[len(body) // 2 :])
        assert statuses(wire.head())[0] in (401, 403, 404)
    seen = hub.client(owner)
    if change == "deleted":
        assert seen.send("GET", f"/v2/{name}/tags/list").status == 404
        return
    tags = seen.send("GET", f"/v2/{name}/tags/list")
    assert tags.data == f'{{"name":"{name}","tags":["1"]}}'.encode()
    assert seen.send("GET", f"/v2/{name}/manifests/1").data == IMAGE.manifest
    assert seen.send("GET", f"/v2/{name}/blobs/{digest_of(LATE)}").status == 404


@pytest.mark.parametrize("change", ["taken", "lowered"])
def test_az14_pushes_and_a_revocation_at_once_have_an_order(
    hub: Hub, owner: Person, guest: Person, name: str, change: str
) -> None:
    """A push that began after the answer to the revocation never succeeds."""
    path = f"repositories/{name}/collaborators/{guest.name}"
    client, scope = hub.client(guest), f"repository:{name}:pull,push"
    for number in range(ROUNDS):
        hub.api("PUT", path, {"role": "write"}, person=owner)
        client.forget()
        headers = {"Authorization": f"Bearer {client.token(scope)}", "Content-Type": OCI_MANIFEST}
        gone, barrier = threading.Event(), threading.Barrier(3)
        wrong: list[int] = []

        def push(
            worker: int,
            number: int = number,
            headers: dict[str, str] = headers,
            gone: threading.Event = gone,
            barrier: threading.Barrier = barrier,
            wrong: list[int] = wrong,
        ) -> None:
            barrier.wait()
            for n in range(6):
                after = gone.is_set()
                target = f"{hub.running.url}/v2/{name}/manifests/t{number}-{worker}-{n}"
                with urllib3.PoolManager(retries=False) as pool:
                    answer = pool.request("PUT", target, body=IMAGE.manifest, headers=headers)
                if after and answer.status < 400:
                    wrong.append(answer.status)

        def revoke(gone: threading.Event = gone, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            CHANGES[change](hub, owner, guest, name)
            gone.set()

        with ThreadPoolExecutor(3) as pool:
            for future in [pool.submit(push, 0), pool.submit(push, 1), pool.submit(revoke)]:
                future.result()
        assert wrong == [], number


def test_az14_a_source_that_turns_private_in_the_middle_is_no_source_any_more(
    hub: Hub, owner: Person, guest: Person, name: str
) -> None:
    hub.api("PATCH", f"repositories/{name}", {"visibility": "public"}, person=owner)
    mine, digest = hub.name(guest), digest_of(IMAGE.blobs[1])
    client = hub.client(guest)
    token = client.token(f"repository:{mine}:pull,push repository:{name}:pull")
    headers = {"Authorization": f"Bearer {token}"}
    target = f"/v2/{mine}/blobs/uploads/?mount={digest}&from={name}"
    hub.api("PATCH", f"repositories/{name}", {"visibility": "private"}, person=owner)
    assert set(everywhere(hub, "POST", target, headers)) == {202}
    assert client.send("HEAD", f"/v2/{mine}/blobs/{digest}").status == 404
    hub.api("PATCH", f"repositories/{name}", {"visibility": "public"}, person=owner)
    assert everywhere(hub, "POST", target, headers)[0] == 201


# --- RG-13


def test_rg13_what_was_deleted_is_gone_from_every_process(hub: Hub, owner: Person) -> None:
    name, client = hub.name(owner), hub.client(owner)
    for number in range(ROUNDS):
        made = image(f"deleted {number}", layers=1, size=50)
        assert client.push(name, made, "gone").status == 201
        loose = client.push_blob(name, b"loose %d" % number)
        headers = {"Authorization": f"Bearer {client.token(f'repository:{name}:pull,push,delete')}"}
        targets = [
            f"/v2/{name}/manifests/gone",
            f"/v2/{name}/manifests/{made.digest}",
            f"/v2/{name}/blobs/{loose}",
        ]
        for target in targets:
            assert set(everywhere(hub, "GET", target, headers)) == {200}
            assert set(everywhere(hub, "HEAD", target, headers)) == {200}
        for target in targets[1:]:
            url = f"{hub.running.url}{target}"
            assert hub.running.http.request("DELETE", url, headers=headers).status == 202
        for target in targets:
            for method in ("GET", "HEAD"):
                assert set(everywhere(hub, method, target, headers)) == {404}, (number, target)
        for kept in (headers, {**headers, "If-None-Match": f'"{made.digest}"'}):
            assert set(everywhere(hub, "GET", targets[0], kept)) == {404}


# --- NM-03


def test_nm03_a_push_and_the_delete_of_its_repository_have_an_order(
    hub: Hub, owner: Person
) -> None:
    """Whoever is first: what was acknowledged is there in full, or went with the repository."""
    name = hub.name(owner)
    for number in range(ROUNDS):
        made = image(f"nm03 {number}", layers=1, size=50)
        client = hub.client(owner)
        assert client.push(name, made, "before").status == 201
        barrier = threading.Barrier(2)

        def remove(barrier: threading.Barrier = barrier) -> int:
            barrier.wait()
            path = f"repositories/{name}"
            return hub.running.api("DELETE", path, token=owner.token)[0]

        def push(
            made: Image = made, barrier: threading.Barrier = barrier, number: int = number
        ) -> list[int]:
            pusher = hub.client(owner)
            scope = f"repository:{name}:pull,push"
            pusher.token(scope)
            barrier.wait()
            url, kind = f"/v2/{name}/manifests/during", {"Content-Type": made.media_type}
            return [
                pusher.send("PUT", url, body=made.manifest, headers=kind, scope=scope).status
                for _ in range(3)
            ]

        with ThreadPoolExecutor(2) as pool:
            removed, pushed = pool.submit(remove), pool.submit(push)
            assert removed.result() == 204
            assert set(pushed.result()) <= {201, 400, 401, 404}
        client.forget()
        after = client.send("GET", f"/v2/{name}/tags/list")
        assert after.status == 404, "the blobs went with the repository, so no push made a new one"
    hub.running.manage("fsck")
