"""Settings to store, and the only spelling of storage keys for content."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings

from storage.base import BlobStore
from storage.local import LocalStore

CONTENT_PREFIXES = ("objects", "staging", "blobs")  # the last two: as version 0.1 named them


@cache
def get_store() -> BlobStore:
    """The store this process uses."""
    options = settings.HUB.storage_options
    return LocalStore(Path(options.get("root") or settings.HUB.data_dir / "store"))


def object_key(upload: str, name: str) -> str:
    """Where bytes of an upload lie: one written piece, or all of them joined.

    Fresh for each, never reused. A blob stays where its only piece was written. Few directories,
    so that writing seldom has to make one durable.
    """
    return f"objects/{upload[:2]}/{upload}-{name}"
