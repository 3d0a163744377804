"""What exists and who may touch it: repositories, roles, and what people say about them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import InvitationBase, Namespace, Team


class Role(models.TextChoices):
    """What a person may do with a repository; each includes the ones before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Visibility(models.TextChoices):
    """Who may see a repository."""

    PUBLIC = "public"
    PRIVATE = "private"


class Repository(models.Model):
    """A named scope for tags, manifests and blobs. Content hangs on the id; the path is a label."""

    class State(models.TextChoices):
        ACTIVE = "active"
        TRASHED = "trashed"  # gone for everybody, content kept until `purge_after`
        DELETING = "deleting"
        DELETED = "deleted"  # without content; kept while deliveries about it may be under way

    namespace = models.ForeignKey(Namespace, models.PROTECT, related_name="repositories")
    name = models.CharField(max_length=200)
    path = models.CharField(max_length=255, unique=True)
    visibility = models.CharField(
        max_length=10, choices=Visibility.choices, default=Visibility.PRIVATE
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    description = models.CharField(max_length=300, blank=True)
    readme = models.TextField(blank=True)
    readme_html = models.TextField(blank=True)
    star_count = models.PositiveIntegerField(default=0)
    comment_count = models.PositiveIntegerField(default=0)
    pull_count = models.PositiveBigIntegerField(default=0)
    immutable_tags = models.JSONField(default=list)
    untagged_days = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_pushed_at = models.DateTimeField(null=True)
    made_by_push = models.BooleanField(default=False)  # goes again if the push comes to nothing
    deleted_at = models.DateTimeField(null=True)
    deleted_by_name = models.CharField(max_length=150, blank=True)
    former_name = models.CharField(max_length=200, blank=True)  # what a trashed one was called
    purge_after = models.DateTimeField(null=True)
    comments_open = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["namespace", "name"], name="repository_name"),
        ]
        indexes = [
            models.Index(fields=["visibility", "-last_pushed_at"], name="repository_recent"),
            models.Index(fields=["visibility", "-star_count"], name="repository_stars"),
            # All that lists of a namespace are filtered by, so that hidden rows are not read.
            models.Index(fields=["namespace", "state", "visibility"], name="repository_space"),
            models.Index(
                fields=["created_at"],
                name="repository_unfilled",
                condition=Q(made_by_push=True, last_pushed_at__isnull=True),
            ),
            models.Index(
                fields=["purge_after"],
                name="repository_trash",
                condition=Q(purge_after__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def is_public(self) -> bool:
        """Anyone may see and pull it."""
        return self.visibility == Visibility.PUBLIC

    @property
    def is_active(self) -> bool:
        """Not on its way out."""
        return self.state == self.State.ACTIVE


class Alias(models.Model):
    """An old path that still resolves."""

    old_path = models.CharField(max_length=255, unique=True)
    repository = models.ForeignKey(Repository, models.CASCADE, related_name="aliases")
    uses = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.old_path


class Collaborator(models.Model):
    """A person's role on one repository."""

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="collaborators")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="collaborations"
    )
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "user"], name="collaborator_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} on {self.repository}: {self.role}"


class TeamGrant(models.Model):
    """A team's role on one repository."""

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="team_grants")
    team = models.ForeignKey(Team, models.CASCADE, related_name="grants")
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "team"], name="team_grant_once"),
        ]

    def __str__(self) -> str:
        return f"{self.team} on {self.repository}: {self.role}"


class RepositoryInvitation(InvitationBase):
    """To a role on one repository."""

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=10, choices=Role.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "email"], name="repository_invitation_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.repository}: {self.role}"


class AccessRequest(models.Model):
    """Somebody asks for a role on a repository. Answered requests stay as history."""

    class State(models.TextChoices):
        OPEN = "open"
        GRANTED = "granted"
        REFUSED = "refused"

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="access_requests")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="access_requests"
    )
    role = models.CharField(max_length=10, choices=Role.choices)
    message = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "user"], name="access_request_open", condition=Q(state="open")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} asks for {self.role} on {self.repository}"


class Opening(models.Model):
    """An administrator of the hub opened a private repository for a while, and said why."""

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="openings")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="openings")
    reason = models.CharField(max_length=300)
    created_at = models.DateTimeField(auto_now_add=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.repository} to {self.user} until {self.until:%Y-%m-%d %H:%M}"


class Star(models.Model):
    """A person's mark on a repository."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="stars")
    repository = models.ForeignKey(Repository, models.CASCADE, related_name="stars")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "repository"], name="star_once")]

    def __str__(self) -> str:
        return f"{self.user} stars {self.repository}"


class Comment(models.Model):
    """What somebody says about a repository, in Markdown; `body_html` is made when it is saved."""

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="comments")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="comments"
    )
    body = models.TextField()
    body_html = models.TextField()
    tag = models.CharField(max_length=128, blank=True)  # what it is about, with its digest then
    digest = models.CharField(max_length=140, blank=True)
    hidden_at = models.DateTimeField(null=True)  # by an administrator; its author still sees it
    hidden_by_name = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["repository", "-id"],
                name="comment_shown",
                condition=Q(deleted_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} on {self.repository}"


class PullCount(models.Model):
    """Pulls of a repository on one day; flushed from a buffer, approximate by design."""

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="pull_days")
    day = models.DateField()
    pulls = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "day"], name="pull_day")]

    def __str__(self) -> str:
        return f"{self.repository} {self.day}: {self.pulls}"
