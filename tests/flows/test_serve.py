"""One command starts everything, and everything stops with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hub import ROOT, RunningHub, free_port

pytestmark = pytest.mark.e2e


def serve(**environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "serve"],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HUB_SIGNUP", "perhaps", "'open' or 'closed'"),
        ("HUB_WEB_WORKERS", "none", "integer"),
        ("HUB_EXTERNAL_URL", "hub.example.org", "http://"),
        ("HUB_BROKER_URL", "carrier-pigeon://", "embedded"),
        ("HUB_DATABASE_URL", "mysql://x/y", "postgres://"),
        ("HUB_WEBHOOK_ALLOW_NETWORKS", '["not a network"]', "network"),
        ("HUB_STORAGE_OPTIONS", "{broken", "HUB_STORAGE_OPTIONS"),
        ("HUB_CONFIG", "no-such-file.yaml", "No such file"),
        ("HUB_ADMIN_PASSWORD_FILE", "no-such-file", "No such file"),
    ],
)
def test_a_bad_value_stops_the_start_with_one_line(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    done = serve(**{"HUB_DATA_DIR": str(tmp_path / "data"), name: value})
    assert done.returncode == 1
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert len(lines) == 1, lines
    assert name in lines[0]
    assert said in lines[0]


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        done = serve(HUB_DATA_DIR=str(tmp_path / "data"), HUB_BIND=bind)
    assert done.returncode == 1
    assert bind in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["term", "ctrl-c"])
def test_starting_and_stopping(own_hub: RunningHub, how: signal.Signals) -> None:
    own_hub.environment |= {
        "HUB_ADMIN_USERNAME": "chief",
        "HUB_ADMIN_PASSWORD": "a long enough secret",
    }
    own_hub.from_nothing = True
    own_hub.start()
    assert stat.S_IMODE(own_hub.data_dir.stat().st_mode) == 0o700
    said = own_hub.log.read_text()
    for word in (own_hub.url, "docker login", "skopeo copy", "/accounts/signup/"):
        assert word in said
    ready = own_hub.http.request("GET", f"{own_hub.url}/readyz")
    assert json.loads(ready.data) == {"database": "ok", "store": "ok", "broker": "ok"}
    metrics = own_hub.http.request("GET", f"{own_hub.url}/metrics").data.decode()
    assert "hub_repositories 0" in metrics
    basic = {"Authorization": "Basic Y2hpZWY6YSBsb25nIGVub3VnaCBzZWNyZXQ="}
    me = own_hub.http.request("GET", f"{own_hub.url}/api/user", headers=basic)
    assert json.loads(me.data)["username"] == "chief"

    started = own_hub.pids("")
    assert len(started) >= 4
    assert own_hub.stop(how) < 10
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []
    own_hub.start()
    assert own_hub.http.request("GET", f"{own_hub.url}/healthz").status == 200


def test_a_second_hub_on_the_same_data_is_refused(own_hub: RunningHub) -> None:
    own_hub.start()
    done = serve(HUB_DATA_DIR=str(own_hub.data_dir), HUB_BIND=f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert str(own_hub.data_dir) in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert own_hub.http.request("GET", f"{own_hub.url}/healthz").status == 200


def test_dead_children_are_replaced(own_hub: RunningHub) -> None:
    own_hub.start()
    before = own_hub.pids("celery")
    for pid in own_hub.pids("gunicorn") + before:
        os.kill(pid, signal.SIGKILL)
    own_hub.wait_until_ready()
    end = time.monotonic() + 20
    while not set(own_hub.pids("celery")) - set(before):
        assert time.monotonic() < end, "the worker did not come back"
        time.sleep(0.1)
    person = own_hub.person()
    assert own_hub.api("GET", "user", token=person.token)[1]["username"] == person.name
