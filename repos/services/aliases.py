"""Former paths of repositories: who may take one again, giving one up, and how much it is used."""

from __future__ import annotations

import logging
from collections import Counter
from threading import Lock, Timer

from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import F

from accounts.models import Namespace, NamespaceAlias
from core.errors import NotFound
from events.services import audit
from events.types import Actor
from repos.errors import RepositoryExists
from repos.models import Alias, Repository

FLUSH_AFTER_S = 2.0
log = logging.getLogger(__name__)
_lock = Lock()
_uses: Counter[str] = Counter()
_timer: Timer | None = None


def claim_path(
    namespace: Namespace, path: str, *, actor: Actor, by: Repository | None = None
) -> None:
    """Let a path be taken in a locked namespace, which ends an alias that has it.

    Raises RepositoryExists if the path leads to a repository that was moved to another namespace,
    unless it is the one that comes back.
    """
    alias = Alias.objects.select_related("repository").filter(old_path=path).first()
    if alias is None:
        return
    leads = alias.repository
    if leads != by and leads.is_active and leads.namespace_id != namespace.pk:
        raise RepositoryExists(
            f"{path} is kept for the repository that was transferred away from there; the owner "
            "it has now can give the name up."
        )
    _drop(alias, actor)


def list_aliases(repository: Repository) -> list[Alias]:
    """Former paths, newest first."""
    return list(Alias.objects.filter(repository=repository).order_by("-pk"))


def remove_alias(repository: Repository, pk: int, *, actor: Actor) -> str:
    """Give a former path up, and say which; raises NotFound."""
    with transaction.atomic():
        alias = Alias.objects.select_related("repository").filter(repository=repository, pk=pk)
        found = alias.first()
        if found is None:
            raise NotFound("This repository has no such former name.")
        _drop(found, actor)
    return found.old_path


def note_use(path: str) -> None:
    """Count one use of a former path; costs a dictionary update. Written by a thread, later."""
    with _lock:
        _uses[path] += 1
        if _timer is None:
            _start_timer()


def flush() -> None:
    """Write what waits: to the path's own alias, to that of its namespace, or to both."""
    global _timer
    with _lock:
        uses = dict(_uses)
        _timer = None
        _uses.clear()
    for path, count in uses.items():
        more = {"uses": F("uses") + count}
        old, _, name = path.partition("/")
        renamed = NamespaceAlias.objects.filter(old_name=old)
        if renamed.update(**more):
            now = renamed.values_list("namespace__name", flat=True).first()
            path = f"{now}/{name}"
        Alias.objects.filter(old_path=path).update(**more)


def _drop(alias: Alias, actor: Actor) -> None:
    repository = alias.repository
    alias.delete()
    audit(
        "alias.removed",
        actor=actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        namespace_id=repository.namespace_id,
        payload={"old_path": alias.old_path, "uses": alias.uses},
    )


def _start_timer() -> None:
    global _timer
    _timer = Timer(FLUSH_AFTER_S, _flush_in_thread)
    _timer.daemon = True
    _timer.start()


def _flush_in_thread() -> None:
    try:
        close_old_connections()
        flush()
    except DatabaseError:
        log.warning("uses of former names were not written", exc_info=True)
    finally:
        connection.close()
