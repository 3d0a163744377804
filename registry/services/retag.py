"""Moving tags without pushing: another name for an image, and back to where a tag was.

Both are pushes to everybody who is told of pushes: history, events, webhooks.
"""

from __future__ import annotations

from django.db import transaction

from events.types import Actor
from oci.names import parse_tag
from registry.errors import ManifestUnknown, TagTaken
from registry.models import Manifest, Tag, TagMove
from registry.services import rows
from registry.services.locking import Recheck, lock_repository, no_recheck
from registry.services.tags import move_tag
from repos.models import Repository


def retag(
    repository: Repository,
    name: str,
    digest: str,
    *,
    actor: Actor,
    replace: bool = False,
    recheck: Recheck = no_recheck,
) -> bool:
    """Name an image of this repository; False if the tag points there already.

    Raises TagInvalid, ManifestUnknown, TagImmutable, and TagTaken if the tag names another image
    and `replace` does not say that it may leave it.
    """
    parse_tag(name)
    with transaction.atomic():
        row = lock_repository(repository)
        recheck(row)
        manifest = _find(row, digest)
        if not replace:
            _refuse_taken(row, name, manifest)
        moved = move_tag(row, name, manifest, actor=actor)
        if moved:
            rows.note_push(row)
    return moved


def roll_back(
    repository: Repository,
    name: str,
    digest: str,
    *,
    actor: Actor,
    recheck: Recheck = no_recheck,
) -> bool:
    """Point a tag at an image it pointed at before, also one that was deleted; False if it does.

    Raises ManifestUnknown if it never pointed there or the image has gone, TagImmutable.
    """
    with transaction.atomic():
        row = lock_repository(repository)
        recheck(row)
        known = TagMove.objects.filter(repository=row, name=name)
        if not (known.filter(digest=digest) | known.filter(previous_digest=digest)).exists():
            raise ManifestUnknown(
                "This tag never pointed at that digest.", detail={"tag": name, "digest": digest}
            )
        manifest = _find(row, digest)
        moved = move_tag(row, name, manifest, actor=actor, kind=TagMove.Kind.RESTORE)
        if moved:
            rows.note_push(row)
    return moved


def _find(repository: Repository, digest: str) -> Manifest:
    """The manifest, without its bytes."""
    found = Manifest.objects.filter(repository=repository, digest=digest).defer("payload").first()
    if found is None:
        raise ManifestUnknown(
            "This image is no longer here; push it again.", detail={"digest": digest}
        )
    return found


def _refuse_taken(repository: Repository, name: str, manifest: Manifest) -> None:
    taken = Tag.objects.filter(repository=repository, name=name).exclude(manifest=manifest)
    other = taken.values_list("manifest__digest", flat=True).first()
    if other is not None:
        raise TagTaken(
            f"the tag {name} names another image; say that it may leave it",
            detail={"tag": name, "digest": other},
        )
