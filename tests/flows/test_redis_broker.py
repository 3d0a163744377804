"""With Redis as the broker: deliveries come at once, and a broker that dies loses none."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import RegistryClient
from tests.flows.test_story import hooked
from tests.hub import RunningHub, free_port
from tests.images import image
from tests.receiver import Receiver

pytestmark = pytest.mark.e2e


class Redis:
    """A server that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", ""],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


def test_deliveries_through_redis_survive_its_death(own_hub: RunningHub, redis: Redis) -> None:
    own_hub.environment["HUB_BROKER_URL"] = f"redis://127.0.0.1:{redis.port}/0"
    own_hub.start()
    person = own_hub.person()
    with Receiver() as ci:
        path, _ = hooked(own_hub, person, ci.url)
        client = RegistryClient(own_hub, person)
        assert client.push(path, image(path), "1").status == 201
        acknowledged = time.monotonic()
        assert ci.wait_for(1)[0].at - acknowledged < 2

        redis.kill()
        assert client.push(path, image(f"{path}2"), "2").status == 201
        assert len(ci.received) == 1
        redis.start()
        ci.wait_for(2, seconds=60)
