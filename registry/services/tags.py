"""Tags: one atomic register each, with every change kept as history."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from fnmatch import fnmatchcase

from django.db import transaction
from django.db.models import BigIntegerField, CharField
from django.utils import timezone

from core.prepared import Prepared, insert
from events.services import record
from events.types import Actor
from registry.errors import ManifestUnknown, TagImmutable
from registry.models import Manifest, Tag, TagMove
from registry.services.grace import after_untag, undo_until
from registry.services.locking import Recheck, lock_repository, no_recheck
from repos.models import Repository

_tag = Prepared(
    lambda repository, name: (
        Tag.objects.select_related("manifest")
        .defer("manifest__payload")
        .filter(repository=repository, name=name)[:1]
    ),
    BigIntegerField(),
    CharField(),
)


def move_tag(
    repository: Repository,
    name: str,
    manifest: Manifest,
    *,
    actor: Actor,
    kind: str = TagMove.Kind.PUSH,
) -> bool:
    """Point a tag at a manifest; False if it pointed there already.

    The caller holds the repository, which is what makes the tag a register. Raises TagImmutable.
    """
    tag = _tag.first(repository.pk, name)
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
    if tag._state.adding:
        insert(tag)
    else:
        tag.save()
    if previous is not None:
        review_manifest(previous)
    before = previous.digest if previous else ""
    _note_move(repository, name, manifest, before, actor=actor, kind=kind)
    return True


def _note_move(
    repository: Repository, name: str, manifest: Manifest, before: str, *, actor: Actor, kind: str
) -> None:
    """History and event."""
    insert(
        TagMove(
            repository=repository,
            name=name,
            manifest=manifest,
            digest=manifest.digest,
            previous_digest=before,
            actor_id=actor.id,
            actor_name=actor.name,
            kind=kind,
        )
    )
    record(
        "tag.moved",
        actor=actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        namespace_id=repository.namespace_id,
        payload={
            "tag": name,
            "digest": manifest.digest,
            "media_type": manifest.media_type,
            "previous_digest": before,
        },
    )


def delete_tag(
    repository: Repository, name: str, *, actor: Actor, recheck: Recheck = no_recheck
) -> TagMove:
    """Take a tag away, which registry.services.undo can take back for a while; others on the same
    manifest stay. Raises ManifestUnknown, TagImmutable."""
    return delete_tags(repository, [name], actor=actor, recheck=recheck)[0]


def delete_tags(
    repository: Repository,
    names: Collection[str],
    *,
    actor: Actor,
    recheck: Recheck = no_recheck,
) -> list[TagMove]:
    """`delete_tag` for several, all or none."""
    with transaction.atomic():
        row = lock_repository(repository)
        recheck(row)
        tags = Tag.objects.select_related("manifest").defer("manifest__payload")
        found = {tag.name: tag for tag in tags.filter(repository=row, name__in=names)}
        for name in names:
            if name not in found:
                raise ManifestUnknown("manifest unknown to registry", detail={"tag": name})
            _refuse_immutable(row, name)
        until = undo_until()
        moves = [drop_tag(row, tag, actor=actor, keep_until=until) for tag in found.values()]
        for manifest in {tag.manifest for tag in found.values()}:
            review_manifest(manifest)
    return moves


def drop_tag(
    repository: Repository, tag: Tag, *, actor: Actor, keep_until: datetime | None = None
) -> TagMove:
    """Delete the row, with history and event; the caller holds the repository. Until `keep_until`
    the manifest stays, so that the tag can come back."""
    manifest = tag.manifest
    Tag.objects.filter(pk=tag.pk).delete()
    move = TagMove.objects.create(
        repository=repository,
        name=tag.name,
        manifest=manifest,
        previous_digest=manifest.digest,
        actor_id=actor.id,
        actor_name=actor.name,
        kind=TagMove.Kind.DELETE,
        keep_until=keep_until,
    )
    record(
        "tag.deleted",
        actor=actor,
        repository_id=repository.pk,
        repository_path=repository.path,
        namespace_id=repository.namespace_id,
        payload={"tag": tag.name, "digest": manifest.digest},
    )
    return move


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
