"""The outbox, the embedded broker's messages, and proof that the clockwork turns."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q


class Event(models.Model):
    """A fact that was committed together with the change it tells of.

    Repository and actor are kept as ids and text, so that history outlives what it is about.
    The same rows are the audit log: `credential` is what the actor came with, `address`, `client`
    and `request_id` say from where, `outcome` is empty for what was done and names why not else.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=60)
    repository_id = models.BigIntegerField(null=True)
    repository_path = models.CharField(max_length=255)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=150, blank=True)
    payload = models.JSONField(default=dict)
    namespace_id = models.BigIntegerField(null=True)
    credential = models.CharField(max_length=150, blank=True)
    address = models.CharField(max_length=45, blank=True)
    client = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    outcome = models.CharField(max_length=40, blank=True)
    occurred_at = models.DateTimeField(auto_now_add=True)
    dispatched_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], name="event_waiting", condition=Q(dispatched_at__isnull=True)
            ),
            models.Index(fields=["repository_id", "-id"], name="event_repository"),
            models.Index(fields=["actor_id", "-id"], name="event_actor"),
            models.Index(fields=["namespace_id", "-id"], name="event_namespace"),
            models.Index(fields=["occurred_at"], name="event_time"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.repository_path}"


class QueueMessage(models.Model):
    """One message of the embedded Celery broker.

    A message that is being worked on carries a lease; it comes back when the lease runs out.
    Times are seconds since 1970, compared in SQL.
    """

    queue = models.CharField(max_length=100)
    priority = models.SmallIntegerField(default=0)
    visible_at = models.FloatField()
    lease = models.CharField(max_length=32, blank=True)
    reads = models.PositiveSmallIntegerField(default=0)
    dead = models.BooleanField(default=False)
    payload = models.TextField()

    class Meta:
        indexes = [
            models.Index(
                fields=["queue", "-priority", "visible_at", "id"],
                name="queue_ready",
                condition=Q(dead=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.queue} #{self.pk}"


class Tick(models.Model):
    """When a periodic job last ran to its end; shows that beat, broker and worker are alive."""

    job = models.CharField(max_length=100, unique=True)
    finished_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.job
