"""CI systems as their documentation has them (docs/webhooks.md names the pages)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.receivers.stage import Refusal, Request


def _json_type(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise Refusal(415, "the body is not announced as JSON")


def _texts(value: Any, what: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise Refusal(400, f"{what} is a map of texts")
    return value


@dataclass
class Jenkins:
    """Generic Webhook Trigger plugin 2.x: a job's token by query, `token` header or Bearer;
    variables by JSONPath."""

    token: str
    variables: dict[str, str]
    builds: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, request: Request) -> int:
        if request.path != "/generic-webhook-trigger/invoke":
            raise Refusal(404, request.path)
        given = request.query.get("token") or request.headers.get("token") or request.bearer or ""
        if given != self.token:
            raise Refusal(404, "no job with this token")
        document = request.document
        self.builds.append({key: _at(document, path) for key, path in self.variables.items()})
        return 200


def _at(document: Any, path: str) -> str:
    """JSONPath as far as names after dots go; a leaf that is not there is an empty variable."""
    assert path.startswith("$.")
    for name in path[2:].split("."):
        document = document.get(name, {}) if isinstance(document, dict) else {}
    return "" if document == {} else str(document)


@dataclass
class GitLab:
    """Pipeline trigger tokens API: query and JSON body together are the parameters, the body
    wins; `variables` is a map of texts."""

    project: str
    token: str
    refs: tuple[str, ...] = ("main",)
    pipelines: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, request: Request) -> int:
        if request.path != f"/api/v4/projects/{self.project}/trigger/pipeline":
            raise Refusal(404, request.path)
        _json_type(request)
        given = {**request.query, **request.document}
        for name in ("token", "ref"):
            if not isinstance(given.get(name), str):
                raise Refusal(400, f"{name} is missing")
        if given["token"] != self.token:
            raise Refusal(404, "unknown token")
        if given["ref"] not in self.refs:
            raise Refusal(400, "Reference not found")
        self.pipelines.append(_texts(given.get("variables", {}), "variables"))
        return 201


@dataclass
class GitHub:
    """REST API, *Create a repository dispatch event* (version 2022-11-28)."""

    repository: str
    token: str
    dispatched: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> int:
        if not request.headers.get("user-agent"):
            raise Refusal(403, "every request has a User-Agent")
        if request.bearer != self.token:
            raise Refusal(401, "Bad credentials")
        if request.path != f"/repos/{self.repository}/dispatches":
            raise Refusal(404, request.path)
        if request.headers.get("accept") != "application/vnd.github+json":
            raise Refusal(415, "Accept")
        if request.headers.get("x-github-api-version") != "2022-11-28":
            raise Refusal(400, "X-GitHub-Api-Version")
        document = request.document
        if set(document) - {"event_type", "client_payload"}:
            raise Refusal(422, "unknown members")
        kind, payload = document["event_type"], document.get("client_payload", {})
        if not isinstance(kind, str) or not 1 <= len(kind) <= 100:
            raise Refusal(422, "event_type has 1 to 100 characters")
        if not isinstance(payload, dict) or len(payload) > 10:
            raise Refusal(422, "client_payload has at most 10 members")
        if len(request.body) > 65535:
            raise Refusal(422, "client_payload is too large")
        self.dispatched.append(document)
        return 204


@dataclass
class Woodpecker:
    """`POST /api/repos/{repo_id}/pipelines` with PipelineOptions: branch and variables."""

    repo_id: str
    token: str
    pipelines: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> int:
        if request.bearer != self.token:
            raise Refusal(401, "not logged in")
        if request.path != f"/api/repos/{self.repo_id}/pipelines":
            raise Refusal(404, request.path)
        document = request.document
        if not isinstance(document["branch"], str) or not document["branch"]:
            raise Refusal(400, "branch is a text")
        _texts(document.get("variables", {}), "variables")
        self.pipelines.append(document)
        return 200


@dataclass
class Drone:
    """Build Create and Build Promote: everything in the address, the body is not read."""

    repository: str
    token: str
    builds: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, request: Request) -> int:
        if request.bearer != self.token:
            raise Refusal(401, "Unauthorized")
        start = f"/api/repos/{self.repository}/builds"
        promote = re.fullmatch(re.escape(start) + r"/\d+/promote", request.path)
        if promote and not request.query.get("target"):
            raise Refusal(400, "Missing target environment")
        if request.path != start and not promote:
            raise Refusal(404, request.path)
        self.builds.append(request.query)
        return 200
