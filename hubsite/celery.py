"""The Celery application: settings, the embedded broker's address, the beat table."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

from celery import Celery, signals
from celery.exceptions import SecurityWarning
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hubsite.settings")
TRANSPORT_ALIASES["hubdb"] = "events.transport:Transport"

TASK_LIMIT_S = 1800  # enforced by process pools; threads rely on the timeout of each call
REDIS_VISIBILITY_S = 2 * TASK_LIMIT_S  # is not renewed while a task runs
# It warns of pickled messages from strangers when root starts a worker; only JSON is read here.
warnings.filterwarnings("ignore", category=SecurityWarning)


def _defaults() -> dict[str, Any]:
    """Celery's settings; any of them can be overridden by `CELERY_…` in the Django settings."""
    from django.conf import settings

    hub = settings.HUB
    return {
        "accept_content": ["json"],
        "beat_schedule_filename": str(hub.data_dir / "beat-schedule"),
        "broker_connection_retry_on_startup": True,
        # A publisher holds a connection while it waits for the database: fewer than threads
        # could lock each other out.
        "broker_pool_limit": hub.web_threads + hub.task_slots,
        "broker_transport_options": _transport_options(
            settings.CELERY_BROKER_URL, hub.task_lease_s
        ),
        "enable_utc": True,
        "result_serializer": "json",
        "task_acks_late": True,
        "task_default_queue": "default",
        "task_ignore_result": True,
        "task_publish_retry": False,
        "task_reject_on_worker_lost": True,
        "task_serializer": "json",
        "task_soft_time_limit": TASK_LIMIT_S - 60,
        "task_time_limit": TASK_LIMIT_S,
        "timezone": "UTC",
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_enable_remote_control": not settings.CELERY_BROKER_URL.startswith("hubdb:"),
        "worker_hijack_root_logger": False,
        "worker_prefetch_multiplier": 1,
        "worker_redirect_stdouts": False,
        **_quorum_queues(settings.CELERY_BROKER_URL),
    }


def _transport_options(url: str, lease_s: float) -> dict[str, Any]:
    if url.startswith("redis"):
        # kombu's own intervals would look for lost messages every 100 seconds only.
        return {
            "visibility_timeout": REDIS_VISIBILITY_S,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
        }
    if url.startswith("amqp"):
        return {"confirm_publish": True}
    return {"lease_s": lease_s}


def _quorum_queues(url: str) -> dict[str, Any]:
    if not url.startswith("amqp"):
        return {}
    return {"task_default_queue_type": "quorum", "task_default_exchange_type": "topic"}


app = Celery("hub")
app.add_defaults(_defaults)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def keep_django_logging(**_: Any) -> None:
    """A receiver keeps Celery's own handlers away; its lines for each task are not wanted."""
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        logging.getLogger("celery").setLevel(logging.WARNING)


@app.on_after_finalize.connect  # type: ignore[untyped-decorator]
def add_periodic_jobs(sender: Celery, **_: Any) -> None:
    """The beat table, from events/jobs.py."""
    from events.jobs import JOBS

    for job in JOBS.values():
        sender.add_periodic_task(
            job.interval_s,
            sender.signature("events.tasks.run_job", args=(job.name,)),
            name=job.name,
            expires=max(job.interval_s, 60),  # a worker that was away runs each job once or so
        )
