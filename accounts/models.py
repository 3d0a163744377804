"""Who there is: people, organizations, teams, the names they own, their access tokens."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.crypto import EncryptedTextField


class BaseRole(models.TextChoices):
    """What somebody may do with every repository of a namespace, those to come included."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class RobotRole(models.TextChoices):
    """The same for a robot, which never administers."""

    READ = "read"
    WRITE = "write"


class User(AbstractUser):
    """A person, whose lower-case user name is also the name of their namespace; or a robot."""

    username = models.CharField(max_length=101, unique=True)
    email = models.EmailField(blank=True)
    bio = models.CharField(max_length=300, blank=True)
    # Kept by the handlers of the sign-in machinery; decisions read it in SQL.
    second_factor = models.BooleanField(default=False)
    is_verified = models.BooleanField(default=True)
    # Only robots, whose name is `namespace+name`, have the next four.
    robot_namespace = models.ForeignKey(
        "Namespace", models.CASCADE, null=True, blank=True, related_name="robots"
    )
    robot_role = models.CharField(max_length=10, choices=RobotRole.choices, blank=True)
    robot_creates = models.BooleanField(default=False)
    robot_made_by = models.ForeignKey("self", models.SET_NULL, null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email"], condition=~Q(email=""), name="user_email"),
            models.CheckConstraint(
                name="user_robot_name",
                condition=Q(robot_namespace__isnull=True, robot_role="", robot_creates=False)
                | Q(robot_namespace__isnull=False, username__contains="+", is_superuser=False),
            ),
        ]

    @property
    def is_robot(self) -> bool:
        """An account for machines; its `robot_role` holds on all of its namespace."""
        return self.robot_namespace_id is not None


class Organization(models.Model):
    """A group of people with a namespace of its own."""

    name = models.CharField(max_length=60, unique=True)
    display_name = models.CharField(max_length=100, blank=True)
    description = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # Switches, set by owners.
    base_role = models.CharField(max_length=10, choices=BaseRole.choices, blank=True)
    public_allowed = models.BooleanField(default=True)
    default_public = models.BooleanField(default=False)
    members_create = models.BooleanField(default=False)
    second_factor_required = models.BooleanField(default=False)

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
    """Some members of an organization, to whom roles are given together.

    `base_role` holds on all repositories of the organization.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="teams")
    name = models.CharField(max_length=60)
    description = models.CharField(max_length=300, blank=True)
    base_role = models.CharField(max_length=10, choices=BaseRole.choices, blank=True)
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
    quota_told = models.PositiveSmallIntegerField(default=0)  # percent that was warned of
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


class NamespaceAlias(models.Model):
    """A namespace's former name: it still leads there, and nobody else can take it."""

    old_name = models.CharField(max_length=60, unique=True)
    namespace = models.ForeignKey(Namespace, models.CASCADE, related_name="aliases")
    uses = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.old_name


class RetiredName(models.Model):
    """The name of an account that is gone; free again at `free_at`, or never."""

    name = models.CharField(max_length=60, unique=True)
    retired_at = models.DateTimeField(auto_now_add=True)
    free_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class InvitationBase(models.Model):
    """A mail that lets whoever reads it in, once. Only the hash of its secret is kept."""

    email = models.EmailField()
    secret_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta:
        abstract = True

    @property
    def is_open(self) -> bool:
        """Not too old; one that was accepted, refused or taken back is deleted."""
        return self.expires_at > timezone.now()


class Invitation(InvitationBase):
    """Into an organization, and into one of its teams if one is named."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=10, choices=Membership.Role.choices)
    team = models.ForeignKey(Team, models.CASCADE, null=True, related_name="invitations")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "email"], name="invitation_once"),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.organization}"


class OutgoingMail(models.Model):
    """A mail that is owed; a row of the transaction that owes it, deleted once it was taken."""

    to = models.EmailField()
    subject = models.CharField(max_length=300)
    text = EncryptedTextField()  # links in it let people in
    created_at = models.DateTimeField(auto_now_add=True)
    next_try_at = models.DateTimeField(default=timezone.now, db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"#{self.pk} to {self.to}"


class AccessToken(models.Model):
    """A person's or a robot's key for machines. Only its hash is kept; the secret is shown once.

    `scopes` is a list of `repository:<glob>:<actions>`; an empty list means everything its owner
    may do.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=20, unique=True)
    secret_hash = models.CharField(max_length=64)
    # Of the secret before the last rotation, which is good until then.
    previous_hash = models.CharField(max_length=64, blank=True)
    previous_until = models.DateTimeField(null=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    last_used_address = models.CharField(max_length=45, blank=True)
    last_used_client = models.CharField(max_length=200, blank=True)
    rotated_at = models.DateTimeField(null=True)
    warned_at = models.DateTimeField(null=True)  # of its end, by mail
    revoked_at = models.DateTimeField(null=True)
    # The token that asked for this one, which ends with it.
    made_by = models.ForeignKey("self", models.SET_NULL, null=True, related_name="made")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    @property
    def is_valid(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (
            self.expires_at is None or self.expires_at > timezone.now()
        )
