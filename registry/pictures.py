"""What pages draw of images: layers, platforms, and how large a repository is.

Queries do not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import OuterRef, Prefetch, QuerySet, Subquery, prefetch_related_objects

from registry.models import Manifest, ManifestBlob, ManifestChild, Tag
from registry.selectors import platforms_of
from repos.models import Repository

FIRST_PLATFORM = "linux/amd64"


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as a list shows it; of an image index, the layers of one platform."""

    layers: Sequence[ManifestBlob] = ()
    platforms: Sequence[str] = ()


def pictures_of(manifests: Iterable[Manifest]) -> dict[int, Picture]:
    """Pictures by manifest id; two queries."""
    rows = list({manifest.pk: manifest for manifest in manifests}.values())
    prefetch_related_objects(rows, Prefetch("children", ManifestChild.objects.order_by("position")))
    source = {row.pk: layered_id(row) for row in rows}
    layers: dict[int, list[ManifestBlob]] = {}
    found = ManifestBlob.objects.filter(
        manifest_id__in=set(source.values()), role=ManifestBlob.BlobRole.LAYER
    )
    for layer in found.order_by("manifest_id", "position"):
        layers.setdefault(layer.manifest_id, []).append(layer)
    return {row.pk: Picture(layers.get(source[row.pk], ()), platforms_of(row)) for row in rows}


def first_child(children: Iterable[ManifestChild]) -> ManifestChild | None:
    """The child that stands for an index: the commonest platform, or the first real one."""
    present = [child for child in children if child.child_id is not None]
    real = [child for child in present if not child.platform.startswith("unknown/")] or present
    wanted = [child for child in real if child.platform == FIRST_PLATFORM]
    return next(iter(wanted or real), None)


def newest_pictures(repositories: Iterable[Repository]) -> dict[int, Picture]:
    """A picture of each repository's newest tag, by repository id; three queries."""
    newest = Tag.objects.filter(repository=OuterRef("pk")).order_by("-moved_at", "-pk")
    ids = (
        Repository.objects.filter(pk__in=[repository.pk for repository in repositories])
        .annotate(newest_tag=Subquery(newest.values("pk")[:1]))
        .values("newest_tag")
    )
    tags = list(light(Tag.objects.filter(pk__in=ids)))
    pictures = pictures_of(tag.manifest for tag in tags)
    return {tag.repository_id: pictures[tag.manifest_id] for tag in tags}


def count_tags(repository: Repository) -> int:
    """How many tags there are."""
    return Tag.objects.filter(repository=repository).count()


def light(tags: QuerySet[Tag]) -> QuerySet[Tag]:
    """Tags with their manifests, without the heavy columns."""
    return tags.select_related("manifest__info").defer(
        "manifest__payload", "manifest__info__config"
    )


def layered_id(manifest: Manifest) -> int:
    """Id of the manifest whose layers stand for this one."""
    child = first_child(manifest.children.all())
    return child.child_id if child is not None and child.child_id is not None else manifest.pk
