"""One person with a repository of their own for each test."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest

from tests.client import RegistryClient
from tests.hub import Person, RunningHub

_numbers = itertools.count(1)


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


@pytest.fixture(scope="session")
def owner(live: RunningHub) -> Person:
    """Somebody with a namespace."""
    return live.person("owner")


@pytest.fixture(scope="session")
def stranger(live: RunningHub) -> Person:
    """Somebody without any right in the owner's namespace."""
    return live.person("stranger")


@pytest.fixture
def desk(live: RunningHub, owner: Person) -> Desk:
    """The owner at work on a fresh repository."""
    return Desk(RegistryClient(live, owner), owner, f"{owner.name}/r{next(_numbers)}", live)
