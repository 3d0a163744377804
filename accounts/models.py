"""Who there is: people, organizations, teams, the names they own, their access tokens."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils import timezone


class User(AbstractUser):
    """A person. The user name is lower case and is also the name of their namespace."""

    username = models.CharField(max_length=60, unique=True)
    email = models.EmailField(blank=True)
    bio = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email"], condition=~Q(email=""), name="user_email"),
        ]


class Organization(models.Model):
    """A group of people with a namespace of its own."""

    name = models.CharField(max_length=60, unique=True)
    display_name = models.CharField(max_length=100, blank=True)
    description = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person in an organization."""

    class Role(models.TextChoices):
        OWNER = "owner"
        MEMBER = "member"

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization}: {self.role}"


class Team(models.Model):
    """Some members of an organization, to whom roles are given together."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="teams")
    name = models.CharField(max_length=60)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="team_name"),
        ]

    def __str__(self) -> str:
        return f"{self.organization}/{self.name}"


class TeamMembership(models.Model):
    """A member of a team."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="team_memberships")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "user"], name="team_membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"


class Namespace(models.Model):
    """The first part of a repository path, owned by one person, one organization or the library."""

    class Kind(models.TextChoices):
        USER = "user"
        ORGANIZATION = "org"
        LIBRARY = "library"

    name = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    user = models.OneToOneField(User, models.PROTECT, null=True, related_name="namespace")
    organization = models.OneToOneField(
        Organization, models.PROTECT, null=True, related_name="namespace"
    )
    quota_bytes = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="namespace_one_owner",
                condition=Q(kind="user", user__isnull=False, organization__isnull=True)
                | Q(kind="org", user__isnull=True, organization__isnull=False)
                | Q(kind="library", user__isnull=True, organization__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AccessToken(models.Model):
    """A person's key for machines. Only its hash is kept; the secret is shown once.

    `scopes` is a list of `repository:<glob>:<actions>`; an empty list means everything its owner
    may do.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=20, unique=True)
    secret_hash = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    @property
    def is_valid(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (
            self.expires_at is None or self.expires_at > timezone.now()
        )
