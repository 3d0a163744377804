"""One person with a repository of their own for each test.

Every GET and HEAD is asked twice: by views first, then from memory where it may be.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from registry.services import pulls
from tests.client import RegistryClient
from tests.hub import Person, RunningHub
from tests.protocol.scene import Scene
from tests.protocol.wire import Answer, Pairs, Wire
from tokens.services import forget_keys

_numbers = itertools.count(1)
MOVING = ("date", "x-request-id")
COUNTS_PULLS = "Q51 "  # a quirk that says how many questions there were


class AskingTwice(Wire):
    """Both answers to a question must be the same."""

    def send(
        self,
        method: str,
        target: str,
        headers: Pairs = (),
        body: bytes | None = None,
        chunks: Iterable[bytes] | None = None,
    ) -> Answer:
        """See Wire."""
        if method not in ("GET", "HEAD") or body is not None or chunks is not None:
            return super().send(method, target, headers, body, chunks)
        first = super().send(method, target, headers)
        again = super().send(method, target, headers)
        random = target.startswith("/token") or again.status == 206
        judged = outline if random else still
        assert judged(first) == judged(again), f"{first}\n{again}"
        return again


def still(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    """An answer without what differs from one to the next."""
    lines = [(key, value) for key, value in answer.headers if key.lower() not in MOVING]
    return answer.status, lines, answer.body


def outline(answer: Answer) -> tuple[int, list[str]]:
    """What is left of an answer that is made of random words: a token, a boundary."""
    return answer.status, sorted(key for key, _ in answer.headers)


@dataclass
class Desk:
    """A client, its person, and a name nobody has used yet."""

    client: RegistryClient
    person: Person
    name: str
    hub: RunningHub

    @property
    def scope(self) -> str:
        """What a push needs."""
        return f"repository:{self.name}:pull,push"

    def open_upload(self) -> str:
        """Location of a new upload."""
        answer = self.client.send("POST", f"/v2/{self.name}/blobs/uploads/", scope=self.scope)
        assert answer.status == 202
        return answer.headers["Location"]


@pytest.fixture
def alone(db: None, rung: list[Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For tests in this process: no messages, no threads, no keys of another test."""
    monkeypatch.setattr(pulls, "note_pull", lambda *_: None)
    forget_keys()
    yield
    forget_keys()


@pytest.fixture(scope="session")
def owner(live: RunningHub) -> Person:
    """Somebody with a namespace."""
    return live.person("owner")


@pytest.fixture(scope="session")
def stranger(live: RunningHub) -> Person:
    """Somebody without any right in the owner's namespace."""
    return live.person("stranger")


@pytest.fixture
def fresh_name(owner: Person) -> str:
    """A repository of the owner that nobody has used yet."""
    return f"{owner.name}/r{next(_numbers)}"


@pytest.fixture
def desk(live: RunningHub, owner: Person, fresh_name: str) -> Desk:
    """The owner at work on a fresh repository."""
    client = RegistryClient(live, owner)
    client.repeat = 2
    return Desk(client, owner, fresh_name, live)


@pytest.fixture
def scene(
    live: RunningHub, owner: Person, fresh_name: str, request: pytest.FixtureRequest
) -> Iterator[Scene]:
    """Where the rows of protocol tables are played."""
    made = Scene(live, owner, fresh_name)
    if COUNTS_PULLS not in request.node.name:
        made.wire = AskingTwice(live)
    made.client.repeat = 2
    yield made
    made.close()
