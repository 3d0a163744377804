"""Which content a repository has, and under which tag. Sizes are in bytes.

`review_after` is the collector's queue kept in the row: NULL means nothing to look at, a time means
"look again then".
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from repos.models import Repository

DIGEST_CHARS = 140


class Blob(models.Model):
    """Bytes known by their digest, stored once under an opaque key."""

    digest = models.CharField(max_length=DIGEST_CHARS, unique=True)
    size = models.BigIntegerField()
    storage_key = models.CharField(max_length=300, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    review_after = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["review_after"], name="blob_review", condition=Q(review_after__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.digest


class BlobLink(models.Model):
    """Makes a blob visible in a repository; the only thing that does."""

    repository = models.ForeignKey(Repository, models.PROTECT, related_name="blob_links")
    blob = models.ForeignKey(Blob, models.PROTECT, related_name="links")
    created_at = models.DateTimeField(auto_now_add=True)
    review_after = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "blob"], name="link_once")]
        indexes = [
            models.Index(
                fields=["review_after"], name="link_review", condition=Q(review_after__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.blob} in {self.repository}"


class Manifest(models.Model):
    """A document that lists content by descriptor, kept byte for byte in one repository."""

    repository = models.ForeignKey(Repository, models.PROTECT, related_name="manifests")
    digest = models.CharField(max_length=DIGEST_CHARS)
    media_type = models.CharField(max_length=255)
    artifact_type = models.CharField(max_length=255, blank=True)
    payload = models.BinaryField()
    subject_digest = models.CharField(max_length=DIGEST_CHARS, blank=True)
    annotations = models.JSONField(default=dict)
    total_size = models.BigIntegerField(default=0)
    sparse = models.BooleanField(default=False)
    pushed_by_id = models.BigIntegerField(null=True)
    pushed_by_name = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_pulled_at = models.DateTimeField(null=True)
    review_after = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "digest"], name="manifest_digest"),
        ]
        indexes = [
            models.Index(
                fields=["repository", "subject_digest"],
                name="manifest_subject",
                condition=~Q(subject_digest=""),
            ),
            models.Index(
                fields=["review_after"],
                name="manifest_review",
                condition=Q(review_after__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}"


class ManifestBlob(models.Model):
    """A config or layer a manifest names. `link` is null only for what may be elsewhere."""

    class BlobRole(models.TextChoices):
        CONFIG = "config"
        LAYER = "layer"
        CHILD = "child"  # an image index may list blobs, as build caches do

    manifest = models.ForeignKey(Manifest, models.CASCADE, related_name="blobs")
    role = models.CharField(max_length=10, choices=BlobRole.choices)
    position = models.PositiveIntegerField()
    digest = models.CharField(max_length=DIGEST_CHARS)
    size = models.BigIntegerField()
    media_type = models.CharField(max_length=255)
    link = models.ForeignKey(BlobLink, models.PROTECT, null=True, related_name="uses")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["manifest", "role", "position"], name="manifest_blob_position"
            ),
        ]
        indexes = [
            models.Index(
                fields=["digest"], name="manifest_blob_waiting", condition=Q(link__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.position} of {self.manifest_id}"


class ManifestChild(models.Model):
    """A manifest an image index lists. `child` is null only if the index is sparse."""

    parent = models.ForeignKey(Manifest, models.CASCADE, related_name="children")
    position = models.PositiveIntegerField()
    child_digest = models.CharField(max_length=DIGEST_CHARS)
    child = models.ForeignKey(Manifest, models.PROTECT, null=True, related_name="parents")
    platform = models.CharField(max_length=255, blank=True)
    annotations = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["parent", "position"], name="manifest_child_position"),
        ]
        indexes = [models.Index(fields=["child_digest"], name="manifest_child_digest")]

    def __str__(self) -> str:
        return f"child {self.position} of {self.parent_id}"


class ManifestInfo(models.Model):
    """What the config blob says about an image; derived, may be missing, may be made again.

    `config` holds the parts people read: env, entrypoint, cmd, user, ports, labels, history.
    """

    manifest = models.OneToOneField(Manifest, models.CASCADE, related_name="info")
    os = models.CharField(max_length=255, blank=True)
    architecture = models.CharField(max_length=255, blank=True)
    variant = models.CharField(max_length=255, blank=True)
    built_at = models.DateTimeField(null=True)
    config = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.platform

    @property
    def platform(self) -> str:
        """`os/architecture/variant`, as far as known."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class LegacyImage(models.Model):
    """The id by which the registry API of 2013 knows one layer of an image (oci.legacy).

    Derived, so that an id leads back to its image; written when an image is first read that way.
    One that was pushed that way is `chosen`: it keeps the id its client gave it, the document as it
    was sent and the checksum of both.
    """

    manifest = models.ForeignKey(Manifest, models.CASCADE, related_name="legacy_images")
    position = models.PositiveIntegerField()  # of the layer, 0 at the root
    image_id = models.CharField(max_length=64)
    chosen = models.BooleanField(default=False)
    document = models.BinaryField(default=bytes)
    checksum = models.CharField(max_length=DIGEST_CHARS, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["manifest", "position"], name="legacy_image_position"),
        ]
        indexes = [models.Index(fields=["image_id"], name="legacy_image_id")]

    def __str__(self) -> str:
        return self.image_id


