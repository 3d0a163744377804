"""When to look at something unreferenced again. Times come from one clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone


def after_push() -> datetime:
    """A blob was uploaded or mounted: its manifest is still to come."""
    return timezone.now() + timedelta(seconds=settings.HUB.push_grace_s)


def after_untag() -> datetime:
    """A manifest lost a tag, a parent or its subject."""
    return timezone.now() + timedelta(seconds=settings.HUB.untag_grace_s)


def upload_expiry() -> datetime:
    """An upload that made no progress until then is dropped."""
    return timezone.now() + timedelta(seconds=settings.HUB.upload_lifetime_s)


def discard_deadline() -> datetime:
    """Objects discarded before this moment may be deleted."""
    return timezone.now() - timedelta(seconds=settings.HUB.discard_grace_s)
