"""Pushes by the registry API of 2013: each image goes from opened to loaded to complete.

Images belong to one push, and so to one person and one repository, until a tag makes them content
of the repository (registry.services.legacy_tag). What no tag takes goes with the push when that
ends or rests too long; layers are blobs that wait for a manifest like any others.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from core.errors import Conflict, Invalid, NotFound
from events.types import Actor
from oci.layers import LayerReader
from oci.legacy import MAX_LAYERS, is_image_id
from oci.strict import JsonInvalid, read_json
from registry import legacy
from registry.models import LegacyPush, LegacyPushImage
from registry.services import uploads
from registry.services.grace import upload_expiry
from registry.services.locking import Recheck, lock_repository
from repos.models import Repository

MAX_IMAGES = 5000  # that one push may announce
MAX_OPEN = 16  # pushes of one person to one repository; nothing tells of one that was given up
MAX_DOCUMENT_BYTES = 1024 * 1024
_MAX_VALUES, _MAX_DEPTH = 20_000, 32
State = LegacyPushImage.State


class ImageExists(Conflict):
    """An image that is complete. Clients compare this text, and go on with the next one."""

    def __init__(self) -> None:
        super().__init__("Image already exists")


class ImageMissing(NotFound):
    """No such image in this push or its repository."""

    def __init__(self) -> None:
        super().__init__("Image not found")


class ImageUnfinished(Invalid):
    """An image whose upload has begun and not ended."""

    def __init__(self) -> None:
        super().__init__("Image is being uploaded, retry later")


def start(
    repository: Repository, announced: Sequence[str], tags: Sequence[str], *, actor: Actor
) -> LegacyPush:
    """Open a push of these image ids under these tags; the oldest of too many open ones ends."""
    push = LegacyPush.objects.create(
        repository=repository,
        announced=list(dict.fromkeys(announced)),
        awaited=list(dict.fromkeys(tags)),
        started_by_id=actor.id,
        expires_at=upload_expiry(),
    )
    open_ones = LegacyPush.objects.filter(repository=repository, started_by_id=actor.id)
    older = open_ones.order_by("-pk").values_list("pk", flat=True)[MAX_OPEN:]
    LegacyPush.objects.filter(pk__in=list(older)).delete()
    return push


def find(key: str, repository_id: int, person: int | None) -> LegacyPush | None:
    """An open push of this person to this repository."""
    try:
        wanted = uuid.UUID(key)
    except ValueError:
        return None
    rows = LegacyPush.objects.filter(repository=repository_id, started_by_id=person)
    return (
        rows.filter(uuid=wanted, expires_at__gt=timezone.now())
        .defer("announced", "awaited")
        .first()
    )


def find_image(push: LegacyPush, image_id: str) -> LegacyPushImage | None:
    """An image of a push, whatever its state."""
    return LegacyPushImage.objects.filter(push=push, image_id=image_id).first()


def get_complete(push: LegacyPush, image_id: str) -> LegacyPushImage | None:
    """An image of a push that can be read; None if the push has none of this id. Raises
    ImageUnfinished."""
    image = find_image(push, image_id)
    if image is not None and image.state != State.COMPLETE:
        raise ImageUnfinished
    return image


def ancestry(push: LegacyPush, image_id: str) -> tuple[list[str], str]:
    """The ids of an image of the push and of what it is built on, root last, as far as they are of
    this push; and the parent where the repository goes on, if it does."""
    parents = dict(_images(push).values_list("image_id", "parent_id"))
    found: list[str] = []
    while image_id in parents and len(found) < MAX_LAYERS:
        found.append(image_id)
        image_id = parents[image_id]
    return found, image_id


def put_document(push: LegacyPush, image_id: str, body: bytes, *, recheck: Recheck) -> None:
    """Begin an image, or begin it again; raises Invalid, ImageExists.

    A parent must be there first, begun at least. A layer that came before counts no more.
    """
    parent = _parent_of(_read(body), image_id)
    announced = LegacyPush.objects.filter(pk=push.pk).values_list("announced", flat=True).first()
    if announced is None or image_id not in announced:
        raise Invalid("The image does not belong to the repository: the push did not announce it")
    with transaction.atomic():
        repository = lock_repository(push.repository)
        recheck(repository)
        known = find_image(push, image_id)
        if parent:
            _check_parent(push, image_id, parent)
        if known is None and legacy.find_in(repository, image_id) is not None:
            raise ImageExists
        if known is not None and known.state == State.COMPLETE:
            raise ImageExists
        image = known or LegacyPushImage(push=push, image_id=image_id)
        image.parent_id, image.document, image.state = parent, body, State.OPENED
        image.digest = image.diff_id = image.checksum = image.media_type = ""
        image.size = 0
        image.save()
        _go_on(push)


def put_layer(
    push: LegacyPush, image_id: str, body: Iterable[bytes], *, recheck: Recheck
) -> LegacyPushImage:
    """Keep the layer of a begun image; raises ImageMissing, ImageExists, LayerInvalid, TooLarge,
    and Invalid if the document changed meanwhile."""
    image = _unfinished(push, image_id)
    _go_on(push)  # the layer may take long
    document = bytes(image.document)
    limit = settings.HUB.max_blob_bytes
    reader = LayerReader(body, limit_bytes=limit, seed=document + b"\n")
    blob = uploads.put_unnamed(push.repository, reader, recheck=recheck)
    with transaction.atomic():
        recheck(lock_repository(push.repository))
        image = _unfinished(push, image_id)
        if bytes(image.document) != document:
            raise Invalid("The image was begun again meanwhile; push its layer again")
        image.digest, image.size, image.state = blob.digest, blob.size, State.LOADED
        image.diff_id, image.media_type = reader.diff_id, reader.media_type
        image.checksum = reader.checksum
        image.save()
        _go_on(push)
    return image


def put_checksum(push: LegacyPush, image_id: str, checksum: str, *, recheck: Recheck) -> None:
    """Complete an image if this is what its document and layer sum up to; raises ImageMissing,
    Conflict if it is complete, Invalid."""
    with transaction.atomic():
        repository = lock_repository(push.repository)
        recheck(repository)
        image = find_image(push, image_id)
        if image is None and legacy.find_in(repository, image_id) is None:
            raise ImageMissing
        if image is None or image.state == State.COMPLETE:
            raise Conflict("Cannot set this image checksum")
        if image.state != State.LOADED or image.checksum != checksum:
            raise Invalid("Checksum mismatch")
        image.state = State.COMPLETE
        image.save(update_fields=["state"])
        _go_on(push)


def finish(push: LegacyPush) -> None:
    """End a push, and with it its token; what no tag took is forgotten."""
    LegacyPush.objects.filter(pk=push.pk).delete()


def finish_all(repository: Repository, *, actor: Actor) -> int:
    """End this person's only push, or of several those that are over: all that they announced is
    here and tagged. How many.

    The last request of a push brings no token, so it does not say which of several ends.
    """
    rows = LegacyPush.objects.filter(repository=repository, started_by_id=actor.id)
    pushes = list(rows[: MAX_OPEN + 1])
    over = [push.pk for push in pushes if len(pushes) == 1 or _is_over(push)]
    LegacyPush.objects.filter(pk__in=over).delete()
    return len(over)


def note_tag(push: LegacyPush, name: str) -> None:
    """A tag was set; the caller holds the repository."""
    row = LegacyPush.objects.filter(pk=push.pk).first()
    if row is not None:
        left = [tag for tag in row.awaited if tag != name]
        LegacyPush.objects.filter(pk=row.pk).update(awaited=left, expires_at=upload_expiry())


def expire() -> int:
    """Drop pushes that made no progress in their lifetime; returns how many."""
    due = LegacyPush.objects.filter(expires_at__lt=timezone.now()).order_by("expires_at")
    keys = list(due.values_list("pk", flat=True)[:200])
    still = LegacyPush.objects.filter(pk__in=keys, expires_at__lt=timezone.now())
    return still.delete()[1].get(LegacyPush._meta.label, 0)


def _is_over(push: LegacyPush) -> bool:
    states = dict(_images(push).values_list("image_id", "state"))
    if push.awaited or any(state != State.COMPLETE for state in states.values()):
        return False
    absent = (image_id for image_id in push.announced if image_id not in states)
    return all(legacy.find_in(push.repository, image_id) for image_id in absent)


def _images(push: LegacyPush) -> Any:
    return LegacyPushImage.objects.filter(push=push)


def _go_on(push: LegacyPush) -> None:
    LegacyPush.objects.filter(pk=push.pk).update(expires_at=upload_expiry())


def _unfinished(push: LegacyPush, image_id: str) -> LegacyPushImage:
    image = find_image(push, image_id)
    if image is None and legacy.find_in(push.repository, image_id) is None:
        raise ImageMissing
    if image is None or image.state == State.COMPLETE:
        raise ImageExists
    return image


def _read(body: bytes) -> dict[str, Any]:
    try:
        document = read_json(body, most_values=_MAX_VALUES, most_depth=_MAX_DEPTH)
    except JsonInvalid as error:
        raise Invalid("Invalid JSON") from error
    if not isinstance(document, dict) or not document:
        raise Invalid("Invalid JSON")
    return document


def _parent_of(document: dict[str, Any], image_id: str) -> str:
    """The parent's id, empty for a root; raises Invalid."""
    if "id" not in document:
        raise Invalid("Missing key `id' in JSON")
    if document["id"] != image_id:
        raise Invalid("JSON data contains invalid id")
    parent = document.get("parent") or ""
    if parent and not (isinstance(parent, str) and is_image_id(parent)):
        raise Invalid("JSON data contains an invalid parent")
    return str(parent)


def _check_parent(push: LegacyPush, image_id: str, parent: str) -> None:
    """Raises Invalid for a parent that is not there, is the image itself by whatever way, or makes
    more layers than an image may have."""
    parents = dict(_images(push).values_list("image_id", "parent_id"))
    count, current = 1, parent
    while current in parents:
        if current == image_id or count >= MAX_LAYERS:
            raise Invalid("Image depends on itself or on too many others")
        count, current = count + 1, parents[current]
    if not current:
        return
    place = legacy.find_in(push.repository, current)
    if place is None:
        raise Invalid("Image depends on a non existing parent")
    if count + place.position + 1 > MAX_LAYERS:
        raise Invalid("Image depends on itself or on too many others")
