"""Uploads: parts are written first and counted afterwards; the offset never runs ahead of the disk.

distribution-spec, *Pushing blobs*; the order of steps is security.md 3.1 and 3.2. Nothing here
holds a transaction while bytes move.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.db import IntegrityError, close_old_connections, connection, transaction
from django.utils import timezone

from events.types import Actor
from oci.digest import Digest
from oci.errors import DigestInvalid
from registry.errors import UploadRangeWrong, UploadUnknown
from registry.models import Blob, DiscardedObject, UploadPart, UploadSession
from registry.services.grace import upload_expiry
from registry.services.links import ensure_link
from registry.services.locking import Recheck, ensure_blob, lock_repository, no_recheck
from repos.models import Repository
from storage.base import BlobStore, ObjectMissing
from storage.factory import blob_key, get_store, part_key
from storage.stream import HashingReader


def start(repository: Repository, *, actor: Actor, algorithm: str = "sha256") -> UploadSession:
    """Open an upload; it belongs to this repository and this person."""
    return UploadSession.objects.create(
        repository=repository,
        algorithm=algorithm,
        started_by_id=actor.id,
        expires_at=upload_expiry(),
    )


def find(repository: Repository, upload: uuid.UUID, *, actor: Actor) -> UploadSession:
    """An open upload of this person in this repository; raises UploadUnknown."""
    session = UploadSession.objects.filter(
        uuid=upload, repository=repository, started_by_id=actor.id
    ).first()
    if session is None or session.expires_at < timezone.now():
        raise UploadUnknown("blob upload unknown to registry")
    return session


def append(
    session: UploadSession, body: Iterable[bytes], *, start_at: int | None = None
) -> UploadSession:
    """Add bytes at the end; returns the session as it stands afterwards.

    `start_at` is where the client believes the end to be. Raises UploadRangeWrong if it is not, or
    if another request was faster; then nothing was appended. An exception from `body` leaves the
    offset where it was.
    """
    if start_at is not None and start_at != session.offset:
        raise _out_of_order(session)
    key = part_key(str(session.uuid), uuid.uuid4().hex)
    reader = HashingReader(body, session.algorithm, settings.HUB.max_blob_bytes - session.offset)
    _rest_database()
    size = get_store().put(key, reader)
    if size == 0:
        get_store().delete(key)
        return session
    try:
        with transaction.atomic():
            moved = UploadSession.objects.filter(pk=session.pk, offset=session.offset).update(
                offset=session.offset + size, expires_at=upload_expiry()
            )
            if moved:
                UploadPart.objects.create(
                    session=session,
                    start=session.offset,
                    size=size,
                    digest=reader.digest(),
                    storage_key=key,
                )
    except IntegrityError:
        moved = 0
    if not moved:
        get_store().delete(key)
        raise _out_of_order(_reload(session))
    session.offset += size
    return session


def finish(session: UploadSession, digest: Digest, *, recheck: Recheck = no_recheck) -> Blob:
    """Make the upload a blob of its repository; raises DigestInvalid, UploadUnknown.

    `recheck` is called under the repository's lock and raises if the right has gone meanwhile.

    A digest that does not match ends the upload. Repeating a finish that crashed half-way works:
    bytes that lie at the final key already are not joined again.
    """
    store = get_store()
    parts = list(UploadPart.objects.filter(session=session).order_by("start"))
    final = blob_key(digest.algorithm, digest.hex, str(session.uuid))
    try:
        if not _bytes_agree(store, parts, session, final, digest):
            cancel(session)
            raise DigestInvalid(
                "provided digest did not match uploaded content", detail={"digest": str(digest)}
            )
        _note_final_key(session, final)
        _join(store, parts, final)
        return _commit(session, digest, parts, recheck)
    except ObjectMissing as error:  # another request ended this upload and its bytes are gone
        raise UploadUnknown("blob upload unknown to registry") from error


def put_blob(
    repository: Repository,
    body: Iterable[bytes],
    digest: Digest,
    *,
    actor: Actor,
    recheck: Recheck = no_recheck,
) -> Blob:
    """A whole blob in one request; raises as `append` and `finish`."""
    session = start(repository, actor=actor, algorithm=digest.algorithm)
    try:
        session = append(session, body)
    except BaseException:
        with suppress(UploadUnknown):
            cancel(session)
        raise
    return finish(session, digest, recheck=recheck)


def cancel(session: UploadSession) -> None:
    """Forget an upload and its bytes; a finished one is UploadUnknown."""
    _drop(session)


def expire() -> int:
    """Drop uploads that made no progress in their lifetime; returns how many."""
    count = 0
    due = UploadSession.objects.filter(expires_at__lt=timezone.now()).order_by("expires_at")
    for session in due[:200]:
        try:
            _drop(session, expires_at__lt=timezone.now())
        except UploadUnknown:
            continue  # finished or continued in this very moment
        count += 1
    return count


def discard(keys: Iterable[str]) -> None:
    """Hand objects to the discard pile, inside the caller's transaction."""
    DiscardedObject.objects.bulk_create(
        [DiscardedObject(storage_key=key) for key in keys], ignore_conflicts=True
    )


