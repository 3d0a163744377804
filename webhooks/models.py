"""Who is told of what, and whether it arrived."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from core.crypto import EncryptedTextField
from events.models import Event
from repos.models import Repository


class Webhook(models.Model):
    """A CI system's address on one repository."""

    class Format(models.TextChoices):
        DOCKERHUB = "dockerhub"

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="webhooks")
    url = models.URLField(max_length=2000)
    secret = EncryptedTextField(blank=True)
    events = models.JSONField(default=list)
    tag_filter = models.CharField(max_length=200, blank=True)
    format = models.CharField(max_length=20, choices=Format.choices, default=Format.DOCKERHUB)
    active = models.BooleanField(default=True)
    created_by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.repository} → {self.url}"


class Delivery(models.Model):
    """One event owed to one webhook. `lease_until` is set while a worker is at it."""

    class State(models.TextChoices):
        DUE = "due"
        DONE = "done"
        GAVE_UP = "gave_up"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(Event, models.PROTECT, related_name="deliveries")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DUE)
    attempt_count = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="delivery_once"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="delivery_due", condition=Q(state="due")),
            models.Index(fields=["webhook", "-id"], name="delivery_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.webhook_id}: {self.state}"


class Attempt(models.Model):
    """One try. `status` is null when no answer came; then `error` says why."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="attempts")
    at = models.DateTimeField(auto_now_add=True)
    duration_ms = models.PositiveIntegerField()
    request_headers = models.JSONField(default=dict)
    request_body = models.TextField()
    status = models.PositiveSmallIntegerField(null=True)
    response_headers = models.JSONField(default=dict)
    response_excerpt = models.TextField(blank=True)
    response_size = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["delivery", "id"], name="attempt_order")]

    def __str__(self) -> str:
        return f"{self.delivery_id}: {self.status or self.error}"
