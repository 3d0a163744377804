"""The start page of the administration, its jobs and queues, and the audit log of the hub."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db.models import Min
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.authentication import principal_from
from accounts.models import Organization, OutgoingMail, User
from accounts.services.auditing import trail_of_hub_for
from core.paging import page_by_id
from events.jobs import JOBS
from events.models import Event, QueueMessage, Tick
from hubsite import config
from hubsite.checks import own_warnings
from hubsite.health import states
from hubsite.site.entrance import ROWS, administrators_only, note_view, show
from registry.models import Blob
from repos.models import Repository
from repos.views.audit import Log, answer_log
from webhooks.models import Delivery

LATE_AFTER = 3  # of a job's own intervals, and a minute


@administrators_only
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Is everything well, and what is new."""
    people = User.objects.filter(robot_namespace=None)
    context = {
        "health": states(),
        "warnings": own_warnings(),
        "notes": config.notes(),
        "counts": _counts(),
        "waiting": _waiting(),
        "late": [job for job in _jobs() if job["late"]],
        "newest": people.order_by("-pk")[:10],
    }
    return show(request, "home", "home", context)


@administrators_only
@require_safe
def jobs(request: HttpRequest) -> HttpResponse:
    """Periodic jobs, messages that were given up, and mails that wait."""
    mails = page_by_id(
        OutgoingMail.objects.all(), limit=ROWS, cursor=request.GET.get("cursor") or None
    )
    dead = QueueMessage.objects.filter(dead=True)
    note_view(principal_from(request), "jobs")
    context = {
        "jobs": _jobs(),
        "waiting": _waiting(),
        "dead": dead.order_by("-pk")[:ROWS].values("pk", "queue", "reads"),
        "mails": mails.rows,
        "next_cursor": mails.next_cursor,
    }
    return show(request, "jobs", "jobs", context)


@administrators_only
@require_safe
def audit_log(request: HttpRequest) -> HttpResponseBase:
    """Everything that was recorded."""
    principal = principal_from(request)
    log = Log(trail_of_hub_for(principal), "hub")
    return answer_log(request, principal, log, "site/audit.html", {"section": "audit"})


def _counts() -> dict[str, int]:
    people = User.objects.filter(robot_namespace=None)
    return {
        "people": people.filter(is_active=True).count(),
        "deactivated": people.filter(is_active=False).count(),
        "robots": User.objects.filter(robot_namespace__isnull=False).count(),
        "organizations": Organization.objects.count(),
        "repositories": Repository.objects.filter(state=Repository.State.ACTIVE).count(),
        "blobs": Blob.objects.count(),
    }


def _waiting() -> dict[str, Any]:
    """What queues hold; messages of an outer broker are not ours to count."""
    found: dict[str, Any] = {
        "events": Event.objects.filter(dispatched_at=None).count(),
        "deliveries": Delivery.objects.filter(state=Delivery.State.DUE).count(),
        "mails": OutgoingMail.objects.count(),
    }
    if settings.CELERY_BROKER_URL == "hubdb://":
        due = QueueMessage.objects.filter(dead=False, visible_at__lte=time.time())
        oldest = due.aggregate(oldest=Min("visible_at"))["oldest"]
        found |= {
            "messages": due.count(),
            "dead": QueueMessage.objects.filter(dead=True).count(),
            "oldest": datetime.fromtimestamp(oldest, UTC) if oldest else None,
        }
    return found


def _jobs() -> list[dict[str, Any]]:
    now = timezone.now()
    ended = dict(Tick.objects.values_list("job", "finished_at"))
    rows = []
    for job in sorted(JOBS.values(), key=lambda job: job.name):
        last = ended.get(job.name)
        age_s = (now - last).total_seconds() if last else None
        late = age_s is not None and age_s > LATE_AFTER * job.interval_s + 60
        rows.append({"name": job.name, "interval_s": job.interval_s, "last": last, "late": late})
    return rows
