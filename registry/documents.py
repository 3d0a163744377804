"""Reading what was said about an image: bounded, one at a time, and remembered for a while.

Bytes of a digest never change, so what was read once is good for ever.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

from core.text import human_bytes
from oci.provenance import SLSA, Provenance, provenance_of
from oci.sbom import Sbom, sbom_of
from oci.statement import MAX_DOCUMENT_BYTES, find_statement, read_document
from oci.strict import JsonInvalid
from registry.errors import BlobUnknown
from registry.models import BlobLink, ManifestBlob
from repos.models import Repository
from storage.base import ObjectMissing
from storage.factory import get_store

MAX_RAW_CHARS = 128 * 1024
# What is remembered, in packages and the like; a hundred bytes or so each.
_KEPT_ITEMS = 60_000
_kept: OrderedDict[str, Document] = OrderedDict()
_lock = Lock()  # one document in memory at a time: large ones take ten times their size there


@dataclass(frozen=True, slots=True)
class Document:
    """What a document turned out to be; `raw` is the text of one that is neither, `problem` a
    sentence for people where it could not be read."""

    problem: str = ""
    predicate_type: str = ""
    sbom: Sbom | None = None
    provenance: Provenance | None = None
    raw: str = ""

    @property
    def weight(self) -> int:
        """How much memory it takes, in packages."""
        return 1 + len(self.sbom.packages if self.sbom else ()) + len(self.raw) // 100


def find_document(repository: Repository, carrier: str, digest: str) -> ManifestBlob:
    """A layer in JSON of a manifest of this repository, with link and blob; raises BlobUnknown."""
    found = (
        ManifestBlob.objects.select_related("link__blob", "manifest")
        .defer("manifest__payload")
        .filter(
            manifest__repository=repository,
            manifest__digest=carrier,
            digest=digest,
            role=ManifestBlob.BlobRole.LAYER,
            media_type__contains="json",
        )
        .exclude(link=None)
        .first()
    )
    if found is None:
        raise BlobUnknown("There is no such document.", detail={"digest": digest})
    return found


def open_document(link: BlobLink) -> Document:
    """What the bytes say."""
    blob = link.blob
    if blob.size > MAX_DOCUMENT_BYTES:
        most = human_bytes(MAX_DOCUMENT_BYTES)
        return Document(f"This document has {human_bytes(blob.size)}; pages read up to {most}.")
    with _lock:
        found = _kept.get(blob.digest)
        if found is not None:
            _kept.move_to_end(blob.digest)
            return found
        try:
            data = b"".join(get_store().open(blob.storage_key, 0, blob.size))
        except ObjectMissing:
            return Document("The bytes of this document are missing.")  # they may come back
        found = _read(data)
        _keep(blob.digest, found)
    return found


def forget_documents() -> None:
    """For tests."""
    with _lock:
        _kept.clear()


def _keep(digest: str, found: Document) -> None:
    _kept[digest] = found
    weight = sum(document.weight for document in _kept.values())
    while weight > _KEPT_ITEMS and len(_kept) > 1:
        weight -= _kept.popitem(last=False)[1].weight


def _read(data: bytes) -> Document:
    try:
        return _understand(read_document(data))
    except JsonInvalid as error:
        return Document(f"This document cannot be shown: it {error}.")


def _understand(content: Any) -> Document:
    statement = find_statement(content)
    kind = statement.predicate_type if statement else ""
    if kind.startswith(SLSA):
        return Document(predicate_type=kind, provenance=provenance_of(content))
    try:
        return Document(predicate_type=kind, sbom=sbom_of(content))
    except JsonInvalid:
        shown = statement.predicate if statement else content
        text = json.dumps(shown, indent=2, ensure_ascii=False)
        return Document(predicate_type=kind, raw=text[:MAX_RAW_CHARS])
