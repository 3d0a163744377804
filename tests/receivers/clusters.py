"""Cluster tools as their documentation and sources have them (docs/webhooks.md names both)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.receivers.stage import Refusal, Request


def signed(header: str, secret: str, body: bytes) -> bool:
    """`sha256=` and the HMAC in hex, as go-github validates it (sha1 and sha512 as well)."""
    name, _, given = header.partition("=")
    if name not in ("sha1", "sha256", "sha512"):
        return False
    return hmac.compare_digest(given, hmac.new(secret.encode(), body, name).hexdigest())


@dataclass
class ArgoCD:
    """`/api/webhook` with Harbor's parser: the Authorization header is the secret itself.

    `applications` are the repoURL and targetRevision of each by name.
    """

    secret: str
    applications: dict[str, tuple[str, str]]
    refreshed: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> int:
        if request.path != "/api/webhook":
            raise Refusal(404, request.path)
        if request.headers.get("authorization") != self.secret:
            raise Refusal(400, "Unknown webhook event")
        document = request.document
        if not isinstance(document["occur_at"], int):
            raise Refusal(400, "occur_at is a number")
        if document["type"] != "PUSH_ARTIFACT":
            return 200
        for resource in document["event_data"]["resources"]:
            if resource["tag"] and resource["resource_url"]:
                host = urlsplit(f"oci://{resource['resource_url']}").netloc
                path = document["event_data"]["repository"]["repo_full_name"]
                what = (f"oci://{host}/{path}", resource["tag"])
                self.refreshed += [k for k, app in self.applications.items() if app == what]
                break
        return 200


@dataclass
class Flux:
    """A Receiver of notification-controller v1: `kind` is its type, `token` that of its secret."""

    kind: str
    token: str
    name: str = "hub"
    namespace: str = "flux-system"
    events: tuple[str, ...] = ()
    reconciled: list[Any] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The last part of status.webhookPath."""
        return hashlib.sha256((self.token + self.name + self.namespace).encode()).hexdigest()

    def __call__(self, request: Request) -> int:
        if request.path != f"/hook/{self.path}":
            raise Refusal(404, request.path)
        check = {
            "generic": lambda _: None,
            "generic-hmac": self._generic_hmac,
            "dockerhub": self._dockerhub,
            "harbor": self._harbor,
            "quay": self._quay,
            "github": self._github,
        }[self.kind]
        self.reconciled.append(check(request))
        return 200

    def _generic_hmac(self, request: Request) -> None:
        if not signed(request.headers.get("x-signature", ""), self.token, request.body):
            raise Refusal(400, "unable to validate HMAC signature")

    def _dockerhub(self, request: Request) -> tuple[str, str]:
        document = request.document
        return str(document["repository"]["repo_url"]), str(document["push_data"]["tag"])

    def _harbor(self, request: Request) -> None:
        if request.headers.get("authorization") != self.token:
            raise Refusal(400, "the Harbor Authorization header does not match")

    def _quay(self, request: Request) -> tuple[str, list[str]]:
        document = request.document
        if not isinstance(document["updated_tags"], list):
            raise Refusal(400, "cannot decode Quay webhook payload")
        return document["docker_url"], document["updated_tags"]

    def _github(self, request: Request) -> str:
        header = request.headers.get("x-hub-signature-256") or ""
        if request.headers.get("content-type") != "application/json" or not signed(
            header, self.token, request.body
        ):
            raise Refusal(400, "the GitHub signature header is invalid")
        event = request.headers.get("x-github-event", "")
        if self.events and event not in self.events:
            raise Refusal(400, f"the GitHub event {event} is not authorised")
        return event


@dataclass
class Tekton:
    """An EventListener with the github interceptor; `header` is the one its version looks at.

    It answers 202 before its interceptors have run, so what they refuse is kept in `stopped`.
    """

    secret: str
    header: str = "x-hub-signature-256"
    event_types: tuple[str, ...] = ("registry_package",)
    runs: list[dict[str, str]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> int:
        if request.headers.get("content-type") == "application/x-www-form-urlencoded":
            self.stopped.append("form")
        elif not signed(request.headers.get(self.header, ""), self.secret, request.body):
            self.stopped.append("signature")
        elif request.headers.get("x-github-event") not in self.event_types:
            self.stopped.append("event type")
        else:
            package = request.document["registry_package"]
            version = package["package_version"]
            self.runs.append(
                {
                    "image": version["package_url"],
                    "tag": version["container_metadata"]["tag"]["name"],
                    "digest": version["container_metadata"]["tag"]["digest"],
                }
            )
        return 202
