"""A person with a home folder for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.engine import Engine
from tests.clients.relay import Relay
from tests.clients.shop import Shop
from tests.hub import RunningHub


@pytest.fixture
def shop(live: RunningHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A new person at work."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))  # for clients that are Python
    return Shop(live, live.person("client"), home)


@pytest.fixture
def relay(shop: Shop) -> Iterator[Relay]:
    """Everything the clients of this shop say goes through here."""
    with Relay(shop.hub.port) as between:
        shop.host = between.host
        yield between


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """One engine for all tests of a process."""
    running = Engine()
    yield running
    running.stop()
