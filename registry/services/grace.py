"""When to look at something unreferenced again. Times come from one clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

_COMMIT = timedelta(hours=1)  # from the last byte written to the commit, and far more


def after_push() -> datetime:
    """A blob was uploaded or mounted: its manifest is still to come."""
    return timezone.now() + timedelta(seconds=settings.HUB.push_grace_s)


def after_untag() -> datetime:
    """A manifest lost a tag, a parent or its subject."""
    return timezone.now() + timedelta(seconds=settings.HUB.untag_grace_s)


def undo_until() -> datetime | None:
    """Until when what is deleted now can be restored; None if there is no trash."""
    days = settings.HUB.trash_days
    return timezone.now() + timedelta(days=days) if days else None


def upload_expiry() -> datetime:
    """An upload that made no progress until then is dropped."""
    return timezone.now() + timedelta(seconds=settings.HUB.upload_lifetime_s)


def stray_deadline() -> datetime:
    """Stored bytes that no row names and that are older were left by a process that died.

    A blob sent in one request has no row until its commit, however short an upload may rest.
    """
    return timezone.now() - max(timedelta(seconds=2 * settings.HUB.upload_lifetime_s), _COMMIT)


def discard_deadline() -> datetime:
    """Objects discarded before this moment may be deleted."""
    return timezone.now() - timedelta(seconds=settings.HUB.discard_grace_s)
