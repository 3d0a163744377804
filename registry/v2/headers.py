"""Header values that several answers of /v2 share."""

from __future__ import annotations

from urllib.parse import urlencode

VERSION = ("Docker-Distribution-API-Version", "registry/2.0")
FOREVER = "max-age=31536000, immutable"


def upload_headers(name: str, upload: str, offset: int) -> dict[str, str]:
    """State of an open upload. `Range` is inclusive and never `0--1`: clients need end ≥ start."""
    return {
        "Location": f"/v2/{name}/blobs/uploads/{upload}",
        "Range": f"0-{max(offset - 1, 0)}",
        "Docker-Upload-UUID": upload,
        "Content-Length": "0",
    }


def next_link(path: str, last: str, limit: int) -> str:
    """A relative link to the next page (RFC 8288)."""
    return f'<{path}?{urlencode({"last": last, "n": limit})}>; rel="next"'


def cache_control(lasting: bool, public: bool) -> str:
    """Content under a digest never changes; private content stays out of shared caches."""
    return f"{'public' if public else 'private'}, {FOREVER if lasting else 'no-cache'}"