def _bytes_agree(
    store: BlobStore, parts: list[UploadPart], session: UploadSession, final: str, digest: Digest
) -> bool:
    """Whether the stored bytes have this digest; reads them again only if they came in pieces."""
    if not parts:
        return Digest.of(b"", digest.algorithm) == digest
    if len(parts) == 1 and parts[0].digest.startswith(f"{digest.algorithm}:"):
        return parts[0].digest == str(digest)
    _rest_database()
    pieces = (piece for part in parts for piece in _open_part(store, part, final, len(parts)))
    reader = HashingReader(pieces, digest.algorithm, settings.HUB.max_blob_bytes)
    for _ in reader:
        pass
    return reader.digest() == str(digest) and reader.size == session.offset


def _open_part(store: BlobStore, part: UploadPart, final: str, count: int) -> Iterable[bytes]:
    try:
        return store.open(part.storage_key)
    except ObjectMissing:
        if count > 1:
            raise
        return store.open(final)  # a finish that crashed after moving the only part


def _join(store: BlobStore, parts: list[UploadPart], final: str) -> None:
    if _is_there(store, final, sum(part.size for part in parts)):
        return
    if not parts:
        store.put(final, [])
        return
    try:
        store.join([part.storage_key for part in parts], final)
    except ObjectMissing:
        if not _is_there(store, final, sum(part.size for part in parts)):
            raise  # else a second request for the same finish was faster


def _is_there(store: BlobStore, key: str, size: int) -> bool:
    try:
        return store.size(key) == size
    except ObjectMissing:
        return False


def _commit(
    session: UploadSession, digest: Digest, parts: list[UploadPart], recheck: Recheck
) -> Blob:
    """The short transaction: repository, blob, link, and the session is taken."""
    store = get_store()
    final = blob_key(digest.algorithm, digest.hex, str(session.uuid))
    size = store.size(final)
    known = Blob.objects.filter(digest=str(digest)).first()
    damaged = known is not None and not _is_there(store, known.storage_key, known.size)
    with transaction.atomic():
        repository = lock_repository(session.repository)
        recheck(repository)
        _, keys = _take(session)
        if len(parts) == 1:
            keys.remove(parts[0].storage_key)  # moved, not copied
        blob = ensure_blob(str(digest), size, final)
        if blob.storage_key != final:
            if damaged and known is not None and blob.storage_key == known.storage_key:
                keys.append(blob.storage_key)
                blob.storage_key, blob.size = final, size
                blob.save(update_fields=["storage_key", "size"])
            else:
                keys.append(final)
        ensure_link(repository, blob)
        discard(keys)
    return blob


def _drop(session: UploadSession, **still: Any) -> None:
    with transaction.atomic():
        final_key, keys = _take(session, **still)
        discard([final_key, *keys] if final_key else keys)


def _take(session: UploadSession, **still: Any) -> tuple[str, list[str]]:
    """Of finish, cancel and expire only one gets the session; returns its final key and its parts'.

    The row is held first, so that no part can be added behind the list's back.
    """
    rows = UploadSession.objects.filter(pk=session.pk, **still)
    held = rows.select_for_update().first()
    if held is None:
        raise UploadUnknown("blob upload unknown to registry")
    parts = UploadPart.objects.filter(session=session)
    keys = list(parts.values_list("storage_key", flat=True))
    parts.delete()
    UploadSession.objects.filter(pk=held.pk).delete()
    return held.final_key, keys


def _note_final_key(session: UploadSession, final: str) -> None:
    """Whoever ends the upload must know where its bytes may lie already."""
    if session.final_key == final:
        return
    with transaction.atomic():
        row = UploadSession.objects.select_for_update().filter(pk=session.pk).first()
        if row is None:
            raise UploadUnknown("blob upload unknown to registry")
        if row.final_key and row.final_key != final:
            discard([row.final_key])
        UploadSession.objects.filter(pk=row.pk).update(final_key=final)


def _reload(session: UploadSession) -> UploadSession:
    fresh = UploadSession.objects.filter(pk=session.pk).first()
    if fresh is None:
        raise UploadUnknown("blob upload unknown to registry")
    return fresh


def _out_of_order(session: UploadSession) -> UploadRangeWrong:
    return UploadRangeWrong(
        f"the upload has {session.offset} bytes; continue there",
        upload=str(session.uuid),
        offset=session.offset,
    )


def _rest_database() -> None:
    """Hold no connection's transaction while bytes move; a stale one is replaced afterwards."""
    if not connection.in_atomic_block:
        close_old_connections()
