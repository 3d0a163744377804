"""Ringing the worker's bell. A row is the truth; a lost ring costs only the sweep's interval."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)
_ringer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="wake")


def wake(task: str, *args: Any, countdown_s: float = 0) -> None:
    """Ask a worker to run `task` by name, in `countdown_s` seconds at the earliest.

    With the embedded broker the message is a row of the caller's own transaction; with another
    broker it is sent after the commit by a thread of its own, so that a slow or absent broker
    never delays the caller.
    """
    if settings.CELERY_BROKER_URL == "hubdb://":
        _send(task, args, countdown_s)
    else:
        transaction.on_commit(lambda: _ringer.submit(_ring, task, args, countdown_s) and None)


def _send(task: str, args: tuple[Any, ...], countdown_s: float) -> None:
    current_app.send_task(task, args=args, countdown=countdown_s or None, retry=False)


def _ring(task: str, args: tuple[Any, ...], countdown_s: float) -> None:
    try:
        _send(task, args, countdown_s)
    except (OperationalError, OSError) as error:
        log.warning("broker did not take %s: %s; the periodic sweep will do it", task, error)
