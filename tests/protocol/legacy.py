"""A docker client of the 1.x kind: index, token, tags, ancestry, each image root first."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import urllib3

from tests.hub import Person, RunningHub
from tests.images import Image

Body = bytes | Iterable[bytes]
AGENT = "docker/1.5.0 go/go1.3.3 git-commit/a8a31ef kernel/3.13.0-Generic os/linux arch/AMD64"


@dataclass
class Pulled:
    """An image as it would lie in the engine's store: root first."""

    ids: list[str]
    documents: list[dict[str, Any]] = field(default_factory=list)
    layers: list[bytes] = field(default_factory=list)


class LegacyClient:
    """One person, or nobody. Basic goes to the index alone, the token to the endpoints it names."""

    def __init__(self, hub: RunningHub, person: Person | None = None) -> None:
        self.hub, self.person = hub, person
        self.endpoint, self.token = hub.host, ""

    def index(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> urllib3.BaseHTTPResponse:
        """Ask the index, as the person."""
        basic = self.person.basic if self.person else {}
        return self._send(self.hub.host, method, path, {**basic, **(headers or {})}, body)

    def registry(self, method: str, path: str, body: Body = b"", **headers: str) -> Any:
        """Ask the registry the index named, with the index's token; the decoded answer."""
        answer = self.raw(method, path, body, **headers)
        assert answer.status == 200, (path, answer.status, answer.data)
        return json.loads(answer.data)

    def raw(
        self, method: str, path: str, body: Body = b"", **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """The same, whatever comes back."""
        sent = {"Authorization": f"Token {self.token}", **headers}
        return self._send(self.endpoint, method, path, sent, body)

    def begin(self, name: str) -> list[dict[str, str]]:
        """GET images: where to go on, and with what."""
        answer = self.index("GET", f"/v1/repositories/{name}/images", {"X-Docker-Token": "true"})
        assert answer.status == 200, (answer.status, answer.data)
        self.token = answer.headers["X-Docker-Token"]
        assert answer.headers["WWW-Authenticate"] == f"Token {self.token}"
        assert re.fullmatch(r'signature=[^,"]+,repository="[^"]+",access=read', self.token)
        self.endpoint = answer.headers["X-Docker-Endpoints"].split(",")[0].strip()
        listed: list[dict[str, str]] = json.loads(answer.data)
        return listed

    def pull(self, name: str, tag: str) -> Pulled:
        """What `docker pull name:tag` does."""
        assert self.index("GET", "/v1/_ping").headers["X-Docker-Registry-Standalone"] == "False"
        listed = {entry["id"] for entry in self.begin(name)}
        image_id = self.registry("GET", f"/v1/repositories/{name}/tags")[tag]
        assert self.registry("GET", f"/v1/repositories/{name}/tags/{tag}") == image_id
        ancestry = self.registry("GET", f"/v1/images/{image_id}/ancestry")
        assert ancestry[0] == image_id
        assert set(ancestry) <= listed
        pulled = Pulled(ancestry[::-1])
        for one in pulled.ids:
            described = self.raw("GET", f"/v1/images/{one}/json")
            layer = self.raw("GET", f"/v1/images/{one}/layer")
            assert (described.status, layer.status) == (200, 200)
            assert described.headers["X-Docker-Size"] == str(len(layer.data))
            pulled.documents.append(json.loads(described.data))
            pulled.layers.append(layer.data)
        return pulled

    def _send(
        self, host: str, method: str, path: str, headers: dict[str, str], body: Body
    ) -> urllib3.BaseHTTPResponse:
        return self.hub.http.request(
            method,
            f"http://{host}{path}",
            body=body or None,
            headers={"User-Agent": AGENT, **headers},
            redirect=False,
        )


def expected_ids(image: Image) -> list[str]:
    """Root first, worked out by hand."""
    config, *layers = image.blobs
    diffs = json.loads(config)["rootfs"]["diff_ids"]
    chain, ids = "", []
    for diff in diffs[:-1]:
        text = f"{chain} {diff}".encode()
        chain = f"sha256:{hashlib.sha256(text).hexdigest()}" if chain else diff
        ids.append(chain.removeprefix("sha256:"))
    assert len(diffs) == len(layers)
    return [*ids, hashlib.sha256(config).hexdigest()]
