"""What all formats share: the hub's own members, and a body that fits."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from webhooks.news import News

JSON = "application/json"
MAX_BODY_BYTES = 64 * 1024
_LONGEST_TEXT = 16 * 1024  # characters, halved until the body fits
_SHORTEST_TEXT = 8


@dataclass(frozen=True, slots=True)
class Shape:
    """A document in somebody's format; `headers` are those its readers look at besides."""

    document: dict[str, Any]
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


def hub_members(news: News) -> dict[str, Any]:
    """What a foreign format has no place for, and what every format must tell.

    `detail` is the rest of the event's payload, by event (docs/webhooks.md).
    """
    members: dict[str, Any] = {
        "event": news.name,
        "id": news.uid,
        "actor": news.actor,
        "occurred_at": news.moment,
        "repository": news.path,
        "tag": news.tag,
        "digest": news.digest,
        "previous_digest": news.previous_digest,
        "media_type": news.media_type,
        "size": news.size,
        "platforms": list(news.platforms),
        "url": news.url,
        "detail": detail(news),
    }
    if news.is_push:
        members["callback_url"] = news.callback_url
    return members


def detail(news: News) -> dict[str, Any]:
    """The payload without what has a name of its own."""
    own = {"tag", "digest", "previous_digest", "media_type"}
    return {name: value for name, value in news.payload.items() if name not in own}


def encode(document: dict[str, Any]) -> bytes:
    """JSON in UTF-8 of at most MAX_BODY_BYTES; to fit, long texts lose their end to an ellipsis."""
    limit = _LONGEST_TEXT
    body = _dumped(document)
    while len(body) > MAX_BODY_BYTES and limit >= _SHORTEST_TEXT:
        body = _dumped(_cut(document, limit))
        limit //= 2
    return body


def _dumped(document: Any) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")  # half a surrogate pair is no UTF-8


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, dict):
        return {name: _cut(inner, limit) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cut(inner, limit) for inner in value]
    if isinstance(value, str) and len(value) > limit:
        return f"{value[: limit - 1]}…"
    return value
