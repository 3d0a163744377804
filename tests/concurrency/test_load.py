"""Many pushers at once, and processes killed under them: nothing acknowledged is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from tests.client import RegistryClient
from tests.hub import Person, RunningHub
from tests.images import Image, image

CLIENTS = 4
IMAGES = 50


@pytest.fixture
def started(own_hub: RunningHub) -> RunningHub:
    own_hub.start()
    return own_hub


def small(client: int, number: int) -> Image:
    """Every fifth image is the same for all clients, so that they meet on blobs and manifests."""
    seed = f"shared/{number}" if number % 5 == 0 else f"{client}/{number}"
    return image(seed, layers=2, size=500)


def push_all(hub: RunningHub, person: Person, name: str, number: int) -> list[tuple[str, Image]]:
    client = RegistryClient(hub, person)
    done = []
    for n in range(IMAGES):
        pushed, tag = small(number, n), f"c{number}-{n}"
        answer = client.push(name, pushed, tag)
        assert answer.status == 201, answer.data
        done.append((tag, pushed))
    return done


def check_all(hub: RunningHub, person: Person, name: str, done: list[tuple[str, Image]]) -> None:
    client = RegistryClient(hub, person)
    for tag, pushed in done:
        found = client.pull(name, tag)
        assert set(found.values()) == {pushed.manifest, *pushed.blobs}, tag


def test_two_hundred_images_by_four_clients(started: RunningHub) -> None:
    person = started.person()
    name = f"{person.name}/many"
    with ThreadPoolExecutor(CLIENTS) as pool:
        results = list(pool.map(lambda n: push_all(started, person, name, n), range(CLIENTS)))
    done = [item for result in results for item in result]
    assert len(done) == CLIENTS * IMAGES
    check_all(started, person, name, done)
    started.manage("fsck", "--rehash")


def test_first_pushes_of_one_repository_at_once_make_one(started: RunningHub) -> None:
    person = started.person()
    name = f"{person.name}/race"
    pushed = image("race")
    barrier = threading.Barrier(8)

    def push(number: int) -> int:
        client = RegistryClient(started, person)
        client.token(f"repository:{name}:pull,push")
        barrier.wait()
        return client.push(name, pushed, f"t{number}").status

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(push, range(8))) == [201] * 8
    status, page = started.api("GET", "repositories", token=person.token)
    assert (status, [r["name"] for r in page["results"]]) == (200, ["race"])


def persistent_push(
    hub: RunningHub, person: Person, name: str, number: int, stop: threading.Event
) -> list[tuple[str, Image]]:
    """What clients do when a connection breaks: begin the push again."""
    client = RegistryClient(hub, person)
    done: list[tuple[str, Image]] = []
    n = 0
    while not stop.is_set():
        pushed, tag = small(number, n), f"c{number}-{n}"
        try:
            if client.push(name, pushed, tag).status == 201:
                done.append((tag, pushed))
                n += 1
        except (urllib3.exceptions.HTTPError, AssertionError):
            time.sleep(0.1)
    return done


def test_killed_web_workers_lose_nothing_acknowledged(started: RunningHub) -> None:
    person = started.person()
    name = f"{person.name}/killed"
    stop = threading.Event()
    kills = 0
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [
            pool.submit(persistent_push, started, person, name, n, stop) for n in range(CLIENTS)
        ]
        while kills < 6:
            time.sleep(0.7)
            for pid in started.pids("gunicorn")[1:2]:  # the first is the arbiter
                os.kill(pid, signal.SIGKILL)
                kills += 1
        time.sleep(1)
        stop.set()
        done = [item for future in running for item in future.result()]
    assert len(done) > CLIENTS
    check_all(started, person, name, done)
    started.manage("fsck", "--rehash")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_a_push_survives_the_end_of_everything(
    own_hub: RunningHub, how: signal.Signals, tmp_path: Path
) -> None:
    own_hub.start()
    person = own_hub.person()
    name = f"{person.name}/restart"
    client = RegistryClient(own_hub, person)
    before = image("before", size=2000)
    assert client.push(name, before, "before").status == 201
    scope = f"repository:{name}:pull,push"
    opened = client.send("POST", f"/v2/{name}/blobs/uploads/", scope=scope)
    location = opened.headers["Location"]
    assert client.send("PATCH", location, body=b"x" * 1000, scope=scope).status == 202

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"y" * 10_000
            time.sleep(0.01)

    broken: list[BaseException | int] = []

    def append() -> None:
        try:
            broken.append(client.send("PATCH", location, body=endless(), scope=scope).status)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            broken.append(error)

    thread = threading.Thread(target=append)
    thread.start()
    time.sleep(0.5)
    own_hub.stop(how)
    thread.join(20)
    assert broken
    assert broken[0] != 202, "a body that was cut must not be acknowledged"

    own_hub.start()
    state = client.send("GET", location, scope=scope)
    assert (state.status, state.headers["Range"]) == (204, "0-999")
    assert client.pull(name, "before")
    after = image("after")
    assert client.push(name, after, "after").status == 201
    assert client.pull(name, "after")
    own_hub.manage("fsck", "--rehash")
