"""What every test may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from accounts.hashers import Argon2idHasher
from events import wake
from repos.services import aliases, refusals
from storage.factory import get_store
from tests.hub import RunningHub
from tokens.services import forget_keys

# No collected files: each client of a test would look at every one of them first.
settings.STATIC_ROOT = str(Path(os.environ["HUB_TEST_DATA"]) / "static")
Path(settings.STATIC_ROOT).mkdir(exist_ok=True)
# Real hashes, made in no time; hubs in processes of their own hash as always.
Argon2idHasher.time_cost, Argon2idHasher.memory_cost = 1, 64
PLAIN_STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The last process of a run takes the data away."""
    if not hasattr(session.config, "workerinput"):
        shutil.rmtree(os.environ["HUB_TEST_DATA"], ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL, unit tests that ask no database prove nothing that SQLite's run does not."""
    if connection.vendor != "postgresql" or config.args != ["tests"]:
        return
    same = [item for item in items if "/unit/" in item.nodeid and not _asks_database(item)]
    config.hook.pytest_deselected(items=same)
    left = set(same)
    items[:] = [item for item in items if item not in left]


def _asks_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool(item.get_closest_marker("django_db") or fixtures & {"db", "transactional_db"})


@pytest.fixture(autouse=True)
def _plain_static(settings: Any) -> None:
    """Pages need no collected files."""
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": PLAIN_STATIC}}


@pytest.fixture(autouse=True)
def _fresh(
    tmp_path: Path,
    settings: Any,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """Each test has a store of its own; uses of former names are written when a test says so."""
    monkeypatch.setattr(aliases, "_start_timer", lambda: None)
    settings.HUB = settings.HUB.model_copy(update={"storage_options": {"root": tmp_path / "store"}})
    get_store.cache_clear()
    refusals._noted.clear()
    forget_keys()  # of the last test, whose row was taken back with it
    yield
    get_store.cache_clear()
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        cache.clear()


@pytest.fixture
def hub_settings(settings: Any) -> Any:
    """Change values of `settings.HUB` for one test: `hub_settings(push_grace_s=0)`."""

    def change(**values: Any) -> None:
        settings.HUB = settings.HUB.model_copy(update=values)

    return change


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    """Wake-ups sent during the test, instead of messages."""
    calls: list[tuple[str, tuple[Any, ...]]] = []
    monkeypatch.setattr(wake, "_send", lambda task, args, countdown_s: calls.append((task, args)))
    return calls


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A whole hub on a real port, shared by the tests of one process; each makes its own names."""
    hub = RunningHub(tmp_path_factory.mktemp("hub"))
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture
def own_hub(tmp_path: Path) -> Iterator[RunningHub]:
    """A whole hub for one test, not yet started."""
    hub = RunningHub(tmp_path / "hub")
    yield hub
    hub.stop()