class LegacyPush(models.Model):
    """A push by the registry API of 2013, from the index's token to its end.

    `announced` are the ids its client named at the start, no others are taken; `awaited` the tags
    it named that are still to come.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    repository = models.ForeignKey(Repository, models.CASCADE, related_name="legacy_pushes")
    announced = models.JSONField(default=list)
    awaited = models.JSONField(default=list)
    started_by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.uuid)


class LegacyPushImage(models.Model):
    """One image of such a push: a document, then a layer, then a checksum that is right.

    Its layer is a blob of the push's repository, named by `digest`; `diff_id` is the digest of what
    it unpacks to, `checksum` that of the document and the layer as they came.
    """

    class State(models.TextChoices):
        OPENED = "opened"
        LOADED = "loaded"
        COMPLETE = "complete"

    push = models.ForeignKey(LegacyPush, models.CASCADE, related_name="images")
    image_id = models.CharField(max_length=64)
    parent_id = models.CharField(max_length=64, blank=True)
    document = models.BinaryField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPENED)
    digest = models.CharField(max_length=DIGEST_CHARS, blank=True)
    size = models.BigIntegerField(default=0)
    media_type = models.CharField(max_length=255, blank=True)
    diff_id = models.CharField(max_length=DIGEST_CHARS, blank=True)
    checksum = models.CharField(max_length=DIGEST_CHARS, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["push", "image_id"], name="legacy_push_image"),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.image_id}"


class Tag(models.Model):
    """A movable name for a manifest of the same repository."""

    repository = models.ForeignKey(Repository, models.PROTECT, related_name="tags")
    name = models.CharField(max_length=128)
    manifest = models.ForeignKey(Manifest, models.PROTECT, related_name="tags")
    moved_at = models.DateTimeField()
    moved_by_id = models.BigIntegerField(null=True)
    moved_by_name = models.CharField(max_length=150, blank=True)
    last_pulled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "name"], name="tag_name")]
        indexes = [models.Index(fields=["repository", "-moved_at"], name="tag_recent")]

    def __str__(self) -> str:
        return f"{self.repository}:{self.name}"


class TagMove(models.Model):
    """One change of a tag: history, undo and audit in one. Only added to."""

    class Kind(models.TextChoices):
        PUSH = "push"
        DELETE = "delete"
        RESTORE = "restore"
        MIRROR = "mirror"

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="tag_moves")
    name = models.CharField(max_length=128)
    manifest = models.ForeignKey(Manifest, models.SET_NULL, null=True, related_name="moves")
    digest = models.CharField(max_length=DIGEST_CHARS, blank=True)
    previous_digest = models.CharField(max_length=DIGEST_CHARS, blank=True)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=150, blank=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    at = models.DateTimeField(auto_now_add=True)
    keep_until = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["repository", "name", "-id"], name="tag_move_history"),
            models.Index(
                fields=["keep_until"], name="tag_move_kept", condition=Q(keep_until__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.repository_id}:{self.name}"


class UploadSession(models.Model):
    """An unfinished upload. `offset` counts only what is durably stored."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    repository = models.ForeignKey(Repository, models.CASCADE, related_name="uploads")
    offset = models.BigIntegerField(default=0)
    algorithm = models.CharField(max_length=20, default="sha256")
    final_key = models.CharField(max_length=300, blank=True)
    started_by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.uuid)


class UploadPart(models.Model):
    """One written piece of an upload.

    `digest` is that of the upload up to the piece's end, `hash_state` what it takes to go on from
    there (storage.hashing); both are empty if that would have taken reading bytes again.
    """

    session = models.ForeignKey(UploadSession, models.CASCADE, related_name="parts")
    start = models.BigIntegerField()
    size = models.BigIntegerField()
    digest = models.CharField(max_length=DIGEST_CHARS, blank=True)
    hash_state = models.BinaryField(default=bytes)
    storage_key = models.CharField(max_length=300, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "start"], name="part_start")]

    def __str__(self) -> str:
        return f"{self.session_id} from {self.start}"


class DiscardedObject(models.Model):
    """Bytes no row names any more, waiting for deletion."""

    storage_key = models.CharField(max_length=300, unique=True)
    discarded_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return self.storage_key
