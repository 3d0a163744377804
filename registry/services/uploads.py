"""Uploads: pieces are written first, counted afterwards; the offset never runs ahead of the disk.

distribution-spec, *Pushing blobs*; the order of steps is security.md 3.1 and 3.2. Nothing here
holds a transaction while bytes move. A blob stays where its bytes were written; only an upload
that came in several pieces is joined at its end.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, close_old_connections, connection, transaction
from django.db.models import BigIntegerField, CharField, UUIDField
from django.utils import timezone

from core.db import relaxed
from core.prepared import Prepared, insert
from events.types import Actor
from oci.digest import Digest
from oci.errors import DigestInvalid
from registry.errors import UploadRangeWrong, UploadUnknown
from registry.models import Blob, DiscardedObject, UploadPart, UploadSession
from registry.services import rows
from registry.services.grace import upload_expiry
from registry.services.links import ensure_link
from registry.services.locking import Recheck, lock_repository, no_recheck
from repos.models import Repository
from storage import hashing
from storage.base import BlobStore, ObjectMissing
from storage.factory import get_store, object_key
from storage.stream import HashingReader

_session = Prepared(
    lambda upload, repository, person: UploadSession.objects.filter(
        uuid=upload, repository=repository, started_by_id=person
    )[:1],
    UUIDField(),
    BigIntegerField(),
    BigIntegerField(),
)
_held = Prepared(
    lambda key: UploadSession.objects.select_for_update().filter(pk=key)[:1], BigIntegerField()
)
_parts = Prepared(
    lambda session: UploadPart.objects.filter(session=session).order_by("start"),
    BigIntegerField(),
)
_blob = Prepared(lambda digest: Blob.objects.filter(digest=digest)[:1], CharField())


def start(repository: Repository, *, actor: Actor, algorithm: str = "sha256") -> UploadSession:
    """Open an upload; it belongs to this repository and this person."""
    session = UploadSession(
        repository=repository,
        algorithm=algorithm,
        started_by_id=actor.id,
        expires_at=upload_expiry(),
    )
    with relaxed():
        insert(session)
    return session


def find(repository: Repository, upload: uuid.UUID, *, actor: Actor) -> UploadSession:
    """An open upload of this person in this repository; raises UploadUnknown."""
    session = _session.first(upload, repository.pk, actor.id)
    if session is None or session.expires_at < timezone.now():
        raise UploadUnknown("blob upload unknown to registry")
    session.repository = repository
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
    key = object_key(str(session.uuid), uuid.uuid4().hex)
    running = _running_hash(session)
    reader = HashingReader(
        body,
        running or hashing.start(session.algorithm),
        settings.HUB.max_blob_bytes - session.offset,
    )
    _rest_database()
    size = get_store().put(key, reader)
    if size == 0:
        get_store().delete(key)
        return session
    part = UploadPart(
        session=session,
        start=session.offset,
        size=size,
        digest=f"{session.algorithm}:{reader.hexdigest()}" if running else "",
        hash_state=hashing.saved(running) if running else b"",
        storage_key=key,
    )
    if not _count(session, part):
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
    parts = _parts.all(session.pk)
    try:
        if not _bytes_agree(store, parts, session, digest):
            cancel(session)
            raise _mismatch(digest)
        if len(parts) == 1:
            key = parts[0].storage_key
        else:
            key = object_key(str(session.uuid), f"{digest.algorithm}-{digest.hex}")
            _note_final_key(session, key)
            _join(store, parts, key)
        return _commit(session.repository, digest, key, recheck, session=session)
    except ObjectMissing as error:  # another request ended this upload and its bytes are gone
        raise UploadUnknown("blob upload unknown to registry") from error


def finish_with(
    session: UploadSession,
    body: Iterable[bytes],
    digest: Digest,
    *,
    recheck: Recheck = no_recheck,
) -> Blob:
    """Close an upload to which nothing was added yet with all its bytes; raises as `finish`.

    An exception from `body` leaves the upload open.
    """
    key, size = _write_whole(str(session.uuid), body, digest)
    if size is None:
        cancel(session)
        raise _mismatch(digest)
    try:
        return _commit(session.repository, digest, key, recheck, session=session)
    except BaseException:
        _discard_now(key)
        raise


def put_blob(
    repository: Repository | Callable[[], Repository],
    body: Iterable[bytes],
    digest: Digest,
    *,
    recheck: Recheck = no_recheck,
) -> Blob:
    """A whole blob in one request; raises DigestInvalid, and what `body` raises.

    A repository that is still to be made is made when the bytes have come and are right.
    """
    key, size = _write_whole(str(uuid.uuid4()), body, digest)
    if size is None:
        raise _mismatch(digest)
    try:
        row = repository() if callable(repository) else repository
        return _commit(row, digest, key, recheck)
    except BaseException:
        _discard_now(key)
        raise


def put_unnamed(
    repository: Repository, body: Iterable[bytes], *, recheck: Recheck = no_recheck
) -> Blob:
    """A whole blob of which nobody has said the digest; raises what `body` raises."""
    key = object_key(str(uuid.uuid4()), uuid.uuid4().hex)
    reader = HashingReader(body, "sha256", settings.HUB.max_blob_bytes)
    _rest_database()
    get_store().put(key, reader)
    try:
        return _commit(repository, Digest("sha256", reader.hexdigest()), key, recheck)
    except BaseException:
        _discard_now(key)
        raise


def cancel(session: UploadSession) -> None:
    """Forget an upload and its bytes; a finished one is UploadUnknown."""
    _drop(session)


def expire() -> int:
    """Drop uploads that made no progress in their lifetime; returns how many."""
    count = 0
    due = UploadSession.objects.filter(expires_at__lt=timezone.now()).order_by("expires_at")
    for session in due[:200]:
        try:
            _drop(session, expired_before=timezone.now())
        except UploadUnknown:
            continue  # finished or continued in this very moment
        count += 1
    return count


def discard(keys: Iterable[str]) -> None:
    """Hand objects to the discard pile, inside the caller's transaction."""
    rows = [DiscardedObject(storage_key=key) for key in keys]
    if rows:
        DiscardedObject.objects.bulk_create(rows, ignore_conflicts=True)


