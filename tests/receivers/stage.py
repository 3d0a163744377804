"""A receiver on loopback that follows somebody's documentation, and the hub's real way to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.utils import timezone

from events.models import Event
from events.services import record
from events.types import Actor
from repos.models import Repository
from tests import deliveries
from webhooks.claims import host_of
from webhooks.formats import check_address, check_template
from webhooks.models import Attempt, Delivery, Webhook
from webhooks.presets import BY_NAME
from webhooks.signing import check_headers

DIGEST = "sha256:" + "a" * 64
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SECRET = "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQh"


@dataclass(frozen=True)
class Request:
    """What came; names of headers in lower case, the query decoded."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def bearer(self) -> str:
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else ""


class Refusal(Exception):
    """An answer that is not 2xx."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


# Gives the status of success, or raises Refusal; what it started it keeps itself.
Behaviour = Callable[[Request], int]


@dataclass
class Stage:
    """Where it listens, what it got and why it refused."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


@contextmanager
def playing(behaviour: Behaviour) -> Iterator[Stage]:
    """A receiver that behaves like this."""
    stage = Stage()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            request = Request(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(int(self.headers.get("Content-Length", "0"))),
            )
            stage.requests.append(request)
            try:
                status = behaviour(request)
            except Refusal as refusal:
                status = refusal.status
                stage.refusals.append(str(refusal))
            except (KeyError, ValueError, TypeError) as error:
                status = 400
                stage.refusals.append(f"cannot read the body: {error!r}")
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", "2")
            self.end_headers()
            if status != 204:
                self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stage.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield stage
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def follow(
    recipe: str, stage: Stage, repository: Repository, words: Mapping[str, str], **changes: Any
) -> Webhook:
    """A webhook as the recipe has it, the words in capitals replaced, at the stage's address.

    Goes through the same checks as one that somebody saves.
    """
    preset = BY_NAME[recipe]

    def filled(text: str) -> str:
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    parts = urlsplit(filled(preset.address))
    query = f"?{parts.query}" if parts.query else ""
    values = {
        "url": f"{stage.url}{parts.path}{query}",
        "format": preset.format,
        "template": filled(preset.template),
        "headers": {name: filled(value) for name, value in preset.headers.items()},
        "events": list(preset.events),
        **changes,
    }
    check_address(values["url"])
    if values["template"]:
        check_template(values["template"])
    values["headers"] = json.dumps(check_headers(values["headers"]))
    maker = repository.namespace.user_id
    return Webhook.objects.create(
        repository=repository, secret=SECRET, created_by_id=maker, **values
    )


def push(repository: Repository, tag: str = "v1.2") -> Event:
    """A tag of the repository was moved by alice."""
    return happen(
        repository,
        "tag.moved",
        tag=tag,
        digest=DIGEST,
        media_type=MANIFEST,
        previous_digest="",
    )


def happen(repository: Repository, kind: str, **payload: Any) -> Event:
    """Anything else, done by alice."""
    return record(
        kind,
        actor=Actor(1, "alice"),
        repository_id=repository.pk,
        repository_path=repository.path,
        payload=payload,
    )


def deliver(webhook: Webhook, event: Event) -> Attempt:
    """One try, made by what sends every delivery."""
    made = Delivery.objects.create(
        webhook=webhook, event=event, host=host_of(webhook.url), next_attempt_at=timezone.now()
    )
    assert deliveries.deliver(made.pk)
    return made.attempts.get()
