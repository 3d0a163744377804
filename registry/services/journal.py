"""Small objects beside the bytes that say which repository has what: what `rebuild` reads.

Written by a job from the rows, never by a push, which would wait for two more durable files (a push
of a small image to the local store then took 1.7 times as long); so they lag by some seconds. Every
key says all there is to say and is written once; only manifests have a content.

    journal/<path, `:` for `/`>/repository/<visibility>
    journal/<path>/manifests/<digest>    {"media_type", "payload" in base64, "blobs": {digest: key}}
    journal/<path>/tags/<tag>/<digest>
    journal-owner/<mark of the database>

Only the database it is of writes to it: an empty one, in place of one that was lost, would else
take away all that could bring the lost one back.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q

from accounts.services.signup import ensure_library
from events.models import Event, Tick
from registry.models import Manifest, ManifestBlob, Tag
from repos.models import Repository
from storage.base import StoredObject
from storage.factory import get_store

PREFIX = "journal"
OWNER = "journal-owner"
JOB = "registry.journal"
EVERY_S = 10
OVERLAP = timedelta(minutes=1)  # transactions that began before the last run and ended after it
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Written:
    """What the journal says of one repository; of a tag that has two digests the newer one."""

    path: str
    visibility: str = "private"
    manifests: dict[str, str] = field(default_factory=dict)
    tags: dict[str, tuple[datetime, str]] = field(default_factory=dict)


def catch_up() -> int:
    """Write what changed since the job last ended; returns how many paths were looked at."""
    if not is_ours():
        return 0
    last = Tick.objects.filter(job=JOB).values_list("finished_at", flat=True).first()
    if last is None:
        return catch_up_all()
    since = last - OVERLAP
    pushed = Repository.objects.filter(last_pushed_at__gte=since)
    told = Event.objects.filter(occurred_at__gte=since, repository_id__isnull=False)
    seen = told.exclude(repository_path="").values_list("repository_path", "repository_id")
    now = Repository.objects.filter(pk__in={key for _, key in seen})
    paths = {path for path, _ in seen}
    paths |= {*pushed.values_list("path", flat=True), *now.values_list("path", flat=True)}
    for path in sorted(paths):
        write(path)
    return len(paths)


def catch_up_all() -> int:
    """Compare the whole journal with the rows; what has no row any more goes."""
    if not is_ours():
        log.warning("the journal in the store is of another database; see manage.py rebuild")
        return 0
    paths = {*Repository.objects.values_list("path", flat=True)}
    paths |= {_path(stored.key) for stored in get_store().walk(PREFIX)}
    for path in sorted(paths):
        write(path)
    return len(paths)


def write(path: str) -> None:
    """Make the journal of a path say what its rows say; nothing of one that is not in use.

    New objects come before old ones go, so that a tag is never without a digest.
    """
    store = get_store()
    kept = {stored.key for stored in store.walk(_folder(path))}
    repository = Repository.objects.filter(path=path, state=Repository.State.ACTIVE).first()
    wanted = _keys(repository) if repository is not None else {}
    new = [key for key in wanted if key not in kept]
    if repository is not None and new:
        manifests = [wanted[key] for key in new if wanted[key]]
        for digest, content in _contents(repository, manifests):
            store.put(f"{_folder(path)}/manifests/{digest}", [content])
        for key in new:
            if not wanted[key]:
                store.put(key, [b"-"])
    for key in sorted(kept - wanted.keys()):
        store.delete(key)


def read() -> Iterator[Written]:
    """Every repository the journal tells of."""
    found: Written | None = None
    for stored in _sorted(get_store().walk(PREFIX)):
        path = _path(stored.key)
        if found is None or found.path != path:
            if found is not None:
                yield found
            found = Written(path)
        _take(found, stored)
    if found is not None:
        yield found


def is_ours() -> bool:
    """Whether the journal is of this database; one that is not there becomes so."""
    store = get_store()
    marks = [stored.key for stored in store.walk(OWNER)]
    if _owner_key() in marks:
        return True
    if marks or next(iter(store.walk(PREFIX)), None) is not None:
        return False
    store.put(_owner_key(), [b"-"])
    return True


def take_over() -> None:
    """The journal is of this database from now on, and of no other."""
    store = get_store()
    store.put(_owner_key(), [b"-"])
    for stored in list(store.walk(OWNER)):
        if stored.key != _owner_key():
            store.delete(stored.key)


def _owner_key() -> str:
    """Of this database, its copies and what it is restored to: when its first row was made."""
    return f"{OWNER}/{ensure_library().created_at:%Y%m%dT%H%M%S%f}"


def _take(found: Written, stored: StoredObject) -> None:
    match stored.key.split("/")[2:]:
        case ["repository", visibility]:
            found.visibility = visibility
        case ["manifests", digest]:
            found.manifests[digest] = stored.key
        case ["tags", tag, digest]:
            newer = (stored.modified_at, digest)
            found.tags[tag] = max(newer, found.tags.get(tag, newer))
        case _:
            pass  # of a later version


def _keys(repository: Repository) -> dict[str, str]:
    """Every key a repository should have; those of manifests with their digest."""
    folder = _folder(repository.path)
    keys = {f"{folder}/repository/{repository.visibility}": ""}
    digests = Manifest.objects.filter(repository=repository).values_list("digest", flat=True)
    keys |= {f"{folder}/manifests/{digest}": digest for digest in digests}
    tags = Tag.objects.filter(repository=repository).values_list("name", "manifest__digest")
    return keys | {f"{folder}/tags/{name}/{digest}": "" for name, digest in tags}


def _contents(repository: Repository, digests: list[str]) -> Iterator[tuple[str, bytes]]:
    rows = Manifest.objects.filter(repository=repository, digest__in=digests)
    for manifest in rows.iterator(chunk_size=50):
        uses = ManifestBlob.objects.filter(Q(manifest=manifest) & ~Q(link=None))
        blobs = dict(uses.values_list("digest", "link__blob__storage_key"))
        document = {
            "media_type": manifest.media_type,
            "payload": base64.b64encode(bytes(manifest.payload)).decode(),
            "blobs": blobs,
        }
        yield manifest.digest, json.dumps(document).encode()


def _sorted(objects: Iterable[StoredObject]) -> list[StoredObject]:
    return sorted(objects, key=lambda stored: stored.key)


def _folder(path: str) -> str:
    return f"{PREFIX}/{path.replace('/', ':')}"  # else one repository could lie in another's folder


def _path(key: str) -> str:
    return key.split("/")[1].replace(":", "/")
