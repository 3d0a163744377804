"""A receiver on loopback, a repository with an owner, and events that the outbox hands on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from accounts.models import User
from accounts.services.signup import create_user
from events import dispatch
from events.models import Event
from events.services import record
from events.types import Actor
from repos.models import Repository
from repos.services.repositories import create_repository

DIGEST = "sha256:" + "a" * 64
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers with `statuses` one after another, the last one for ever."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"thanks"
    requests: list[Request] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.requests.append(Request(self.path, dict(self.headers), body))
            status = found.statuses.pop(0) if len(found.statuses) > 1 else found.statuses[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(found.body)), **found.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def hub(settings: Any) -> Callable[..., None]:
    """Change settings of the hub; loopback is a listed network from the start."""

    def change(**values: Any) -> None:
        settings.HUB = settings.HUB.model_copy(update=values)

    change(
        webhook_allow_networks=["127.0.0.1/32"],
        webhook_retry_delays_s=[5, 30, 120, 3600],
        webhook_show_private_responses=False,
        external_url="https://hub.example",
    )
    return change


@pytest.fixture
def alice(hub: Any) -> User:
    return create_user(username="alice", email="alice@example.com", password="correct horse 9")


@pytest.fixture
def repository(alice: User) -> Repository:
    made = create_repository(
        alice.namespace, "app", actor=Actor(alice.pk, "alice"), description="An app"
    )
    dispatch.drain()
    return made


@pytest.fixture
def actor(alice: User) -> Actor:
    return Actor(alice.pk, "alice")


@pytest.fixture
def happen(repository: Repository, actor: Actor) -> Callable[..., Event]:
    """Record an event and let the outbox hand it on; a push unless told otherwise."""

    def happen(kind: str = "tag.moved", /, **payload: Any) -> Event:
        if kind == "tag.moved":
            payload = {
                "tag": "latest",
                "digest": DIGEST,
                "media_type": MANIFEST,
                "previous_digest": None,
                **payload,
            }
        event = record(
            kind,
            actor=actor,
            repository_id=repository.pk,
            repository_path=repository.path,
            namespace_id=repository.namespace_id,
            payload=payload,
        )
        dispatch.drain()
        return event

    return happen
