"""Whatever is killed or emptied between a push and its deliveries: none is missed, each tag in
order; and whoever hangs holds up nobody."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from tests.client import RegistryClient
from tests.flows.test_redis_broker import Redis, redis
from tests.flows.test_story import hooked
from tests.hub import Person, RunningHub
from tests.images import image
from tests.receiver import Received, Receiver

pytestmark = pytest.mark.e2e
__all__ = ["redis"]
WORKER = "--pool=threads"


@contextmanager
def halted_worker(hub: RunningHub) -> Iterator[None]:
    """Nothing is taken from the queue meanwhile."""
    pids = hub.pids(WORKER)
    assert pids

    def tell(number: int) -> None:
        for pid in pids:
            os.kill(pid, number)

    tell(signal.SIGSTOP)
    while not writable(hub):  # it was halted in the middle of a transaction
        tell(signal.SIGCONT)
        time.sleep(0.05)
        tell(signal.SIGSTOP)
    try:
        yield
    finally:
        tell(signal.SIGCONT)


def writable(hub: RunningHub) -> bool:
    """Whether nobody holds SQLite's one lock for writing."""
    path = hub.data_dir / "hub.sqlite3"
    if not path.exists():
        return True  # PostgreSQL locks rows
    with closing(sqlite3.connect(path, timeout=2, isolation_level=None)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        database.execute("ROLLBACK")
    return True


def push(hub: RunningHub, person: Person, path: str, tags: str) -> list[str]:
    """A new image for each tag; their digests."""
    client = RegistryClient(hub, person)
    digests = []
    for number, tag in enumerate(tags):
        made = image(f"{path}{number}")
        assert client.push(path, made, tag).status == 201
        digests.append(made.digest)
    return digests


def arrived(received: list[Received]) -> list[tuple[str, str]]:
    """Tags and digests."""
    pushes = [json.loads(request.body)["push_data"] for request in received]
    return [(data["tag"], data["digest"]) for data in pushes]


def assert_each_in_order(received: list[Received], tags: str, digests: list[str]) -> None:
    found = arrived(received)
    pushed = list(zip(tags, digests, strict=True))
    assert sorted(found) == sorted(pushed)
    for tag in set(tags):
        assert [pair for pair in found if pair[0] == tag] == [p for p in pushed if p[0] == tag]


def test_an_emptied_queue_loses_no_delivery(own_hub: RunningHub) -> None:
    own_hub.start()
    person = own_hub.person()
    tags = "aabaab"
    with Receiver() as ci:
        path, _ = hooked(own_hub, person, ci.url)
        with halted_worker(own_hub):
            digests = push(own_hub, person, path, tags)
            gone = own_hub.manage(
                "shell",
                "-c",
                "from events.models import QueueMessage; print(QueueMessage.objects.all().delete())",
            )
            assert "QueueMessage" in gone
        assert_each_in_order(ci.wait_for(len(tags), seconds=60), tags, digests)


def test_an_emptied_redis_loses_no_delivery(own_hub: RunningHub, redis: Redis) -> None:
    assert shutil.which("redis-server")
    own_hub.environment["HUB_BROKER_URL"] = f"redis://127.0.0.1:{redis.port}/0"
    own_hub.start()
    person = own_hub.person()
    tags = "abab"
    with Receiver() as ci:
        path, _ = hooked(own_hub, person, ci.url)
        with halted_worker(own_hub):
            digests = push(own_hub, person, path, tags)
            with socket.create_connection(("127.0.0.1", redis.port)) as client:
                client.sendall(b"FLUSHALL\r\n")
                assert client.recv(100).startswith(b"+OK")
        assert_each_in_order(ci.wait_for(len(tags), seconds=60), tags, digests)


def test_a_worker_killed_while_it_sends_sends_again(own_hub: RunningHub) -> None:
    own_hub.environment["HUB_WEBHOOK_TIMEOUT_S"] = "3"  # its lease is not much longer
    own_hub.start()
    person = own_hub.person()
    tags = "aab"
    with Receiver() as ci:
        path, _ = hooked(own_hub, person, ci.url)
        ci.moves.clear()
        digests = push(own_hub, person, path, tags)
        ci.wait_for(2)  # the second of "a" waits for the first
        for pid in own_hub.pids(WORKER):
            os.kill(pid, signal.SIGKILL)
        ci.moves.set()
        ci.wait_for(2 + len(tags), seconds=90)
    found = arrived(ci.received)
    assert sorted(found[:2]) == sorted([("a", digests[0]), ("b", digests[2])])
    assert sorted(found[2:]) == sorted(zip(tags, digests, strict=True))
    assert found[2:].index(("a", digests[0])) < found[2:].index(("a", digests[1]))
    ids = {request.headers["x-hub-delivery"] for request in ci.received}
    assert len(ids) == len(tags)


def test_receivers_that_hang_hold_up_nobody_else(own_hub: RunningHub) -> None:
    """More of them than there are task slots, none of which has failed before."""
    own_hub.start()
    person = own_hub.person()
    with ExitStack() as stack:
        hanging = [stack.enter_context(Receiver()) for _ in range(5)]
        ci = stack.enter_context(Receiver())
        path, _ = hooked(own_hub, person, ci.url)
        for receiver in hanging:
            receiver.moves.clear()
            body = {"url": receiver.url, "secret": "s3cret", "events": ["push"]}
            address = f"repositories/{path}/webhooks"
            assert own_hub.api("POST", address, body, token=person.token)[0] == 201
        tags = "abcabc"
        digests = push(own_hub, person, path, tags)
        assert_each_in_order(ci.wait_for(len(tags), seconds=60), tags, digests)
        assert all(1 <= len(receiver.received) <= 2 for receiver in hanging)
