"""Repositories that a first push began and never filled: refused, cancelled, or given up."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from events.types import SYSTEM
from registry.errors import NameUnknown
from registry.services.locking import lock_repository
from repos.models import Repository
from repos.services.repositories import delete_repository

BATCH = 100


def drop_abandoned() -> int:
    """Delete those that are older than a push may take and that nothing refers to."""
    due = Repository.objects.filter(
        state=Repository.State.ACTIVE,
        made_by_push=True,
        last_pushed_at=None,
        created_at__lte=timezone.now() - timedelta(seconds=settings.HUB.push_grace_s),
    )
    return sum(_drop(repository) for repository in due.order_by("created_at")[:BATCH])


def _drop(repository: Repository) -> bool:
    with transaction.atomic():
        try:
            row = lock_repository(repository)
        except NameUnknown:  # its owner was faster
            return False
        if not row.made_by_push or row.last_pushed_at is not None or _is_named(row):
            return False
        delete_repository(row, actor=SYSTEM, final=True)  # there is nothing to restore
    return True


def _is_named(row: Repository) -> bool:
    """Whether anything at all, of whatever app, hangs on it."""
    return any(
        relation.related_model._base_manager.filter(**{relation.field.name: row}).exists()
        for relation in Repository._meta.related_objects
    )
