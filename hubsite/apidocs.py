"""The schema as the readable page shows it: operations by subject, with their types in words."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

_ORDER = ("account", "tokens", "organizations", "repositories", "tags", "collaborators", "stars")
_METHODS = ("get", "post", "put", "patch", "delete")
_EXAMPLES: dict[str, Any] = {
    "namespace": "alice",
    "name": "app",
    "username": "bob",
    "org": "acme",
    "team": "dev",
    "tag": "1.0",
    "url": "https://ci.example.com/hooks/hub",
    "role": "write",
    "scopes": ["repository:alice/app:pull,push"],
    "events": ["push"],
    "email": "bob@example.com",
    "password": "a long sentence",
    "body": "Works **well**.",
    "q": "app",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body or an answer."""

    name: str
    kind: str
    note: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    id: str
    method: str
    path: str
    summary: str
    is_public: bool
    parameters: list[Field]
    body: list[Field]
    status: str
    answer: list[Field]
    is_list: bool
    curl: str


@dataclass(frozen=True, slots=True)
class Section:
    """Operations on one subject."""

    name: str
    operations: list[Operation] = field(default_factory=list)


def sections_of(schema: dict[str, Any]) -> list[Section]:
    """Every operation of the schema by its first tag; what people begin with comes first."""
    sections: dict[str, Section] = {}
    for path, methods in schema["paths"].items():
        for method in _METHODS:
            if method in methods:
                tag = methods[method]["tags"][0]
                section = sections.setdefault(tag, Section(tag))
                section.operations.append(_operation(schema, path, method, methods[method]))
    first = [sections.pop(name) for name in _ORDER if name in sections]
    return first + list(sections.values())


def _operation(
    schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]
) -> Operation:
    body = _of_content(operation.get("requestBody", {}))
    status, answer = next(iter(operation["responses"].items()))
    shape, is_list = _row_of(schema, _of_content(answer))
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        is_public={} in operation.get("security", []),
        parameters=[
            Field(
                p["name"], _kind(schema, p["schema"]), p.get("description", ""), p["in"] == "path"
            )
            for p in operation.get("parameters", [])
        ],
        body=list(_fields(schema, body)),
        status=status,
        answer=list(_fields(schema, shape)),
        is_list=is_list,
        curl=_curl(schema, path, method, operation, body),
    )


def _of_content(holder: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = holder.get("content", {})
    first: dict[str, Any] = next(iter(content.values()), {})
    shape: dict[str, Any] = first.get("schema", {})
    return shape


def _row_of(schema: dict[str, Any], shape: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The type of a list's rows in place of the list's own."""
    results = _resolved(schema, shape).get("properties", {}).get("results")
    return (results["items"], True) if results else (shape, False)


def _resolved(schema: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    for key in ("allOf", "oneOf"):
        if key in shape:
            shape = {**shape, **_resolved(schema, shape[key][0])}
    if "$ref" in shape:
        name = shape["$ref"].rsplit("/", 1)[1]
        shape = {**shape, **schema["components"]["schemas"][name]}
    return shape


def _fields(schema: dict[str, Any], shape: dict[str, Any]) -> Iterator[Field]:
    found = _resolved(schema, shape)
    required = found.get("required", [])
    for name, part in found.get("properties", {}).items():
        yield Field(name, _kind(schema, part), part.get("description", ""), name in required)


def _kind(schema: dict[str, Any], part: dict[str, Any]) -> str:
    """A type in words: `text`, `list of text`, `read or write or admin`."""
    found = _resolved(schema, part)
    kind = found.get("type", "object")
    kinds = [kind] if isinstance(kind, str) else list(kind)
    ending = " or null" if "null" in kinds else ""
    kind = next((k for k in kinds if k != "null"), "object")
    if "enum" in found:
        text = " or ".join(str(value) for value in found["enum"] if value is not None)
    elif kind == "array":
        text = f"list of {_kind(schema, found.get('items', {}))}"
    elif "properties" in found:
        text = f"object with {', '.join(found['properties'])}"
    elif found.get("format") == "date-time":
        text = "time"
    else:
        text = {"string": "text", "integer": "number", "boolean": "true or false"}.get(kind, kind)
    return text + ending


def _curl(
    schema: dict[str, Any],
    path: str,
    method: str,
    operation: dict[str, Any],
    body: dict[str, Any],
) -> str:
    address = re.sub(r"{(\w+)}", lambda m: str(_EXAMPLES.get(m[1], 1)), path)
    url = f"{settings.HUB.external_url}{address}"
    if any(p["name"] == "q" for p in operation.get("parameters", [])):
        url += f"?q={_EXAMPLES['q']}"
    words = ["curl"]
    if method != "get":
        words += ["-X", method.upper()]
    text = " ".join(words)
    if {} not in operation.get("security", []):
        text += ' -H "Authorization: Bearer $HUB_TOKEN"'
    if example := _example(schema, body):
        text += f" --json {shlex.quote(json.dumps(example))}"
    return f"{text} {shlex.quote(url)}"


def _example(schema: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """The required fields, or else the first one."""
    fields = list(_fields(schema, body))
    chosen = [f for f in fields if f.required] or fields[:1]
    return {f.name: _EXAMPLES.get(f.name, "Tools for our builds") for f in chosen}
