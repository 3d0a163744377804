"""What was pulled: added up in memory, written by a thread now and then, approximate by design."""

from __future__ import annotations

import logging
from collections import Counter
from threading import Lock, Timer

from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from registry.models import Manifest, Tag
from repos.services.counts import add_pulls

FLUSH_AFTER_S = 1.0
log = logging.getLogger(__name__)
_lock = Lock()
_counts: Counter[int] = Counter()
_manifests: set[int] = set()
_tags: set[tuple[int, str]] = set()
_timer: Timer | None = None


def note_pull(manifest: Manifest, tag: str | None) -> None:
    """Count one pull; costs a dictionary update. Written within FLUSH_AFTER_S seconds."""
    global _timer
    with _lock:
        _counts[manifest.repository_id] += 1
        _manifests.add(manifest.pk)
        if tag is not None:
            _tags.add((manifest.repository_id, tag))
        if _timer is None:
            _timer = Timer(FLUSH_AFTER_S, _flush_in_thread)
            _timer.daemon = True
            _timer.start()


def flush() -> None:
    """Write what waits."""
    global _timer
    with _lock:
        counts, manifests, tags = dict(_counts), set(_manifests), set(_tags)
        _timer = None
        _counts.clear()
        _manifests.clear()
        _tags.clear()
    if not counts:
        return
    now = timezone.now()
    add_pulls(counts)
    Manifest.objects.filter(pk__in=manifests).update(last_pulled_at=now)
    for repository_id, name in tags:
        Tag.objects.filter(repository_id=repository_id, name=name).update(last_pulled_at=now)


def _flush_in_thread() -> None:
    try:
        close_old_connections()
        flush()
    except DatabaseError:
        log.warning("pull counts were not written", exc_info=True)
    finally:
        connection.close()
