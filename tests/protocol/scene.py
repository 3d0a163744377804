"""What a row of a protocol table is played in: a repository, its content, and a client's words.

A row is data: steps of one request and the answer it must get. Words like <name> are filled in from
the scene, and a step can keep a header of its answer for the steps after it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.client import RegistryClient
from tests.hub import Person, RunningHub
from tests.images import (
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Image,
    as_json,
    descriptor,
    digest_of,
    image,
    multi,
)
from tests.protocol.wire import Answer, Pairs, Wire

DIGEST = r"sha256:[0-9a-f]{64}"
UPLOAD = r"/v2/[a-z0-9/._-]+/blobs/uploads/[0-9a-f-]{36}"
BEARER = r'Bearer realm="http://localhost:\d+/token",service="localhost:\d+"'
JSON = r"application/json"


@dataclass(frozen=True)
class Step:
    """One request as a client sends it, and what must come back.

    `by` is who asks: a scope's actions with a registry token (`pull`, `pull,push`, `delete`),
    `basic`, `anonymous` (a token got without credentials), or nobody. `body` names something of
    the scene. Values of `has` are patterns of whole header values, None for a header that must not
    come; `says` is a pattern somewhere in the body, or the body exactly if it is bytes. `keep`
    makes words of headers, `learn` of values in a JSON body.
    """

    method: str
    path: str
    status: int
    headers: Pairs = ()
    body: str | None = None
    cut: tuple[int, int] | None = None
    chunked: bool = False
    by: str = ""
    has: Mapping[str, str | None] = field(default_factory=dict)
    says: str | bytes = ""
    keep: Mapping[str, str] = field(default_factory=dict)
    learn: Mapping[str, str] = field(default_factory=dict)


class Scene:
    """A fresh repository of the owner, and everything rows speak of."""

    def __init__(self, hub: RunningHub, owner: Person, name: str) -> None:
        self.hub, self.owner = hub, owner
        self.wire = Wire(hub)
        self.client = RegistryClient(hub, owner)
        self.image = image(name, layers=1, size=4000, docker=True)
        self.index = multi(name)
        layer = self.image.blobs[1]
        referrer = signature_of(self.image)
        self.bodies: dict[str, bytes] = {
            "nothing": b"",
            "layer": layer,
            "config": self.image.blobs[0],
            "manifest": self.image.manifest,
            "braces": b"{}",
            "bundle": referrer.blobs[1],
            "referrer": referrer.manifest,
        }
        self.words: dict[str, str] = {
            "name": name,
            "other": f"{name}-other",
            "host": hub.host,
            "url": hub.url,
            "user": owner.name,
            "tag": "1.0",
            "image": self.image.digest,
            "index": self.index.digest,
            "child": self.index.children[0].digest,
            "zeros": f"sha256:{'0' * 64}",
            "end": str(len(layer) - 1),
            "size": str(len(layer)),
        }
        for key, data in self.bodies.items():
            self.words[key] = digest_of(data)

    def add(self, key: str, data: bytes) -> str:
        """A body for later steps, whose digest is then a word of the same name."""
        self.bodies[key] = data
        self.words[key] = digest_of(data)
        return self.words[key]

    def push(self, pushed: Image | None = None, tag: str | None = "1.0") -> None:
        """What must be there before the row begins."""
        assert self.client.push(self.words["name"], pushed or self.image, tag).status == 201

    def publish(self) -> None:
        """Open the repository to everybody."""
        path = f"repositories/{self.words['name']}"
        status, _ = self.hub.api("PATCH", path, {"visibility": "public"}, token=self.owner.token)
        assert status == 200

    def fill(self, text: str) -> str:
        """A text of a row with its words in place."""
        return re.sub(r"<(\w+)>", lambda match: self.words[match[1]], text)

    def play(self, *steps: Step) -> Answer:
        """The steps one after another on one connection; the last answer."""
        for step in steps:
            answer = self.send(step)
            judge(self, step, answer)
            for word, header in step.keep.items():
                self.words[word] = answer.header(header) or ""
            for word, key in step.learn.items():
                self.words[word] = str(answer.json[key])
        return answer

    def send(self, step: Step) -> Answer:
        """One request of a row."""
        data = None if step.body is None else self.bodies[step.body]
        if data is not None and step.cut is not None:
            data = data[slice(*step.cut)]
        headers = [(key, self.fill(value)) for key, value in step.headers]
        headers += self.credential(step.by)
        if step.chunked and data is not None:
            half = len(data) // 2
            pieces = [piece for piece in (data[:half], data[half:]) if piece]
            return self.wire.send(step.method, self.fill(step.path), headers, chunks=pieces)
        return self.wire.send(step.method, self.fill(step.path), headers, body=data)

    def credential(self, by: str) -> Pairs:
        """The Authorization line of whoever asks."""
        if by == "basic":
            return [*self.owner.basic.items()]
        if by:
            client = RegistryClient(self.hub) if by == "anonymous" else self.client
            actions = "pull" if by == "anonymous" else by
            token = client.token(f"repository:{self.words['name']}:{actions}")
            return [("Authorization", f"Bearer {token}")]
        return []

    def close(self) -> None:
        """Hang up."""
        self.wire.close()

    def form(self, **fields: str) -> bytes:
        """A form as OAuth2 clients post it."""
        return urlencode({key: self.fill(value) for key, value in fields.items()}).encode()


Story = Callable[[Scene], Any]


def judge(scene: Scene, step: Step, answer: Answer) -> None:
    """Compare an answer with what its step demands; prints both when they differ."""
    shown = f"{step.method} {scene.fill(step.path)} → {answer.status} {answer.headers}"
    shown += f" {answer.body[:500]!r}"
    assert answer.status == step.status, shown
    for name, pattern in step.has.items():
        value = answer.header(name)
        if pattern is None:
            assert value is None, shown
        else:
            assert value is not None, f"no {name}: {shown}"
            assert re.fullmatch(scene.fill(pattern), value), f"{name} {pattern}: {shown}"
    if isinstance(step.says, bytes):
        assert answer.body == step.says, shown
    else:
        assert re.search(scene.fill(step.says).encode(), answer.body), shown
    common(step, answer, shown)


def common(step: Step, answer: Answer, shown: str) -> None:
    """What every answer under /v2 has, whoever asks for what."""
    if not step.path.startswith("/v2"):
        return
    assert answer.header("Docker-Distribution-API-Version") == "registry/2.0", shown
    assert answer.header("Content-Encoding") is None, shown
    if answer.status in (204, 304):
        assert answer.header("Content-Length") is None, shown
    elif step.method != "HEAD":
        assert answer.header("Content-Length") == str(len(answer.body)), shown
    if answer.status >= 400:
        assert answer.header("Content-Type") == "application/json", shown
        assert step.method == "HEAD" or answer.code, shown
    elif not answer.body and answer.status != 200:
        assert answer.header("Content-Type") is None, shown


def signature_of(subject: Image) -> Image:
    """What cosign attaches: a bundle as the only layer of an artifact."""
    kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
    bundle = as_json({"mediaType": kind, "seed": hashlib.sha256(subject.manifest).hexdigest()})
    manifest = as_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": kind,
            "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"),
            "layers": [descriptor(kind, bundle)],
            "subject": descriptor(subject.media_type, subject.manifest),
        }
    )
    return Image(manifest, OCI_MANIFEST, [b"{}", bundle])


def build_cache(layer: bytes, config: bytes) -> bytes:
    """BuildKit's cache: an image index whose entries are blobs without a platform."""
    return as_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                descriptor(OCI_LAYER, layer),
                descriptor("application/vnd.buildkit.cacheconfig.v0", config),
            ],
        }
    )
