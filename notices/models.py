"""What people watch, what they are told, how, and the key that reads their feeds."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from repos.models import Comment, Repository


class Kind(models.TextChoices):
    """What a notice is about."""

    MENTION = "mention", _("Somebody mentions you")
    COMMENT = "comment", _("Comments on what you watch or own")
    TAG = "tag", _("Tags pushed on what you watch")
    SEARCH = "search", _("New results of searches you watch")
    REQUEST = "request", _("Somebody asks for access")
    ACCESS = "access", _("You were given access")
    INVITATION = "invitation", _("You are invited")
    WEBHOOK = "webhook", _("A webhook fails or was paused")
    TOKEN = "token", _("An access token ends soon")


class Mail(models.TextChoices):
    """Whether and when a notice is also sent by mail."""

    NEVER = "never", _("Never")
    DAILY = "daily", _("Once a day")
    AT_ONCE = "at_once", _("At once")


class Watch(models.Model):
    """How much of a repository a person wants to hear of. Without a row: only what calls them."""

    class Level(models.TextChoices):
        EVERYTHING = "everything", _("Everything")
        TAGS = "tags", _("New tags")
        NONE = "none", _("Nothing")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="watches")
    repository = models.ForeignKey(
        Repository, models.CASCADE, related_name="watches", db_index=False
    )
    level = models.CharField(max_length=10, choices=Level.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "user"], name="watch_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} watches {self.repository}: {self.level}"


class SearchWatch(models.Model):
    """A search whose new results a person wants to hear of; `known` are ids it had already."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="search_watches", db_index=False
    )
    text = models.CharField(max_length=200)
    known = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "text"], name="search_watch_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} watches the search {self.text}"


class Notice(models.Model):
    """One thing a person is told. Readers look through `selectors.shown_to`: what they may no
    longer see stays unsaid.

    `shown` is false for what goes out by mail only; `mail_due_at` is set while a mail is owed.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="notices", db_index=False
    )
    kind = models.CharField(max_length=12, choices=Kind.choices)
    repository = models.ForeignKey(Repository, models.CASCADE, null=True, related_name="notices")
    comment = models.ForeignKey(Comment, models.CASCADE, null=True, related_name="notices")
    actor_name = models.CharField(max_length=150, blank=True)
    details = models.JSONField(default=dict)
    times = models.PositiveIntegerField(default=1)
    shown = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)
    mail_due_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "comment"], name="notice_of_comment_once"),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="notice_recent"),
            models.Index(fields=["user"], name="notice_unread", condition=Q(read_at__isnull=True)),
            models.Index(
                fields=["mail_due_at"],
                name="notice_mail",
                condition=Q(mail_due_at__isnull=False),
            ),
            models.Index(fields=["created_at"], name="notice_age"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} to {self.user}: {self.kind}"


class Preference(models.Model):
    """What a person chose for a kind of notice; without a row the defaults of `kinds` hold."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="notice_preferences", db_index=False
    )
    kind = models.CharField(max_length=12, choices=Kind.choices)
    web = models.BooleanField(default=True)
    mail = models.CharField(max_length=10, choices=Mail.choices, default=Mail.NEVER)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "kind"], name="preference_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.kind}: {self.web}, {self.mail}"


class FeedKey(models.Model):
    """The secret in the addresses of a person's feeds; it reads feeds and nothing else."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="feed_key")
    secret_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"feed key of {self.user}"
