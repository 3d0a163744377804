"""What hangs on an image: bills of materials, provenance, signatures, anything else.

Three ways lead from an image to them: an index that lists attestations beside it (BuildKit),
manifests that name it as their subject (distribution-spec, *Listing Referrers*), and the tags of
cosign, `sha256-….sig`. Only manifests are read here, never blobs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Q
from django.db.models.functions import Length

from oci import manifest as document
from oci.descriptor import Descriptor
from oci.errors import ManifestInvalid, ManifestTooLarge
from oci.provenance import SLSA
from oci.sbom import CYCLONEDX, SPDX, SPDX_3
from oci.statement import DSSE, IN_TOTO
from registry.models import Manifest, ManifestChild, Tag
from registry.signers import (
    BUNDLES,
    COSIGN,
    COSIGN_ARTIFACT,
    NOTATION,
    SIGN_PREDICATE,
    cosign_signer,
    notation_signer,
)
from repos.models import Repository

MAX_CARRIERS = 50
MAX_PARTS = 20
# A manifest of signatures with their certificates is ten kilobytes; a page is to be quick.
MAX_READ_BYTES = 64 * 1024
OF_BUILDKIT = "vnd.docker.reference.digest"
_PREDICATES = ("in-toto.io/predicate-type", "predicateType", "dev.sigstore.bundle.predicateType")
_SBOMS = frozenset({SPDX, SPDX_3, CYCLONEDX, "text/spdx+json"})
_SUFFIXES = (".sig", ".att", ".sbom")
_SIGNING = (NOTATION, COSIGN, COSIGN_ARTIFACT)


class Kind(StrEnum):
    """What something on an image is."""

    SBOM = "sbom"
    PROVENANCE = "provenance"
    SIGNATURE = "signature"
    ATTESTATION = "attestation"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One thing on an image. `carrier` is the digest of its manifest, `digest` that of its bytes,
    empty if it has none of its own, `subject` that of what it is about; `signer` is a claim; `size`
    is in bytes."""

    kind: Kind
    carrier: str
    digest: str
    type: str
    size: int
    signer: str = ""
    tool: str = ""
    subject: str = ""

    @property
    def is_document(self) -> bool:
        """Whether there is a page that reads it."""
        return bool(self.digest) and self.kind in (Kind.SBOM, Kind.PROVENANCE, Kind.ATTESTATION)


def attachments_of(
    repository: Repository,
    image: Manifest,
    *,
    index: Manifest | None = None,
    beside: Iterable[ManifestChild] = (),
) -> list[Attachment]:
    """Everything on `image` and on the `index` it was reached through, oldest first.

    `beside` are the children of its index. Three queries, one where there is nothing.
    """
    shown = [manifest for manifest in (image, index) if manifest is not None]
    about = [manifest.digest for manifest in shown]
    subjects = {
        child.child_id: image.digest
        for child in beside
        if child.child_id is not None and child.annotations.get(OF_BUILDKIT) == image.digest
    }
    subjects |= _carriers(repository, about)
    keys = set(subjects) - {manifest.pk for manifest in shown}
    if not keys:
        return []
    rows = Manifest.objects.filter(pk__in=keys, repository=repository).defer("payload")
    found = rows.annotate(payload_size=Length("payload")).order_by("pk")[:MAX_CARRIERS]
    return list(_read(list(found), subjects))


def siblings_of(image: Manifest) -> list[ManifestChild]:
    """Attestations that indexes list beside an image which was asked for by its own digest."""
    parents = ManifestChild.objects.filter(child=image).order_by("-parent_id").values("parent_id")
    found = ManifestChild.objects.filter(
        parent__in=list(parents.values_list("parent_id", flat=True)[:MAX_CARRIERS]),
        platform__startswith="unknown/",
    )
    return list(found.exclude(child=None)[: MAX_CARRIERS * MAX_PARTS])


