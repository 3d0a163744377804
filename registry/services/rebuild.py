"""Making repositories, manifests, tags and links anew from the store, when their rows are lost."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from django.db import transaction

from accounts.models import Namespace
from core.errors import HubError
from events.types import SYSTEM
from oci.digest import ALGORITHMS, Digest, hasher
from registry.errors import ManifestBlobUnknown
from registry.models import Manifest, Tag
from registry.services import rows
from registry.services.journal import Written, read, take_over
from registry.services.links import ensure_link
from registry.services.locking import lock_repository
from registry.services.manifests import put_manifest
from repos.models import Repository
from repos.services.repositories import create_repository
from storage.base import ObjectMissing
from storage.factory import CONTENT_PREFIXES, get_store


@dataclass(slots=True)
class Report:
    """How much was made, and one sentence for each thing that could not be."""

    repositories: int = 0
    manifests: int = 0
    tags: int = 0
    problems: list[str] = field(default_factory=list)


def rebuild(say: Callable[[str], None] = lambda line: None) -> Report:
    """Make what the journal tells of and no row does; rows that are there stay as they are.

    Namespaces that are not there become the library's, which administrators keep. Safe to run
    again; no process should serve meanwhile.
    """
    report = Report()
    _locate.cache_clear()
    for written in read():
        say(written.path)
        try:
            _repository(written, report)
        except HubError as error:
            report.problems.append(f"{written.path}: {error.message}")
    if not report.problems:  # else the journal still knows more than the rows
        take_over()
    return report


def _repository(written: Written, report: Report) -> None:
    name, _, rest = written.path.partition("/")
    repository = Repository.objects.filter(path=written.path).first()
    if repository is None:
        kind = Namespace.Kind.LIBRARY
        namespace = Namespace.objects.get_or_create(name=name, defaults={"kind": kind})[0]
        repository = create_repository(namespace, rest, actor=SYSTEM, visibility=written.visibility)
        report.repositories += 1
    kept = {*Manifest.objects.filter(repository=repository).values_list("digest", flat=True)}
    _manifests(repository, {d: k for d, k in written.manifests.items() if d not in kept}, report)
    _tags(repository, written, report)


def _manifests(repository: Repository, keys: dict[str, str], report: Report) -> None:
    """Children come before those that list them: round after round, until one brings nothing."""
    while keys:
        missing: dict[str, str] = {}
        for digest, key in keys.items():
            try:
                _manifest(repository, digest, key)
            except ManifestBlobUnknown:
                missing[digest] = key
            except (HubError, ObjectMissing, ValueError, KeyError) as error:
                report.problems.append(f"{repository.path}@{digest}: {error}")
            else:
                report.manifests += 1
        if len(missing) == len(keys):
            report.problems += [f"{repository.path}@{d}: parts of it are missing" for d in missing]
            return
        keys = missing


def _manifest(repository: Repository, digest: str, key: str) -> None:
    store = get_store()
    document = json.loads(b"".join(store.open(key)))
    for blob, place in document["blobs"].items():
        found = _find(blob, place)
        if found is None:
            raise ManifestBlobUnknown([blob])
        _link(repository, blob, found)
    put_manifest(
        repository,
        base64.b64decode(document["payload"]),
        content_type=document["media_type"],
        reference=Digest.parse(digest),
        actor=SYSTEM,
    )


def _link(repository: Repository, digest: str, key: str) -> None:
    with transaction.atomic():
        row = lock_repository(repository)
        ensure_link(row, rows.ensure_blob(digest, get_store().size(key), key))


def _find(digest: str, key: str) -> str | None:
    """Where a blob lies: where it was when the journal was written, or wherever its bytes are."""
    try:
        get_store().size(key)
    except ObjectMissing:
        return _locate().get(digest)
    return key


@cache
def _locate() -> dict[str, str]:
    """Every stored object by each of its digests; reads every byte, so only if it must."""
    store = get_store()
    found: dict[str, str] = {}
    for prefix in CONTENT_PREFIXES:
        for stored in store.walk(prefix):
            running = {name: hasher(name) for name in ALGORITHMS}
            for piece in store.open(stored.key):
                for one in running.values():
                    one.update(piece)
            found |= {f"{name}:{one.hexdigest()}": stored.key for name, one in running.items()}
    return found


def _tags(repository: Repository, written: Written, report: Report) -> None:
    kept = {*Tag.objects.filter(repository=repository).values_list("name", flat=True)}
    for tag, (_, digest) in sorted(written.tags.items()):
        if tag in kept:
            continue
        manifest = Manifest.objects.filter(repository=repository, digest=digest).first()
        if manifest is None:
            report.problems.append(f"{repository.path}:{tag}: its manifest {digest} is missing")
            continue
        put_manifest(
            repository,
            bytes(manifest.payload),
            content_type=manifest.media_type,
            reference=Digest.parse(digest),
            tags=[tag],
            actor=SYSTEM,
        )
        report.tags += 1
