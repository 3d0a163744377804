"""Two tasks are running when their worker is killed; the next worker finishes both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection

from events.models import QueueMessage

pytestmark = pytest.mark.django_db(transaction=True)
LEASE_S = 2
TASKS = """
import time
from pathlib import Path
from celery import shared_task

@shared_task(name="tests.wait_for_go")
def wait_for_go(folder, name):
    with Path(folder, f"{name}.starts").open("a") as log:
        log.write("x")
    while not Path(folder, "go").exists():
        time.sleep(0.05)
    with Path(folder, f"{name}.ends").open("a") as log:
        log.write("x")
"""


def database_url() -> str:
    """The test database, for another process."""
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    login = f"{quote(found['USER'])}:{quote(found['PASSWORD'])}"
    host = quote(found["HOST"], safe="")
    return f"postgres://{login}@{host}:{found['PORT'] or 5432}/{found['NAME']}"


@contextmanager
def worker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker process that knows the task above."""
    (folder / "killed_tasks.py").write_text(TASKS)
    celery = [sys.executable, "-m", "celery", "--quiet", "--app", "hubsite"]
    pool = ["--pool=threads", "--concurrency=2", "--include=killed_tasks"]
    process = subprocess.Popen(
        [*celery, "worker", *pool, "--without-gossip", "--without-mingle", "--without-heartbeat"],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
            "HUB_DATABASE_URL": database_url(),
            "HUB_TASK_LEASE_S": str(LEASE_S),
        },
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_tasks_of_a_killed_worker_are_finished_by_the_next_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        current_app.send_task("tests.wait_for_go", args=(str(tmp_path), name))
    marks = {
        end: [tmp_path / f"{name}.{end}" for name in ("one", "two")] for end in ("starts", "ends")
    }
    with worker(tmp_path) as first:
        until(lambda: all(path.exists() for path in marks["starts"]))
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    assert QueueMessage.objects.count() == 2
    (tmp_path / "go").touch()
    with worker(tmp_path) as second:
        until(lambda: all(path.exists() for path in marks["ends"]))
        until(lambda: not QueueMessage.objects.exists())
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=20) == 0
    assert [path.read_text() for path in marks["starts"]] == ["xx", "xx"]
    assert [path.read_text() for path in marks["ends"]] == ["x", "x"]


def test_a_stopping_worker_finishes_its_task_and_a_lease_outlives_long_work(tmp_path: Path) -> None:
    current_app.send_task("tests.wait_for_go", args=(str(tmp_path), "one"))
    starts, ends = tmp_path / "one.starts", tmp_path / "one.ends"
    with worker(tmp_path) as process, worker(tmp_path):
        until(starts.exists)
        time.sleep(1.5 * LEASE_S)  # the other worker must not get it meanwhile
        assert starts.read_text() == "x"
        (tmp_path / "go").touch()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        until(ends.exists)
        until(lambda: not QueueMessage.objects.exists())
    assert (starts.read_text(), ends.read_text()) == ("x", "x")
