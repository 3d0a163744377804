"""Worlds in this process, and one running hub whose log must hold no secret in the end."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest

from registry.services import pulls
from tests.client import RegistryClient
from tests.hub import PASSWORD, Person, RunningHub
from tests.security.world import World, make_world
from tokens.services import forget_keys

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _alone(rung: list[Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No messages for workers, no keys of another test, no time spent on this process's disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(pulls, "note_pull", lambda *_: None)  # a thread would write it later
    forget_keys()
    yield
    forget_keys()


@pytest.fixture
def world(db: None) -> World:
    """Everybody, with repositories full of images."""
    return make_world()


class Hub:
    """The running hub, and every secret it has given out to these tests."""

    def __init__(self, hub: RunningHub) -> None:
        self.running = hub
        self.secrets = {PASSWORD}
        self.clients: list[RegistryClient] = []

    def person(self, word: str = "person") -> Person:
        """A new account."""
        made = self.running.person(word)
        self.secrets.add(made.token)
        return made

    def client(self, person: Person | None = None) -> RegistryClient:
        """A client of its own."""
        made = RegistryClient(self.running, person)
        self.clients.append(made)
        return made

    def name(self, person: Person) -> str:
        """A repository nobody has used yet."""
        return f"{person.name}/s{next(_numbers)}"

    def api(self, method: str, path: str, body: Any = None, *, person: Person) -> Any:
        """One REST call that must succeed; its answer."""
        status, answer = self.running.api(method, path, body, token=person.token)
        assert status < 300, (method, path, status, answer)
        return answer

    def issued(self) -> set[str]:
        """Passwords, access tokens and registry tokens."""
        return self.secrets | {t for client in self.clients for t in client._tokens.values()}


@pytest.fixture(scope="session")
def hub(live: RunningHub) -> Iterator[Hub]:
    """The shared hub; LG-02 is asked once more about all that happened to it."""
    shared = Hub(live)
    yield shared
    log = live.log.read_text(errors="replace")
    assert [secret[:9] for secret in shared.issued() if secret in log] == []


@pytest.fixture(scope="session")
def owner(hub: Hub) -> Person:
    """Somebody with a namespace."""
    return hub.person("owner")


@pytest.fixture(scope="session")
def stranger(hub: Hub) -> Person:
    """Somebody without any right in the owner's namespace."""
    return hub.person("stranger")
