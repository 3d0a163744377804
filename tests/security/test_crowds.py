"""RG-09 to RG-11, ID-01, ID-03: many at once, over real sockets and processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3

from accounts.services.credentials import FAILURES_PER_ACCOUNT_AND_ADDRESS
from tests.hub import PASSWORD, Person
from tests.images import digest_of, image
from tests.security.conftest import Hub

pytestmark = pytest.mark.e2e
AT_ONCE = 8
ROUNDS = 6


def together(count: int, act: Callable[[int], Any]) -> list[Any]:
    """What each of so many threads gets when all begin at the same moment."""
    barrier = threading.Barrier(count)

    def run(number: int) -> Any:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def from_address(address: str) -> urllib3.PoolManager:
    """Connections that come from another address of this machine."""
    return urllib3.PoolManager(
        retries=False, source_address=(address, 0), timeout=urllib3.Timeout(30), maxsize=AT_ONCE
    )


# --- RG-09


@pytest.mark.parametrize("size", [100, 400_000], ids=["small", "spliced"])
def test_rg09_of_many_writers_at_one_offset_one_counts(hub: Hub, owner: Person, size: int) -> None:
    name, client = hub.name(owner), hub.client(owner)
    scope = f"repository:{name}:pull,push"
    for number in range(ROUNDS):
        where = client.send("POST", f"/v2/{name}/blobs/uploads/", scope=scope).headers["Location"]
        pieces = [bytes([65 + n]) * size for n in range(AT_ONCE)]
        answers = together(
            AT_ONCE,
            lambda n, where=where, pieces=pieces: (
                client.send(
                    "PATCH",
                    where,
                    body=pieces[n],
                    headers={"Content-Range": f"0-{size - 1}"},
                    scope=scope,
                ).status
            ),
        )
        assert sorted(answers) == [202] + [416] * (AT_ONCE - 1), number
        kept = pieces[answers.index(202)]
        told = client.send("GET", where, scope=scope)
        assert told.headers["Range"] == f"0-{size - 1}"
        closed = client.send("PUT", f"{where}?digest={digest_of(kept)}", scope=scope)
        assert closed.status == 201
        got = client.send("GET", f"/v2/{name}/blobs/{digest_of(kept)}", scope=scope)
        assert got.data == kept


def test_rg09_finish_cancel_and_append_at_once_leave_a_blob_or_nothing(
    hub: Hub, owner: Person
) -> None:
    name, client = hub.name(owner), hub.client(owner)
    scope = f"repository:{name}:pull,push"
    for number in range(ROUNDS * 2):
        data = b"three ways at once %d" % number
        where = client.send("POST", f"/v2/{name}/blobs/uploads/", scope=scope).headers["Location"]
        assert client.send("PATCH", where, body=data, scope=scope).status == 202
        asked = (
            ("PUT", f"{where}?digest={digest_of(data)}", None),
            ("DELETE", where, None),
            ("PATCH", where, b"more"),
            ("PUT", f"{where}?digest={digest_of(data)}", None),
        )
        answers = together(
            4,
            lambda n, asked=asked: (
                client.send(asked[n][0], asked[n][1], body=asked[n][2], scope=scope).status
            ),
        )
        assert all(status < 500 for status in answers), answers
        got = client.send("GET", f"/v2/{name}/blobs/{digest_of(data)}", scope=scope)
        if 201 in (answers[0], answers[3]):
            assert (got.status, got.data) == (200, data), answers
        else:
            assert got.status == 404, answers
    hub.running.manage("fsck", "--rehash")


# --- RG-10, RG-11


def test_rg10_the_same_new_blob_pushed_to_many_repositories_at_once(
    hub: Hub, owner: Person
) -> None:
    names = [hub.name(owner) for _ in range(AT_ONCE)]
    clients = [hub.client(owner) for _ in names]
    for client, name in zip(clients, names, strict=True):
        assert client.push(name, image("rg10", layers=1, size=10), "1").status == 201
    for number in range(ROUNDS):
        data = b"new to everybody %d" % number * 100
        digest = digest_of(data)

        def push(n: int, data: bytes = data, digest: str = digest) -> tuple[int, int, bytes]:
            scope = f"repository:{names[n]}:pull,push"
            where = f"/v2/{names[n]}/blobs/uploads/"
            if n % 2:
                pushed = clients[n].send("POST", f"{where}?digest={digest}", body=data, scope=scope)
            else:
                opened = clients[n].send("POST", where, scope=scope).headers["Location"]
                pushed = clients[n].send("PUT", f"{opened}?digest={digest}", body=data, scope=scope)
            got = clients[n].send("GET", f"/v2/{names[n]}/blobs/{digest}", scope=scope)
            return pushed.status, got.status, got.data

        assert together(AT_ONCE, push) == [(201, 200, data)] * AT_ONCE, number


def test_rg11_first_pushes_at_once_make_one_repository(hub: Hub, owner: Person) -> None:
    for number in range(ROUNDS):
        name, pushed = hub.name(owner), image(f"rg11 {number}", layers=1, size=10)
        clients = [hub.client(owner) for _ in range(AT_ONCE)]
        for client in clients:
            client.token(f"repository:{name}:pull,push")
        assert (
            together(
                AT_ONCE, lambda n, c=clients, i=name, p=pushed: c[n].push(i, p, f"t{n}").status
            )
            == [201] * AT_ONCE
        )
        found = hub.api("GET", f"search?q={name.partition('/')[2]}", person=owner)
        assert [f"{r['namespace']}/{r['name']}" for r in found["results"]].count(name) == 1
        listed = clients[0].send("GET", f"/v2/{name}/tags/list")
        assert listed.data.count(b'"t') == AT_ONCE + 1  # the tags, and the word "tags"


# --- ID-01, ID-03


def test_id01_guessing_in_parallel_gains_no_more_guesses_than_there_are_hands(
    hub: Hub, owner: Person
) -> None:
    """Ten, and those that were under way when the tenth failed."""
    window_s = FAILURES_PER_ACCOUNT_AND_ADDRESS[1]
    if (left_s := window_s - time.time() % window_s) < 30:
        time.sleep(left_s)  # failures are counted in pieces of the clock; one must not end now
    pool = from_address("127.0.0.31")

    def guess(n: int) -> list[int]:
        found = []
        for number in range(8):
            headers = urllib3.make_headers(basic_auth=f"{owner.name}:guess {n} {number}")
            found.append(pool.request("GET", f"{hub.running.url}/token", headers=headers).status)
        return found

    statuses = [status for found in together(AT_ONCE, guess) for status in found]
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= 10 + AT_ONCE
    good = urllib3.make_headers(basic_auth=f"{owner.name}:{PASSWORD}")
    assert pool.request("GET", f"{hub.running.url}/token", headers=good).status == 429
    other = from_address("127.0.0.32")
    assert other.request("GET", f"{hub.running.url}/token", headers=good).status == 200


def test_id03_a_crowd_at_the_door_takes_bounded_memory_and_no_door_but_its_own(
    hub: Hub, owner: Person
) -> None:
    """Two hashes at a time in each process; pulls go on beside them."""
    name, client = hub.name(owner), hub.client(owner)
    assert client.push(name, image("id03", layers=1, size=10), "1").status == 201
    token = {"Authorization": f"Bearer {client.token(f'repository:{name}:pull')}"}

    def pull(n: int) -> list[int]:
        url = f"{hub.running.url}/v2/{name}/tags/list?n={n + 1}"
        return [hub.running.http.request("GET", url, headers=token).status for _ in range(20)]

    together(26, pull)  # threads that work for the first time take memory, too
    before = hub.running.rss_bytes()
    peak, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak.append(hub.running.rss_bytes())

    def knock(n: int) -> int:
        headers = urllib3.make_headers(basic_auth=f"nobody{n}:some password")
        pool = from_address(f"127.0.1.{n + 1}")
        return int(pool.request("GET", f"{hub.running.url}/token", headers=headers).status)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        answers = together(26, lambda n: pull(n) if n < 2 else knock(n))
    finally:
        done.set()
        watcher.join()
    assert answers[:2] == [[200] * 20] * 2
    assert set(answers[2:]) <= {401, 503}
    assert 401 in answers[2:]
    processes, hash_bytes, room = 2, 19 * 1024 * 1024, 160 * 1024 * 1024  # not 24 times 19 MiB
    assert max(peak) - before < processes * 2 * hash_bytes + room