def _running_hash(session: UploadSession) -> hashing.RunningHash | None:
    """The digest of all bytes up to now, ready for more; None if that takes reading them."""
    if session.offset == 0:
        return hashing.start(session.algorithm)
    parts = _parts.all(session.pk)
    last = parts[-1] if parts else None
    if last is None or last.start + last.size != session.offset or not last.hash_state:
        return None
    return hashing.resume(session.algorithm, bytes(last.hash_state))


def _count(session: UploadSession, part: UploadPart) -> bool:
    """Move the offset over a written piece; False if another request was faster."""
    try:
        with relaxed():
            moved = rows.move_offset(session, session.offset + part.size, upload_expiry())
            if moved:
                insert(part)
    except IntegrityError:
        return False
    return moved


def _write_whole(upload: str, body: Iterable[bytes], digest: Digest) -> tuple[str, int | None]:
    """Write a blob's bytes; the size is None, and nothing is kept, if they have another digest."""
    key = object_key(upload, uuid.uuid4().hex)
    reader = HashingReader(body, digest.algorithm, settings.HUB.max_blob_bytes)
    _rest_database()
    size = get_store().put(key, reader)
    if reader.hexdigest() == digest.hex:
        return key, size
    get_store().delete(key)
    return key, None


def _discard_now(key: str) -> None:
    """Give up bytes whose commit failed, unless it went through and only its answer was lost."""
    if not Blob.objects.filter(storage_key=key).exists():
        discard([key])


def _bytes_agree(
    store: BlobStore, parts: list[UploadPart], session: UploadSession, digest: Digest
) -> bool:
    """Whether the stored bytes have this digest; reads them again only if nothing else tells."""
    if not parts:
        return Digest.of(b"", digest.algorithm) == digest
    last = parts[-1]
    if last.digest.startswith(f"{digest.algorithm}:") and last.start + last.size == session.offset:
        return last.digest == str(digest)
    _rest_database()
    pieces = (piece for part in parts for piece in store.open(part.storage_key))
    reader = HashingReader(pieces, digest.algorithm, settings.HUB.max_blob_bytes)
    for _ in reader:
        pass
    return reader.hexdigest() == digest.hex and reader.size == session.offset


def _join(store: BlobStore, parts: list[UploadPart], final: str) -> None:
    if _is_there(store, final, sum(part.size for part in parts)):
        return
    if parts:
        store.join([part.storage_key for part in parts], final)
    else:
        store.put(final, [])


def _is_there(store: BlobStore, key: str, size: int) -> bool:
    try:
        return store.size(key) == size
    except ObjectMissing:
        return False


def _commit(
    repository: Repository,
    digest: Digest,
    key: str,
    recheck: Recheck,
    session: UploadSession | None = None,
) -> Blob:
    """The short transaction: repository, blob, link, and the session is taken."""
    store = get_store()
    size = store.size(key)
    known = _blob.first(str(digest))
    damaged = known is not None and not _is_there(store, known.storage_key, known.size)
    with transaction.atomic():
        row = lock_repository(repository)
        recheck(row)
        others = _take(session) if session is not None else []
        keys = [other for other in others if other != key]
        blob = rows.ensure_blob(str(digest), size, key)
        if blob.storage_key != key:
            if damaged and known is not None and blob.storage_key == known.storage_key:
                keys.append(blob.storage_key)
                blob.storage_key, blob.size = key, size
                blob.save(update_fields=["storage_key", "size"])
            else:
                keys.append(key)
        ensure_link(row, blob)
        discard(keys)
    return blob


def _drop(session: UploadSession, expired_before: datetime | None = None) -> None:
    with transaction.atomic():
        discard(_take(session, expired_before))


def _take(session: UploadSession, expired_before: datetime | None = None) -> list[str]:
    """Of finish, cancel and expire only one gets the session; returns every key it has named.

    The row is held first, so that no part can be added behind the list's back.
    """
    held = _held.first(session.pk)
    if held is None or (expired_before is not None and held.expires_at >= expired_before):
        raise UploadUnknown("blob upload unknown to registry")
    keys = [part.storage_key for part in _parts.all(session.pk)]
    rows.delete_session(session)
    return [*keys, held.final_key] if held.final_key else keys


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


def _mismatch(digest: Digest) -> DigestInvalid:
    return DigestInvalid(
        "provided digest did not match uploaded content", detail={"digest": str(digest)}
    )


def _rest_database() -> None:
    """Hold no connection's transaction while bytes move; a stale one is replaced afterwards."""
    if not connection.in_atomic_block:
        close_old_connections()
