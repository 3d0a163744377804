"""Settings to store, and the only spelling of storage keys for content."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings

from storage.base import BlobStore
from storage.local import LocalStore

CONTENT_PREFIXES = ("staging", "blobs")


@cache
def get_store() -> BlobStore:
    """The store this process uses."""
    options = settings.HUB.storage_options
    return LocalStore(Path(options.get("root") or settings.HUB.data_dir / "store"))


def part_key(upload: str, part: str) -> str:
    """Where one written piece of an upload lies."""
    return f"staging/{upload}/{part}"


def blob_key(algorithm: str, encoded: str, upload: str) -> str:
    """Where one stored copy of a blob lies; fresh for each upload, never reused."""
    return f"blobs/{algorithm}/{encoded[:2]}/{encoded}/{upload}"
