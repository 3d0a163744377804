"""Headers that several answers of /v2 share, and what conditional requests say."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse

VERSION = ("Docker-Distribution-API-Version", "registry/2.0")
FOREVER = "max-age=31536000, immutable"


def bodiless(status: int, headers: dict[str, str] | None = None) -> HttpResponse:
    """An answer without a body, and so without a type; 204 and 304 have no length either."""
    response = HttpResponse(status=status)
    del response["Content-Type"]
    if status not in (204, 304):
        response["Content-Length"] = "0"
    for key, value in (headers or {}).items():
        response[key] = value
    return response


def upload_headers(name: str, upload: str, offset: int) -> dict[str, str]:
    """State of an open upload. `Range` is inclusive and never `0--1`: clients need end ≥ start."""
    return {
        "Location": f"/v2/{name}/blobs/uploads/{upload}",
        "Range": f"0-{max(offset - 1, 0)}",
        "Docker-Upload-UUID": upload,
    }


def next_link(path: str, last: str, limit: int | None, **more: list[str]) -> str:
    """A relative link to the next page (RFC 8288) that keeps what the request asked for."""
    query = [(key, value) for key, values in more.items() for value in values]
    query += [("last", last)] if limit is None else [("last", last), ("n", str(limit))]
    return f'<{path}?{urlencode(query)}>; rel="next"'


def cache_control(lasting: bool, public: bool) -> str:
    """Content under a digest never changes; private content stays out of shared caches."""
    return f"{'public' if public else 'private'}, {FOREVER if lasting else 'no-cache'}"


def is_known(if_none_match: str, digest: str) -> bool:
    """Whether `If-None-Match` names this content: alone, in a list, weak, unquoted, or as `*`."""
    tags = (tag.strip().removeprefix("W/").strip('"') for tag in if_none_match.split(","))
    return if_none_match.strip() == "*" or digest in tags
