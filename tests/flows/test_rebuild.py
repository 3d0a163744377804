"""A registry keeps no precious database: push, throw it away, rebuild, pull."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.flows.test_standalone import STANDALONE, Plain
from tests.hub import RunningHub
from tests.images import image, multi

pytestmark = pytest.mark.e2e


def test_push_lose_the_database_rebuild_and_pull_the_same(own_hub: RunningHub) -> None:
    own_hub.environment |= {
        **STANDALONE,
        "HUB_DATABASE_URL": f"sqlite:///{own_hub.data_dir}/registry.sqlite3",
    }
    own_hub.start()
    client = Plain(own_hub)
    made = {("team/app", "1.0"): multi("one"), ("x/y/z", "latest"): image("two")}
    for (name, tag), pushed in made.items():
        assert client.push(name, pushed, tag).status == 201
    written = [
        own_hub.data_dir
        / "store"
        / "journal"
        / name.replace("/", ":")
        / "tags"
        / tag
        / pushed.digest
        for (name, tag), pushed in made.items()
    ]
    end = time.monotonic() + 60
    while not all(path.exists() for path in written):
        assert time.monotonic() < end, own_hub.log.read_text()[-3000:]
        time.sleep(0.2)
    own_hub.stop()

    lost = list(Path(own_hub.data_dir).glob("registry.sqlite3*"))
    assert lost
    for path in lost:
        path.unlink()
    own_hub.start()
    assert "Stop now and run: manage.py rebuild" in own_hub.log.read_text()
    assert client.send("GET", "/v2/team/app/manifests/1.0").status == 404
    own_hub.stop()
    assert "Made 2 repositories" in own_hub.manage("rebuild")

    own_hub.start()
    for (name, tag), pushed in made.items():
        assert pushed.digest in client.pull(name, tag)
    assert "Nothing is wrong." in own_hub.manage("fsck", "--rehash")
