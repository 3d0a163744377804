"""Refusals in the audit log: once a minute for each person, act and repository."""

from __future__ import annotations

import time
from threading import Lock

from accounts.types import Principal
from events.services import audit
from repos.models import Repository

EVERY_S = 60.0
_MOST = 4096
_noted: dict[tuple[int, str, int], float] = {}
_lock = Lock()


def note_refusal(principal: Principal, action: str, repository: Repository, code: str) -> None:
    """Write down that somebody who sees a repository was refused an act on it."""
    if principal.is_anonymous or not _is_due((principal.account_id, action, repository.pk)):
        return
    audit(
        "access.denied",
        actor=principal.actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        namespace_id=repository.namespace_id,
        payload={"action": action},
        outcome=code,
    )


def _is_due(key: tuple[int, str, int]) -> bool:
    """Each process counts by itself: a few more entries do no harm, a query each time would."""
    now = time.monotonic()
    with _lock:
        if now - _noted.get(key, -EVERY_S) < EVERY_S:
            return False
        if len(_noted) >= _MOST:
            _noted.clear()
        _noted[key] = now
    return True
