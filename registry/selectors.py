"""Reading content: for the protocol by digest or tag, for pages as rows with their facts."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Prefetch, QuerySet, Sum
from django.db.models.functions import Length

from core.db import byte_order
from oci.digest import Digest
from registry.errors import BlobUnknown, ManifestUnknown
from registry.models import BlobLink, Manifest, ManifestChild, Tag, TagMove
from repos.models import Repository

REFERRERS_PAGE = 100
REFERRERS_BYTES = 1024 * 1024


def get_manifest(repository: Repository, reference: Digest | str) -> Manifest:
    """A manifest of this repository by tag or digest; raises ManifestUnknown. One query."""
    rows = Manifest.objects.filter(repository=repository)
    if isinstance(reference, Digest):
        manifest = rows.filter(digest=str(reference)).first()
        detail = {"digest": str(reference)}
    else:
        manifest = rows.filter(tags__repository=repository, tags__name=reference).first()
        detail = {"tag": reference}
    if manifest is None:
        raise ManifestUnknown("manifest unknown to registry", detail=detail)
    return manifest


def get_link(repository: Repository, digest: Digest) -> BlobLink:
    """The link that makes a blob part of this repository; raises BlobUnknown. One query."""
    link = (
        BlobLink.objects.select_related("blob")
        .filter(repository=repository, blob__digest=str(digest))
        .first()
    )
    if link is None:
        raise BlobUnknown("blob unknown to registry", detail={"digest": str(digest)})
    return link


def list_tag_names(repository: Repository, *, last: str, limit: int) -> list[str]:
    """Tag names after `last` in byte order."""
    rows = Tag.objects.filter(repository=repository).alias(sort_key=byte_order("name"))
    if start := _storable(last):
        rows = rows.filter(sort_key__gt=start)
    return list(rows.order_by("sort_key").values_list("name", flat=True)[:limit])


def list_paths(visible: QuerySet[Repository], *, last: str, limit: int) -> list[str]:
    """Paths of repositories that were pushed to, after `last` in byte order."""
    rows = visible.filter(last_pushed_at__isnull=False).alias(sort_key=byte_order("path"))
    if start := _storable(last):
        rows = rows.filter(sort_key__gt=start)
    return list(rows.order_by("sort_key").values_list("path", flat=True)[:limit])


def _storable(last: str) -> str:
    """PostgreSQL refuses NUL even in a comparison; no name holds one, so what follows is moot."""
    return last.partition("\0")[0]


def list_referrers(
    repository: Repository,
    digest: Digest,
    *,
    kinds: Sequence[str] = (),
    last: str = "",
    limit: int = REFERRERS_PAGE,
) -> tuple[list[Manifest], bool]:
    """Manifests that name this one as their subject, oldest first, and whether there are more.

    `kinds` are artifact types to choose from, `last` the digest to go on after. A page ends early
    when its annotations exceed REFERRERS_BYTES. Each manifest has `payload_size`, not its payload.
    """
    rows = Manifest.objects.filter(repository=repository, subject_digest=str(digest))
    if kinds:
        rows = rows.filter(artifact_type__in=kinds)
    if last:
        before = Manifest.objects.filter(repository=repository, digest=last).values("pk")
        rows = rows.filter(pk__gt=before[:1])
    rows = rows.annotate(payload_size=Length("payload")).defer("payload").order_by("pk")
    found: list[Manifest] = []
    size = 0
    for manifest in rows[: limit + 1].iterator(chunk_size=20):
        if len(found) == limit or size > REFERRERS_BYTES:
            return found, True
        found.append(manifest)
        size += sum(len(k) + len(v) for k, v in manifest.annotations.items())
    return found, False


def tag_rows(repository: Repository) -> QuerySet[Tag]:
    """Tags with all that a list of them shows, newest first; queries do not grow with the rows."""
    children = ManifestChild.objects.order_by("position")
    return (
        Tag.objects.filter(repository=repository)
        .select_related("manifest__info")
        .defer("manifest__payload", "manifest__info__config")
        .prefetch_related(Prefetch("manifest__children", children), "manifest__blobs")
        .order_by("-moved_at", "-pk")
    )


def get_tag_row(repository: Repository, name: str) -> Tag:
    """One tag as `tag_rows` gives it; raises ManifestUnknown."""
    tag = tag_rows(repository).filter(name=name).first()
    if tag is None:
        raise ManifestUnknown("There is no such tag.", detail={"tag": name})
    return tag


def platforms_of(manifest: Manifest) -> list[str]:
    """Platforms an image runs on, without build attestations; needs no query on `tag_rows`."""
    found = [child.platform for child in manifest.children.all()]
    if not found and hasattr(manifest, "info"):
        found = [manifest.info.platform]
    return list(dict.fromkeys(p for p in found if p and not p.startswith("unknown/")))


def get_manifest_row(repository: Repository, digest: str) -> Manifest:
    """A manifest with its layers, config facts and children; raises ManifestUnknown."""
    manifest = (
        Manifest.objects.filter(repository=repository, digest=digest)
        .select_related("info")
        .prefetch_related(
            "blobs",
            Prefetch(
                "children",
                ManifestChild.objects.select_related("child__info")
                .prefetch_related("child__blobs")
                .defer("child__payload")
                .order_by("position"),
            ),
        )
        .first()
    )
    if manifest is None:
        raise ManifestUnknown("There is no such manifest.", detail={"digest": digest})
    return manifest


def tags_of(manifest: Manifest) -> list[str]:
    """Names of the tags on a manifest."""
    return list(
        Tag.objects.filter(manifest=manifest).order_by("name").values_list("name", flat=True)
    )


def tag_history(repository: Repository, name: str, limit: int = 50) -> list[TagMove]:
    """Changes of a tag, newest first."""
    return list(TagMove.objects.filter(repository=repository, name=name).order_by("-pk")[:limit])


def size_of(repository: Repository) -> int:
    """Bytes of the repository's distinct blobs."""
    total = BlobLink.objects.filter(repository=repository).aggregate(bytes=Sum("blob__size"))
    return total["bytes"] or 0
