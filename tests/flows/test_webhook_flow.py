"""A push becomes a delivery in a real worker; a receiver that fails first gets it again."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from accounts.services.signup import create_user
from events.services import record
from events.types import Actor
from repos.services.repositories import create_repository
from webhooks import selectors, services
from webhooks.models import Attempt, Delivery
from webhooks.owners import Owner

pytestmark = pytest.mark.django_db(transaction=True)


def test_failing_receiver_then_ping_then_redelivery(hub_settings: Callable[..., None]) -> None:
    hub_settings(webhook_allow_networks=["127.0.0.1/32"])
    user = create_user(username="alice", email="", password="correct horse 9")
    actor = Actor(user.pk, "alice")
    repository = create_repository(user.namespace, "app", actor=actor)
    with receiving([500, 500, 200]) as (url, requests), worker():
        hook = services.create_webhook(
            Owner(repository), actor=actor, url=url, secret="sesame", tag_filter="v*"
        )
        for tag in ("latest", "v1"):
            record(
                "tag.moved",
                actor=actor,
                repository_id=repository.pk,
                repository_path=repository.path,
                payload={"tag": tag, "digest": "sha256:" + "a" * 64, "media_type": "x/y"},
            )
        until(lambda: Delivery.objects.filter(state="done").exists())
        (delivery,) = selectors.deliveries_of(hook)
        assert [attempt.status for attempt in delivery.attempts.all()] == [500, 500, 200]
        uid = str(delivery.event.uid)

        pinged = services.ping(hook, actor=actor)
        until(lambda: Delivery.objects.get(pk=pinged.pk).state == "done")
        services.redeliver(delivery)
        until(lambda: Attempt.objects.filter(delivery=delivery).count() == 4)
    events = [headers["X-Hub-Event"] for headers, _ in requests]
    assert events == ["push", "push", "push", "ping", "push"]
    pushes = [(headers, body) for headers, body in requests if headers["X-Hub-Event"] == "push"]
    assert {headers["X-Hub-Delivery"] for headers, _ in pushes} == {uid}
    for headers, body in requests:
        mac = hmac.new(b"sesame", body, hashlib.sha256).hexdigest()
        assert headers["X-Hub-Signature-256"] == f"sha256={mac}"
    assert {json.loads(body)["push_data"]["tag"] for _, body in pushes} == {"v1"}


Requests = list[tuple[dict[str, str], bytes]]


@contextmanager
def receiving(statuses: list[int]) -> Iterator[tuple[str, Requests]]:
    """A receiver that answers with each status in turn, the last one for ever."""
    requests: Requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append((dict(self.headers), body))
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", requests
        server.shutdown()
        thread.join(5)


@contextmanager
def worker() -> Iterator[None]:
    """A worker process without the clock: everything below is done by wake-ups alone."""
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        database = f"sqlite:///{found['NAME']}"
    else:
        login = f"{quote(found['USER'])}:{quote(found['PASSWORD'])}"
        host = quote(found["HOST"], safe="")
        database = f"postgres://{login}@{host}:{found['PORT'] or 5432}/{found['NAME']}"
    celery = [sys.executable, "-m", "celery", "--quiet", "--app", "hubsite", "worker"]
    process = subprocess.Popen(
        [*celery, "--pool=threads", "--concurrency=2", "--without-gossip", "--without-mingle"],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "HUB_DATABASE_URL": database,
            "HUB_WEBHOOK_ALLOW_NETWORKS": '["127.0.0.1/32"]',
            "HUB_WEBHOOK_RETRY_DELAYS_S": "[0.2, 0.4]",
        },
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
