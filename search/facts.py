"""From manifests to the words a repository can be filtered by."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Case, CharField, Exists, OuterRef, Q, QuerySet, Subquery, Value, When

from oci import media
from registry.models import Manifest, ManifestBlob, ManifestChild, ManifestInfo, Tag

IMAGE, CHART, SIGNATURE, SBOM = "image", "chart", "signature", "sbom"
ATTESTATION, WASM, ARTIFACT = "attestation", "wasm", "artifact"
KINDS = (IMAGE, CHART, SIGNATURE, SBOM, ATTESTATION, WASM, ARTIFACT)
MAX_PLATFORMS = 50
# The first that fits names the kind; media types are lower case.
_SIGNS = (
    (CHART, re.compile(r"\.helm\.")),
    (SBOM, re.compile(r"spdx|cyclonedx|sbom|syft")),
    (ATTESTATION, re.compile(r"in-toto|slsa|attestation|dsse")),
    (SIGNATURE, re.compile(r"cosign|sigstore|notary|signature|simplesigning")),
    (WASM, re.compile(r"wasm")),
)
# How cosign names what it pushes beside an image, whose type it also has: sha256-DIGEST.sig
_SUFFIXES = {".sig": SIGNATURE, ".att": ATTESTATION, ".sbom": SBOM}
_BESIDE = Q(name__startswith="sha256-") & (
    Q(name__endswith=".sig") | Q(name__endswith=".att") | Q(name__endswith=".sbom")
)
_PART = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


def kind_of(media_type: str, artifact_type: str, config_type: str) -> str:
    """What a manifest is: one of KINDS."""
    said = (artifact_type or config_type).lower()
    for kind, sign in _SIGNS:
        if sign.search(said):
            return kind
    is_image = said in media.IMAGE_CONFIGS or (
        not artifact_type and (media_type in media.INDEXES or media_type in media.DOCKER_SCHEMA_1)
    )
    return IMAGE if is_image else ARTIFACT


def platform_words(platform: str) -> set[str]:
    """The words for `os/architecture/variant`; none for what is no platform."""
    parts = platform.lower().split("/")
    if not 1 < len(parts) < 4 or not all(map(_PART.fullmatch, parts)) or parts[0] == "unknown":
        return set()
    words = {f"os:{parts[0]}", f"arch:{parts[1]}", f"platform:{parts[0]}/{parts[1]}"}
    return words | {f"platform:{platform.lower()}"}


def words_of(repository_ids: list[int]) -> dict[int, set[str]]:
    """The words of each repository that has any, in five queries.

    Content counts if a tag leads to it, or if it says that it is about other content.
    """
    words: dict[int, set[str]] = defaultdict(set)
    for pk, beside in _beside(repository_ids):
        words[pk].add(f"kind:{beside}")
    for pk, media_type, artifact_type, config in (
        *_types(_tagged(repository_ids)),
        *_types(_referring(repository_ids)),
    ):
        words[pk].add(f"kind:{kind_of(media_type, artifact_type, config or '')}")
    for pk, platform in (*_of_images(repository_ids), *_of_indexes(repository_ids)):
        if sum(word.startswith("platform:") for word in words[pk]) < MAX_PLATFORMS:
            words[pk] |= platform_words(platform)
    return words


def _types(manifests: QuerySet[Manifest]) -> Iterable[tuple[int, str, str, str | None]]:
    """Repository and types, each combination once."""
    config = ManifestBlob.objects.filter(
        manifest=OuterRef("pk"), role=ManifestBlob.BlobRole.CONFIG
    ).values("media_type")[:1]
    rows = manifests.annotate(config=Subquery(config)).order_by()
    return rows.values_list("repository_id", "media_type", "artifact_type", "config").distinct()


def _tagged(ids: list[int]) -> QuerySet[Manifest]:
    plain = Tag.objects.filter(manifest=OuterRef("pk")).exclude(_BESIDE)
    return Manifest.objects.filter(Exists(plain), repository__in=ids)


def _referring(ids: list[int]) -> QuerySet[Manifest]:
    return Manifest.objects.filter(~Q(subject_digest=""), repository__in=ids)


def _beside(ids: list[int]) -> Iterable[tuple[int, str]]:
    kind = Case(
        *(When(name__endswith=end, then=Value(kind)) for end, kind in _SUFFIXES.items()),
        output_field=CharField(),
    )
    rows = Tag.objects.filter(_BESIDE, repository__in=ids).annotate(beside=kind).order_by()
    return rows.values_list("repository_id", "beside").distinct()


def _of_images(ids: list[int]) -> Iterable[tuple[int, str]]:
    rows = ManifestInfo.objects.filter(
        Exists(Tag.objects.filter(manifest=OuterRef("manifest"))), manifest__repository__in=ids
    ).order_by()
    found = rows.values_list("manifest__repository_id", "os", "architecture", "variant").distinct()
    return [(pk, "/".join(filter(None, parts))) for pk, *parts in found]


def _of_indexes(ids: list[int]) -> Iterable[tuple[int, str]]:
    rows = ManifestChild.objects.filter(
        Exists(Tag.objects.filter(manifest=OuterRef("parent"))), parent__repository__in=ids
    ).order_by()
    return rows.values_list("parent__repository_id", "platform").distinct()
