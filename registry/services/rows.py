"""The writes of every push as plain SQL that both databases speak: making it anew costs more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from registry.models import Blob, BlobLink, ManifestBlob, UploadPart, UploadSession
from repos.models import Repository

_SESSIONS, _PARTS = UploadSession._meta.db_table, UploadPart._meta.db_table
_BLOBS, _LINKS = Blob._meta.db_table, BlobLink._meta.db_table
_REPOSITORIES = Repository._meta.db_table
_WAITING = ManifestBlob._meta.db_table


def move_offset(session: UploadSession, offset: int, expires_at: datetime) -> bool:
    """Move an upload's offset on from where `session` has it; False if it is elsewhere by now."""
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE {_SESSIONS} SET "offset" = %s, expires_at = %s'  # noqa: S608 - our own names
            ' WHERE id = %s AND "offset" = %s',
            (offset, _time(expires_at), session.pk, session.offset),
        )
        return bool(cursor.rowcount == 1)


def delete_session(session: UploadSession) -> None:
    """An upload's row and those of its parts."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {_PARTS} WHERE session_id = %s", (session.pk,))  # noqa: S608
        cursor.execute(f"DELETE FROM {_SESSIONS} WHERE id = %s", (session.pk,))  # noqa: S608


def ensure_blob(digest: str, size: int, key: str) -> Blob:
    """The blob's row, held until the transaction ends; made with `key` if it was not there."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_BLOBS} (digest, size, storage_key, created_at)"  # noqa: S608
            " VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (digest) DO UPDATE SET digest = excluded.digest"  # takes the lock
            " RETURNING id, digest, size, storage_key",
            (digest, size, key, _time(timezone.now())),
        )
        names = ["id", "digest", "size", "storage_key"]
        return Blob.from_db(connection.alias, names, cursor.fetchone())


def ensure_link(repository: Repository, blob: Blob, review_after: datetime) -> int:
    """The id of the link; the collector looks at it again at `review_after`."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_LINKS} (repository_id, blob_id, created_at, review_after)"  # noqa: S608
            " VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (repository_id, blob_id)"
            " DO UPDATE SET review_after = excluded.review_after RETURNING id",
            (repository.pk, blob.pk, _time(timezone.now()), _time(review_after)),
        )
        return int(cursor.fetchone()[0])


def awaits(blob: Blob) -> bool:
    """Whether a sparse manifest anywhere names a blob of this digest without having it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM {_WAITING} WHERE digest = %s AND link_id IS NULL LIMIT 1",  # noqa: S608
            (blob.digest,),
        )
        return cursor.fetchone() is not None


def note_push(repository: Repository) -> None:
    """Something was pushed just now."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_REPOSITORIES} SET last_pushed_at = %s WHERE id = %s",  # noqa: S608
            (_time(timezone.now()), repository.pk),
        )


def _time(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)
