"""Tags: one atomic register each, with every change kept as history."""

from __future__ import annotations

from datetime import datetime
from fnmatch import fnmatchcase

from django.db import transaction
from django.utils import timezone

from events.services import record
from events.types import Actor
from registry.errors import ManifestUnknown, TagImmutable
from registry.models import Manifest, Tag, TagMove
from registry.services.grace import after_untag
from registry.services.locking import Recheck, lock_repository, no_recheck
from repos.models import Repository


def move_tag(repository: Repository, name: str, manifest: Manifest, *, actor: Actor) -> bool:
    """Point a tag at a manifest; False if it pointed there already.

    The caller holds the repository, which is what makes the tag a register. Raises TagImmutable.
    """
    tag = Tag.objects.select_related("manifest").filter(repository=repository, name=name).first()
    previous = tag.manifest if tag else None
    if previous == manifest:
        return False
    now = timezone.now()
    if tag is None:
        tag = Tag(repository=repository, name=name)
    else:
        _refuse_immutable(repository, name)
    tag.manifest, tag.moved_at = manifest, now
    tag.moved_by_id, tag.moved_by_name = actor.id, actor.name
    tag.save()
    if previous is not None:
        review_manifest(previous)
    TagMove.objects.create(
        repository=repository,
        name=name,
        manifest=manifest,
        digest=manifest.digest,
        previous_digest=previous.digest if previous else "",
        actor_id=actor.id,
        actor_name=actor.name,
        kind=TagMove.Kind.PUSH,
    )
    record(
        "tag.moved",
        actor=actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        payload={
            "tag": name,
            "digest": manifest.digest,
            "media_type": manifest.media_type,
            "previous_digest": previous.digest if previous else "",
        },
    )
    return True


def delete_tag(
    repository: Repository, name: str, *, actor: Actor, recheck: Recheck = no_recheck
) -> None:
    """Take a tag away; others on the same manifest stay. Raises ManifestUnknown, TagImmutable."""
    with transaction.atomic():
        row = lock_repository(repository)
        recheck(row)
        tag = Tag.objects.select_related("manifest").filter(repository=row, name=name).first()
        if tag is None:
            raise ManifestUnknown("manifest unknown to registry", detail={"tag": name})
        _refuse_immutable(row, name)
        drop_tag(row, tag, actor=actor)
        review_manifest(tag.manifest)


def drop_tag(repository: Repository, tag: Tag, *, actor: Actor) -> None:
    """Delete the row, with history and event; the caller holds the repository."""
    manifest = tag.manifest
    Tag.objects.filter(pk=tag.pk).delete()
    TagMove.objects.create(
        repository=repository,
        name=tag.name,
        manifest=manifest,
        previous_digest=manifest.digest,
        actor_id=actor.id,
        actor_name=actor.name,
        kind=TagMove.Kind.DELETE,
    )
    record(
        "tag.deleted",
        actor=actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        payload={"tag": tag.name, "digest": manifest.digest},
    )


def is_immutable(repository: Repository, name: str) -> bool:
    """Whether a rule of the repository forbids that this tag moves or goes."""
    return any(fnmatchcase(name, pattern) for pattern in repository.immutable_tags)


def review_manifest(manifest: Manifest) -> datetime:
    """Have the collector look at a manifest after its grace; later, never earlier."""
    when = after_untag()
    Manifest.objects.filter(pk=manifest.pk).update(review_after=when)
    return when


def _refuse_immutable(repository: Repository, name: str) -> None:
    if is_immutable(repository, name):
        raise TagImmutable(
            f"the tag {name} is immutable in this repository; push another tag",
            detail={"tag": name},
        )
