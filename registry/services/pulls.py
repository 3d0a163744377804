"""What was pulled: added up in memory, written by a thread now and then, approximate by design."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from threading import Lock, Timer
from typing import TypeVar

from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from registry.models import Manifest, Tag
from repos.services.counts import add_pulls

FLUSH_AFTER_S = 2.0
IN_ONE_STATEMENT = 500
T = TypeVar("T")
log = logging.getLogger(__name__)
_lock = Lock()
_counts: Counter[int] = Counter()
_manifests: set[int] = set()
_tags: dict[int, set[str]] = {}
_timer: Timer | None = None


def note_pull(repository_id: int, manifest_id: int, tag: str | None) -> None:
    """Count one pull; costs a dictionary update. Written within FLUSH_AFTER_S seconds."""
    global _timer
    with _lock:
        _counts[repository_id] += 1
        _manifests.add(manifest_id)
        if tag is not None:
            _tags.setdefault(repository_id, set()).add(tag)
        if _timer is None:
            _timer = Timer(FLUSH_AFTER_S, _flush_in_thread)
            _timer.daemon = True
            _timer.start()


def flush() -> None:
    """Write what waits."""
    global _timer
    with _lock:
        counts, manifests, tags = dict(_counts), list(_manifests), dict(_tags)
        _timer = None
        _counts.clear()
        _manifests.clear()
        _tags.clear()
    if not counts:
        return
    now = timezone.now()
    add_pulls(counts)
    for some in batched(manifests, IN_ONE_STATEMENT):
        Manifest.objects.filter(pk__in=some).update(last_pulled_at=now)
    for repository_id, names in tags.items():
        for few in batched(list(names), IN_ONE_STATEMENT):
            Tag.objects.filter(repository_id=repository_id, name__in=few).update(last_pulled_at=now)


def batched(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The values in runs of at most `size`."""
    return (values[start : start + size] for start in range(0, len(values), size))


def _flush_in_thread() -> None:
    try:
        close_old_connections()
        flush()
    except DatabaseError:
        log.warning("pull counts were not written", exc_info=True)
    finally:
        connection.close()
