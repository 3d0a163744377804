"""One turn of a worker's loop: no request is answered from what was true before it came."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest

from hubsite.server.poller import Poller
from hubsite.server.worker import Connection, RegistryWorker

HEAD = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"


class Clock:
    """A memory that answers with the stamp it was asked under; the first reading takes so long
    that somebody else's request is completed meanwhile."""

    def __init__(self, meanwhile) -> None:
        self._meanwhile = meanwhile
        self.now = 0

    def key(self, client, head):
        return head if head.endswith(b"\r\n\r\n") else None

    def stamp(self):
        self.now += 1
        if self.now == 1:
            self._meanwhile()
        return self.now

    def find(self, key, stamp):
        return b"%d" % stamp


@pytest.fixture
def pairs():
    made = [socket.socketpair() for _ in range(2)]
    yield made
    for pair in made:
        for end in pair:
            end.close()


def test_a_request_completed_after_the_stamp_was_read_does_not_use_it(pairs):
    (early, early_end), (late, late_end) = pairs
    worker = RegistryWorker.__new__(RegistryWorker)
    worker.alive, worker.waiting, worker.nr = True, {}, 0
    worker.cfg = SimpleNamespace(keepalive=75)
    worker.poller = Poller()
    worker.memo = Clock(lambda: late.sendall(HEAD[5:]))
    for end in (early_end, late_end):
        worker._watch(Connection(worker.cfg, end, "", None), 30)
    early.sendall(HEAD)
    late.sendall(HEAD[:5])
    worker.wait_for_and_dispatch_events(1)
    worker.wait_for_and_dispatch_events(0)
    assert early.recv(10) == b"1"
    assert late.recv(10) == b"2"
    worker.poller.close()
