"""A whole hub in processes of its own, as `make run` starts it."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg2
import urllib3

ROOT = Path(__file__).resolve().parent.parent
_numbers = itertools.count(1)
PASSWORD = "a long enough secret"


class RunningHub:
    """Starts and stops `manage.py serve` on a free port with its own data directory."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.host = f"localhost:{self.port}"
        self.url = f"http://{self.host}"
        self.environment = {**_own_database(), **environment}
        self.log = data_dir.with_suffix(".log")
        self.http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(30))
        self.from_nothing = False
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers; the tables are there unless `from_nothing` is set."""
        if not (
            self.from_nothing or self.data_dir.exists() or "HUB_DATABASE_URL" in self.environment
        ):
            _lay_out(self.data_dir)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
        environment = {
            **inherited,
            "HUB_BIND": f"127.0.0.1:{self.port}",
            "HUB_EXTERNAL_URL": self.url,
            "HUB_DATA_DIR": str(self.data_dir),
            "HUB_TASK_LEASE_S": "3",
            "HUB_REPOSITORIES_PER_HOUR": "10000",
            "HUB_WEBHOOK_RETRY_DELAYS_S": "[0.5, 1, 2, 4]",
            "HUB_WEBHOOK_SHOW_PRIVATE_RESPONSES": "true",
            "HUB_COLLECT_INTERVAL_S": "1",
            **self.environment,
        }
        before = self._announced()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "serve"],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )
        self.wait_until_ready()
        end = time.monotonic() + 20
        while self._announced() == before:  # the supervisor sees it a moment after us
            assert time.monotonic() < end, self.log.read_text()[-4000:]
            time.sleep(0.05)

    def _announced(self) -> int:
        return self.log.read_text().count("skopeo copy") if self.log.exists() else 0

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Until `/readyz` says so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                if self.http.request("GET", f"{self.url}/readyz").status == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"the hub did not start:\n{self.log.read_text()[-4000:]}")

    def stop(self, how: int = signal.SIGTERM) -> float:
        """Stop it; returns how many seconds that took."""
        if self._process is None:
            return 0.0
        began = time.monotonic()
        self._process.send_signal(how)
        self._process.wait(timeout=20)
        self._process = None
        return time.monotonic() - began

    def pids(self, word: str) -> list[int]:
        """Child processes, at any depth, whose command line holds `word`."""
        assert self._process is not None
        return [pid for pid in _descendants(self._process.pid) if word in _command_line(pid)]

    def rss_bytes(self, word: str = "gunicorn") -> int:
        """Resident memory of the processes whose command line holds `word`."""
        page = os.sysconf("SC_PAGE_SIZE")
        total = 0
        for pid in self.pids(word):
            with contextlib.suppress(OSError):
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
        return total

    def manage(self, *arguments: str) -> str:
        """Run a management command beside the running hub."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
        return subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env={
                **inherited,
                "HUB_DATA_DIR": str(self.data_dir),
                "HUB_EXTERNAL_URL": self.url,
                **self.environment,
            },
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def api(
        self, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> tuple[int, Any]:
        """One REST call: status and decoded JSON."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = self.http.request(
            method,
            f"{self.url}/api/{path}",
            body=None if body is None else json.dumps(body),
            headers=headers,
        )
        return answer.status, json.loads(answer.data) if answer.data else None

    def person(self, word: str = "person") -> Person:
        """A new account with an access token for everything."""
        name = f"{word}{next(_numbers)}x{os.getpid()}"
        status, _ = self.api(
            "POST",
            "users",
            {"username": name, "email": f"{name}@example.org", "password": PASSWORD},
        )
        assert status == 201
        basic = urllib3.make_headers(basic_auth=f"{name}:{PASSWORD}")
        answer = self.http.request(
            "POST",
            f"{self.url}/api/tokens",
            body=json.dumps({"name": "tests", "scopes": []}),
            headers={**basic, "Content-Type": "application/json"},
        )
        assert answer.status == 201, answer.data
        return Person(name, json.loads(answer.data)["token"])


class Person:
    """An account of a running hub."""

    def __init__(self, name: str, token: str) -> None:
        self.name = name
        self.token = token

    @property
    def basic(self) -> dict[str, str]:
        """An Authorization header."""
        return dict(urllib3.make_headers(basic_auth=f"{self.name}:{self.token}"))


def _lay_out(data_dir: Path) -> None:
    """A data folder with a migrated database: making the tables takes longer than all the rest of
    a start. They are made once for all processes of a run."""
    kept = os.environ.get("HUB_TEST_DATA")
    if kept is None:  # not in a run of pytest
        return
    template = Path(kept) / "template"
    template.mkdir(exist_ok=True)
    with (template / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (template / "hub.sqlite3").exists():
            work = template / "work"
            inherited = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
            for command in ("migrate", "createcachetable"):
                subprocess.run(
                    [sys.executable, str(ROOT / "manage.py"), command, "--verbosity", "0"],
                    env={**inherited, "HUB_DATA_DIR": str(work)},
                    cwd=ROOT,
                    check=True,
                )
            (work / "hub.sqlite3").rename(template / "hub.sqlite3")
    data_dir.mkdir(mode=0o700, parents=True)
    shutil.copy(template / "hub.sqlite3", data_dir)


def _own_database() -> dict[str, str]:
    """A new database on the server the tests run on, or none: then it is a file."""
    url = os.environ.get("HUB_DATABASE_URL", "")
    if not url.startswith("postgres"):
        return {}
    base, _, _ = url.rpartition("/")
    name = f"hub_live_{os.getpid()}_{next(_numbers)}"
    server = psycopg2.connect(f"{base}/postgres")
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    server.close()
    return {"HUB_DATABASE_URL": f"{base}/{name}"}


def free_port() -> int:
    """A port nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _descendants(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
