"""Who is told of what, whether it arrived, and what the receiver said about it."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Namespace
from core.crypto import EncryptedTextField
from events.models import Event
from repos.models import Repository


class Webhook(models.Model):
    """A CI system's address on one repository, on a whole namespace, or on the server.

    `paused_at` is set by the hub after days of failure, `active` by people. `failing_since` is the
    first failure after a success, `warned_at` when people were told of it. Empty filters let
    everything pass. `previous_secret` signs too until `previous_until`.
    """

    class Format(models.TextChoices):
        DOCKERHUB = "dockerhub"
        DISTRIBUTION = "distribution"
        HARBOR = "harbor"
        QUAY = "quay"
        CLOUDEVENTS = "cloudevents"
        SLACK = "slack"
        TEAMS = "teams"
        MATTERMOST = "mattermost"
        GITHUB = "github"
        GITEA = "gitea"
        CUSTOM = "custom"

    name = models.CharField(max_length=100, blank=True)
    repository = models.ForeignKey(
        Repository, models.CASCADE, related_name="webhooks", null=True, blank=True
    )
    namespace = models.ForeignKey(
        Namespace, models.CASCADE, related_name="webhooks", null=True, blank=True
    )
    url = models.URLField(max_length=2000)
    secret = EncryptedTextField(blank=True)
    previous_secret = EncryptedTextField(blank=True)
    previous_until = models.DateTimeField(null=True, blank=True)
    events = models.JSONField(default=list)
    tag_filter = models.CharField(max_length=200, blank=True)
    platform_filter = models.CharField(max_length=200, blank=True)
    actor_filter = models.CharField(max_length=200, blank=True)
    media_type_filter = models.CharField(max_length=200, blank=True)
    format = models.CharField(max_length=20, choices=Format.choices, default=Format.DOCKERHUB)
    template = models.TextField(blank=True)
    headers = EncryptedTextField(blank=True)  # a JSON object of names and values
    client_certificate = EncryptedTextField(blank=True)  # PEM: certificate chain and key
    active = models.BooleanField(default=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    warned_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    created_by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(repository=None) | Q(namespace=None), name="webhook_one_owner"
            ),
        ]

    def __str__(self) -> str:
        # Many receivers take the rest of an address for a password.
        host = urlsplit(self.url).netloc.rpartition("@")[2]
        return f"{self.repository or self.namespace or 'server'} → {host}"

    @property
    def is_on(self) -> bool:
        """Whether new events are sent."""
        return self.active and self.paused_at is None


class Delivery(models.Model):
    """One event owed to one webhook. `lease_until` is set while a worker is at it.

    `host` is where it goes to, `order_key` what must arrive in order: of those of one webhook
    with one key, the one owed for the longest is sent first. `owed_at` is by the clock of the
    database: when it came to be, or was asked for again. `uid` is the secret of its callback.
    """

    class State(models.TextChoices):
        DUE = "due"
        DONE = "done"
        GAVE_UP = "gave_up"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(Event, models.PROTECT, related_name="deliveries")
    host = models.CharField(max_length=300, blank=True)
    order_key = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DUE)
    attempt_count = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    owed_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="delivery_once"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="delivery_due", condition=Q(state="due")),
            models.Index(fields=["webhook", "-id"], name="delivery_recent"),
            models.Index(
                fields=["webhook", "order_key", "owed_at"],
                name="delivery_order",
                condition=Q(state="due"),
            ),
            models.Index(
                fields=["host", "next_attempt_at", "id"],
                name="delivery_host",
                condition=Q(state="due"),
            ),
            models.Index(
                fields=["host"], name="delivery_leased", condition=Q(lease_until__isnull=False)
            ),
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


class Receiver(models.Model):
    """How a host that webhooks lead to has been doing: the state of its circuit breaker.

    While `closed_until` lies ahead nothing is sent there, but for one try at its end.
    """

    host = models.CharField(max_length=300, unique=True)
    failures = models.PositiveIntegerField(default=0)  # in a row
    closed_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.host


class Result(models.Model):
    """What a receiver reported to a delivery's callback about what had been pushed.

    Of one digest the newest of each `context` counts. Outlives its delivery.
    """

    class State(models.TextChoices):
        SUCCESS = "success"
        FAILURE = "failure"
        ERROR = "error"

    delivery = models.OneToOneField(
        Delivery, models.SET_NULL, related_name="result", null=True, blank=True
    )
    webhook = models.ForeignKey(
        Webhook, models.SET_NULL, related_name="results", null=True, blank=True
    )
    repository = models.ForeignKey(Repository, models.CASCADE, related_name="results")
    tag = models.CharField(max_length=128)
    digest = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State.choices)
    context = models.CharField(max_length=100, blank=True)
    description = models.CharField(max_length=255, blank=True)
    target_url = models.URLField(max_length=2000, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["repository", "digest", "-id"], name="result_of_digest")]

    def __str__(self) -> str:
        return f"{self.digest}: {self.state}"


class Promotion(models.Model):
    """When all `requires` reported success for what a tag like `source` was moved to, `target` is
    moved there too, in the name of whoever made the rule.

    `last_event_id` is the newest push that was decided on: an older one comes too late.
    """

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="promotions")
    source = models.CharField(max_length=200, blank=True)
    target = models.CharField(max_length=128)
    requires = models.ManyToManyField(Webhook, related_name="promotions")
    last_event_id = models.BigIntegerField(default=0)
    created_by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.source or '*'} → {self.target}"
