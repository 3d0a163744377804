"""Reading content: for the protocol by digest or tag, for pages as rows with their facts."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from django.db.models import BigIntegerField, CharField, Prefetch, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Length

from accounts.types import Principal
from core.db import byte_order
from core.prepared import Prepared
from oci.digest import Digest
from registry.errors import BlobUnknown, ManifestUnknown
from registry.models import BlobLink, Manifest, ManifestChild, Tag, TagMove
from repos.models import Repository, Visibility
from repos.permissions import visible_each

REFERRERS_PAGE = 100
REFERRERS_BYTES = 4 * 1024 * 1024 - 64 * 1024  # clients read 4 MiB; descriptors have room beside
_DESCRIPTOR_BYTES = 800  # without annotations, at most
_SOURCES = 100
_SERVED = ("repository", "digest", "media_type", "payload")  # nothing that a pull changes

_by_digest = Prepared(
    lambda repository, digest: Manifest.objects.only(*_SERVED).filter(
        repository=repository, digest=digest
    )[:1],
    BigIntegerField(),
    CharField(),
)
_by_tag = Prepared(
    lambda repository, same, name: Manifest.objects.only(*_SERVED).filter(
        repository=repository, tags__repository=same, tags__name=name
    )[:1],
    BigIntegerField(),
    BigIntegerField(),
    CharField(),
)
_link = Prepared(
    lambda repository, digest: BlobLink.objects.select_related("blob").filter(
        repository=repository, blob__digest=digest
    )[:1],
    BigIntegerField(),
    CharField(),
)


def get_manifest(repository: Repository, reference: Digest | str) -> Manifest:
    """A manifest of this repository by tag or digest; raises ManifestUnknown. One query."""
    if isinstance(reference, Digest):
        manifest = _by_digest.first(repository.pk, str(reference))
        detail = {"digest": str(reference)}
    else:
        manifest = _by_tag.first(repository.pk, repository.pk, reference)
        detail = {"tag": reference}
    if manifest is None:
        raise ManifestUnknown("manifest unknown to registry", detail=detail)
    return manifest


def find_link(repository: Repository, digest: Digest) -> BlobLink | None:
    """The link that makes a blob part of this repository, with the blob. One query."""
    return _link.first(repository.pk, str(digest))


def get_link(repository: Repository, digest: Digest) -> BlobLink:
    """The link that makes a blob part of this repository; raises BlobUnknown. One query."""
    link = find_link(repository, digest)
    if link is None:
        raise BlobUnknown("blob unknown to registry", detail={"digest": str(digest)})
    return link


def find_mount_source(
    principal: Principal, digest: Digest, within: Collection[str] | None = None
) -> Repository | None:
    """A repository the caller may pull from that has this blob, if there is one.

    `within` are the private paths their registry token reaches, None without such a limit. As many
    queries for a blob that ten thousand repositories have as for one that nobody has.
    """
    rows = visible_each(principal).filter(blob_links__blob__digest=str(digest))
    rows = rows.select_related("namespace")
    if within is not None:
        rows = rows.filter(Q(visibility=Visibility.PUBLIC) | Q(path__in=within))
    if not principal.is_limited:
        return next(iter(rows[:1]), None)
    for source in rows.order_by("-visibility")[:_SOURCES]:  # public ones first
        if source.is_public or "pull" in principal.token_actions(source.path):
            return source
    return None


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

    `kinds` are artifact types to choose from, `last` the digest to go on after; one that has gone
    meanwhile begins anew, since a repeated entry is better than a lost one. A page ends before its
    descriptors exceed REFERRERS_BYTES. Each manifest has `payload_size`, not its payload.
    """
    rows = Manifest.objects.filter(repository=repository, subject_digest=str(digest))
    rows = rows.exclude(subject_digest="")  # else SQLite does not see that its index fits
    if kinds:
        rows = rows.filter(artifact_type__in=kinds)
    if last:
        before = Manifest.objects.filter(repository=repository, digest=last).values("pk")[:1]
        rows = rows.filter(pk__gt=Coalesce(Subquery(before), 0))
    rows = rows.annotate(payload_size=Length("payload")).defer("payload").order_by("pk")
    found: list[Manifest] = []
    size = 0
    for manifest in rows[: limit + 1].iterator(chunk_size=8):
        notes = json.dumps(manifest.annotations, ensure_ascii=False, separators=(",", ":"))
        size += _DESCRIPTOR_BYTES + len(notes.encode())
        if len(found) == limit or (found and size > REFERRERS_BYTES):
            return found, True
        found.append(manifest)
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


def find_tag(repository: Repository, name: str) -> Tag | None:
    """A tag with its manifest, without the document."""
    rows = Tag.objects.select_related("manifest").defer("manifest__payload")
    # In no order: by id, a database would look through every tag of this name there is.
    return next(iter(rows.filter(repository=repository, name=name)[:1]), None)


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


def platforms_at(images: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[str]]:
    """What `platforms_of` says of images, by id of the repository and digest; one query. Of one
    that is not there, nothing."""
    rows = Manifest.objects.filter(
        repository_id__in={repository for repository, _ in images},
        digest__in={digest for _, digest in images},
    ).order_by("children__position")
    found: dict[tuple[int, str], list[str]] = {}
    for repository, digest, child, *own in rows.values_list(
        *("repository_id", "digest", "children__platform"),
        *("info__os", "info__architecture", "info__variant"),
    ):
        known = found.setdefault((repository, digest), [])
        platform = child if child is not None else "/".join(part for part in own if part)
        if platform and not platform.startswith("unknown/") and platform not in known:
            known.append(platform)
    return found


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


def find_digest(repository: Repository, reference: str) -> str:
    """The digest of a tag or digest of this repository, as text; raises ManifestUnknown."""
    rows = Manifest.objects.filter(repository=repository)
    if ":" in reference:
        rows = rows.filter(digest=reference)
    else:
        rows = rows.filter(tags__repository=repository, tags__name=reference)
    found = rows.values_list("digest", flat=True).first() if is_stored(reference) else None
    if found is None:
        raise ManifestUnknown("There is no such tag or digest.", detail={"reference": reference})
    return found


def is_stored(text: str) -> bool:
    """Whether a database could hold the text: PostgreSQL refuses NUL even in a comparison."""
    return "\0" not in text


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
