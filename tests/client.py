"""A small registry client that behaves like a container client: challenge, token, push, pull."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

import urllib3

from tests.hub import Person, RunningHub
from tests.images import Image, digest_of

_PAIR = re.compile(r'(\w+)="([^"]*)"')


class RegistryClient:
    """Speaks to one hub as one person, or as nobody; keeps a token for each scope.

    Asks every GET and HEAD `repeat` times and returns the last answer, which may come from memory.
    """

    repeat = 1

    def __init__(self, hub: RunningHub, person: Person | None = None) -> None:
        self.hub = hub
        self.person = person
        self._tokens: dict[str, str] = {}

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
        scope: str | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """One request; answers a challenge once, as clients do."""
        sent = dict(headers or {})
        if scope is not None:
            sent["Authorization"] = f"Bearer {self.token(scope)}"
        answer = self._request(method, path, body, sent)
        if answer.status != 401 or "Authorization" in sent or not isinstance(body, bytes | None):
            return answer
        challenge = dict(_PAIR.findall(answer.headers.get("WWW-Authenticate", "")))
        if "scope" not in challenge:
            return answer
        sent["Authorization"] = f"Bearer {self.token(challenge['scope'])}"
        return self._request(method, path, body, sent)

    def token(self, scope: str) -> str:
        """A registry token for these scopes, asked for once."""
        if scope not in self._tokens:
            query = [("service", self.hub.host), *(("scope", s) for s in scope.split(" "))]
            answer = self.hub.http.request(
                "GET",
                f"{self.hub.url}/token?{urlencode(query)}",
                headers=self.person.basic if self.person else {},
            )
            assert answer.status == 200, answer.data
            self._tokens[scope] = json.loads(answer.data)["token"]
        return self._tokens[scope]

    def forget(self) -> None:
        """Ask for tokens anew from now on."""
        self._tokens.clear()

    def push_blob(self, name: str, data: bytes) -> str:
        """POST, one PATCH without length, PUT: what the docker engine does."""
        digest = digest_of(data)
        scope = f"repository:{name}:pull,push"
        if self.send("HEAD", f"/v2/{name}/blobs/{digest}", scope=scope).status == 200:
            return digest
        opened = self.send("POST", f"/v2/{name}/blobs/uploads/", scope=scope)
        assert opened.status == 202, opened.data
        patched = self.send("PATCH", opened.headers["Location"], body=iter([data]), scope=scope)
        assert patched.status == 202, patched.data
        closed = self.send("PUT", f"{patched.headers['Location']}?digest={digest}", scope=scope)
        assert closed.status == 201, closed.data
        return digest

    def push(self, name: str, image: Image, tag: str | None) -> urllib3.BaseHTTPResponse:
        """Blobs, children by digest, then the manifest; the last answer."""
        for child in image.children:
            assert self.push(name, child, None).status == 201
        for blob in image.blobs:
            self.push_blob(name, blob)
        return self.send(
            "PUT",
            f"/v2/{name}/manifests/{tag or image.digest}",
            body=image.manifest,
            headers={"Content-Type": image.media_type},
            scope=f"repository:{name}:pull,push",
        )

    def pull(self, name: str, reference: str) -> dict[str, bytes]:
        """Everything under a reference by digest; fails unless all of it hashes right."""
        answer = self.send("GET", f"/v2/{name}/manifests/{reference}")
        assert answer.status == 200, answer.data
        found = {digest_of(answer.data): answer.data}
        document: dict[str, Any] = json.loads(answer.data)
        for child in document.get("manifests", []):
            found |= self.pull(name, child["digest"])
        named = [document["config"]] if "config" in document else []
        for entry in [*named, *document.get("layers", [])]:
            blob = self.send("GET", f"/v2/{name}/blobs/{entry['digest']}")
            assert blob.status == 200
            assert digest_of(blob.data) == entry["digest"]
            found[entry["digest"]] = blob.data
        return found

    def _request(
        self, method: str, path: str, body: bytes | Iterable[bytes] | None, headers: dict[str, str]
    ) -> urllib3.BaseHTTPResponse:
        url = path if path.startswith("http") else f"{self.hub.url}{path}"
        for _ in range(self.repeat - 1 if method in ("GET", "HEAD") else 0):
            self.hub.http.request(method, url, body=body, headers=headers, redirect=False)
        return self.hub.http.request(method, url, body=body, headers=headers, redirect=False)