def signed_digests(repository: Repository, digests: Collection[str]) -> set[str]:
    """Those of `digests` that somebody claims to have signed; one query."""
    names = {f"{digest.replace(':', '-')}.sig": digest for digest in digests}
    tags = Tag.objects.filter(repository=repository, name__in=list(names)).values_list("name")
    referrers = Manifest.objects.filter(
        _has_subject(digests, repository.pk), artifact_type__in=[*_SIGNING, *BUNDLES]
    )
    found = tags.union(referrers.values_list("subject_digest"), all=True)
    return {names.get(text, text) for (text,) in found}


def _carriers(repository: Repository, about: Collection[str]) -> dict[int, str]:
    """Ids of manifests on the images `about`, each with the digest of its image; one query."""
    wanted = dict(_cosign_names(about))
    tags = Tag.objects.filter(repository=repository, name__in=list(wanted))
    referrers = Manifest.objects.filter(_has_subject(about, repository.pk))
    found = tags.values_list("manifest_id", "name").union(
        referrers.values_list("pk", "subject_digest"), all=True
    )
    return {
        key: wanted.get(text, text) for key, text in found.order_by("manifest_id")[:MAX_CARRIERS]
    }


def _has_subject(digests: Collection[str], repository_id: int) -> Q:
    """In the words of the partial index, without which databases read all of the repository."""
    return Q(repository_id=repository_id, subject_digest__in=list(digests)) & ~Q(subject_digest="")


def _cosign_names(digests: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Names of tags, each with the digest it is about."""
    for digest in digests:
        for suffix in _SUFFIXES:
            yield f"{digest.replace(':', '-')}{suffix}", digest


def _read(carriers: list[Manifest], subjects: Mapping[int, str]) -> Iterator[Attachment]:
    """Their parts; of one that is too large or not to be understood, what its row says."""
    small = [row.pk for row in carriers if row.payload_size <= MAX_READ_BYTES]  # type: ignore[attr-defined]
    payloads = dict(Manifest.objects.filter(pk__in=small).values_list("pk", "payload"))
    for row in carriers:
        parts = _parts(row, bytes(payloads.get(row.pk, b"")), subjects[row.pk])
        if any(part.kind is not Kind.OTHER for part in parts):
            yield from parts
        else:
            name = row.artifact_type or row.media_type
            yield Attachment(Kind.OTHER, row.digest, "", name, row.total_size)


def _parts(row: Manifest, payload: bytes, about: str) -> list[Attachment]:
    try:
        parsed = document.parse(payload, row.media_type)
    except (ManifestInvalid, ManifestTooLarge):
        return []
    return [_part(row, layer, about) for layer in parsed.layers[:MAX_PARTS]]


def _part(row: Manifest, layer: Descriptor, about: str) -> Attachment:
    kind, name = _kind(row, layer)
    signer = tool = ""
    if row.artifact_type == NOTATION:
        signer, tool = notation_signer(row.annotations), "notation"
    elif kind is Kind.SIGNATURE:
        signer, tool = cosign_signer(layer.annotations), "cosign"
    return Attachment(kind, row.digest, str(layer.digest), name, layer.size, signer, tool, about)


def _kind(row: Manifest, layer: Descriptor) -> tuple[Kind, str]:
    """What a layer of a carrier is, and the type that says so."""
    for notes in (layer.annotations, row.annotations):
        for key in _PREDICATES:
            if notes.get(key):
                return _kind_of_predicate(notes[key]), notes[key]
    for name in (layer.media_type, row.artifact_type):
        if name in _SBOMS:
            return Kind.SBOM, name
        if name in _SIGNING:
            return Kind.SIGNATURE, name
    if layer.media_type in BUNDLES:
        signs = row.annotations.get("dev.sigstore.bundle.content") == "message-signature"
        return (Kind.SIGNATURE if signs else Kind.ATTESTATION), layer.media_type
    if layer.media_type in (IN_TOTO, DSSE):
        return Kind.ATTESTATION, layer.media_type
    return Kind.OTHER, layer.media_type


def _kind_of_predicate(predicate: str) -> Kind:
    if predicate.startswith(SLSA):
        return Kind.PROVENANCE
    if predicate == SIGN_PREDICATE:
        return Kind.SIGNATURE
    if predicate.startswith(("https://spdx.dev/Document", "https://cyclonedx.org/bom")):
        return Kind.SBOM
    return Kind.ATTESTATION
