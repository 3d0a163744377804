"""Finding images for the registry API of 2013: by tag, and by an id that names no repository.

An image is the linux/amd64 one of an image index; what old clients cannot read is not there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.db.models import Q, QuerySet

from accounts.types import Principal
from events.models import Event
from oci import media
from oci.legacy import is_readable, top_id
from oci.names import is_tag
from registry.models import Blob, LegacyImage, Manifest, ManifestBlob, ManifestChild, Tag
from repos.models import Repository, Visibility
from repos.permissions import visible_each

PLATFORM = "linux/amd64"
HOLDERS = 100  # repositories that are asked for one image, the oldest first
_CANDIDATES = 50
_RECORDED_WITHIN = timedelta(minutes=1)  # of the tag's own time
Role = ManifestBlob.BlobRole


@dataclass(frozen=True, slots=True)
class Content:
    """The parts of a manifest that is an image: its config, and its layers, root first."""

    manifest_id: int
    repository_id: int
    config: ManifestBlob
    layers: tuple[ManifestBlob, ...]

    def blob(self, position: int) -> Blob:
        """The stored layer at a position."""
        link = self.layers[position].link
        assert link is not None  # see _content
        return link.blob


@dataclass(frozen=True, slots=True)
class TaggedImage:
    """A tag and the image it stands for; `manifest_id` is what the tag itself points at."""

    name: str
    moved_at: datetime
    manifest_id: int
    content: Content
    image_id: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image was found: a layer of a manifest; `chosen` if the id is one that its client
    gave it, which in another repository may mean another image."""

    repository: Repository
    content: Content
    position: int
    chosen: bool = False

    @property
    def is_top(self) -> bool:
        """Whether this is a whole image, with a config."""
        return self.position == len(self.content.layers) - 1


def list_tagged(repository: Repository, name: str = "") -> list[TaggedImage]:
    """Tags that old clients can use, or the one of a `name`, by name. Four queries."""
    tags = Tag.objects.filter(repository=repository)
    if name:
        tags = tags.filter(name=name)
    named = list(tags.order_by("name").values_list("name", "moved_at", "manifest"))
    pointed = tags.values("manifest")
    children = _faces_of_indexes(pointed)
    wanted = Manifest.objects.filter(Q(pk__in=pointed) | Q(parents__parent__in=pointed))
    contents = {c.manifest_id: c for c in _contents(_parts(wanted.values("pk")))}
    given = _chosen_tops(contents.values())
    found = []
    for tag, moved_at, manifest_id in named:
        content = contents.get(children.get(manifest_id, manifest_id))
        if content is not None:
            image_id = given.get(content.manifest_id) or top_id(content.config.digest)
            found.append(TaggedImage(tag, moved_at, manifest_id, content, image_id))
    return found


def find_tagged(repository: Repository, name: str) -> TaggedImage | None:
    """The image of one tag; None too where the name can be no tag's."""
    if not is_tag(name):
        return None
    return next(iter(list_tagged(repository, name)), None)


def find_tag_target(repository: Repository, image_id: str) -> Manifest | None:
    """The manifest that a tag for this image had best point at, with its payload.

    What is tagged already comes first, so that copying a tag keeps all its platforms.
    """
    tagged = [t for t in list_tagged(repository) if t.image_id == image_id]
    if tagged:
        newest = max(tagged, key=lambda t: t.moved_at)
        return Manifest.objects.filter(pk=newest.manifest_id).first()
    place = find_in(repository, image_id)
    if place is None or not place.is_top:
        return None
    return Manifest.objects.filter(pk=place.content.manifest_id).first()


def find_in(repository: Repository, image_id: str) -> Place | None:
    """An image of one repository, in its newest form."""
    places = _places([repository], image_id, newest_first=True)
    return places[0] if places else None


def find_anywhere(
    principal: Principal, image_id: str, within: Collection[str] | None = None
) -> list[Place]:
    """Where the caller may pull this image from, the oldest place first.

    `within` are the private paths their registry token reaches, None without such a limit. Absent
    and invisible take the same one query.
    """
    holders = list(_holders(principal, image_id, within))
    if principal.is_limited:
        holders = [r for r in holders if r.is_public or "pull" in principal.token_actions(r.path)]
    places = _places(holders, image_id, newest_first=False) if holders else []
    return [place for place in places if not place.chosen] or places


def known_ids(manifest_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """The ids of images that were read before, root first, by manifest. One query."""
    rows = (
        LegacyImage.objects.filter(manifest__in=list(manifest_ids))
        .order_by("manifest_id", "position")
        .values_list("manifest_id", "image_id")
    )
    return {key: tuple(i for _, i in some) for key, some in groupby(rows, key=lambda row: row[0])}


def client_of(repository: Repository, tag: TaggedImage) -> str:
    """What the program that set a tag called itself, as far as the audit log still knows."""
    rows = Event.objects.filter(
        repository_id=repository.pk,
        kind="tag.moved",
        payload__tag=tag.name,
        occurred_at__range=(tag.moved_at - _RECORDED_WITHIN, tag.moved_at + _RECORDED_WITHIN),
    ).order_by("-id")
    return rows.values_list("client", flat=True).first() or ""


def sent(place: Place, image_id: str) -> LegacyImage | None:
    """What was pushed under a chosen id, as it was sent."""
    rows = LegacyImage.objects.filter(manifest=place.content.manifest_id, position=place.position)
    return rows.filter(image_id=image_id, chosen=True).first() if place.chosen else None


def _chosen_tops(contents: Iterable[Content]) -> dict[int, str]:
    """Chosen ids of whole images by manifest. One query."""
    last = {content.manifest_id: len(content.layers) - 1 for content in contents}
    rows = LegacyImage.objects.filter(manifest__in=[*last], chosen=True)
    found = rows.values_list("manifest_id", "position", "image_id")
    return {key: image_id for key, position, image_id in found if position == last[key]}


def _holders(
    principal: Principal, image_id: str, within: Collection[str] | None
) -> QuerySet[Repository]:
    known = LegacyImage.objects.filter(image_id=image_id).values("manifest__repository")
    tops = Blob.objects.filter(digest=f"sha256:{image_id}", links__uses__role=Role.CONFIG)
    rows = visible_each(principal).filter(
        Q(pk__in=known) | Q(pk__in=tops.values("links__repository"))
    )
    if within is not None:
        rows = rows.filter(Q(visibility=Visibility.PUBLIC) | Q(path__in=within))
    return rows.select_related("namespace").defer("readme", "readme_html").order_by("pk")[:HOLDERS]


def _places(holders: Sequence[Repository], image_id: str, *, newest_first: bool) -> list[Place]:
    """Manifests of these repositories that have the image; two queries."""
    repositories = {repository.pk: repository for repository in holders}
    here = Manifest.objects.filter(repository__in=list(repositories)).filter(
        Q(legacy_images__image_id=image_id)
        | Q(blobs__role=Role.CONFIG, blobs__digest=f"sha256:{image_id}")
    )
    order = "-pk" if newest_first else "pk"
    keys = list(here.order_by(order).values_list("pk", flat=True).distinct()[:_CANDIDATES])
    known = LegacyImage.objects.filter(image_id=image_id, manifest__in=keys)
    rows = known.values_list("manifest_id", "position", "chosen")
    positions = {key: (position, chosen) for key, position, chosen in rows}
    contents = {content.manifest_id: content for content in _contents(_parts(keys))}
    found = []
    for key in keys:
        content = contents.get(key)
        if content is not None:
            position, chosen = positions.get(key, (len(content.layers) - 1, False))
            found.append(Place(repositories[content.repository_id], content, position, chosen))
    return found


def _faces_of_indexes(pointed: Any) -> dict[int, int]:
    """For each image index its first linux/amd64 image; an index without one has no entry."""
    rows = (
        ManifestChild.objects.filter(
            Q(platform=PLATFORM) | Q(platform__startswith=f"{PLATFORM}/"),
            parent__in=pointed,
            child__media_type__in=media.IMAGE_MANIFESTS,
        )
        .order_by("parent_id", "-position")
        .values_list("parent_id", "child_id")
    )
    return {parent: child for parent, child in rows if child is not None}


def _parts(manifests: Any) -> QuerySet[ManifestBlob]:
    return (
        ManifestBlob.objects.filter(
            manifest__in=manifests, manifest__media_type__in=media.IMAGE_MANIFESTS
        )
        .select_related("link__blob")
        .order_by("manifest_id", "role", "position")
    )


def _contents(parts: Iterable[ManifestBlob]) -> Iterable[Content]:
    for manifest_id, group in groupby(parts, key=lambda part: part.manifest_id):
        content = _content(manifest_id, list(group))
        if content is not None:
            yield content


def _content(manifest_id: int, parts: Sequence[ManifestBlob]) -> Content | None:
    """None for what old clients cannot read: artifacts, other compressions, absent layers."""
    config, *layers = parts
    if any(part.link is None for part in parts) or config.role != Role.CONFIG:
        return None
    if not is_readable(config.media_type, [layer.media_type for layer in layers]):
        return None
    if not top_id(config.digest):
        return None
    assert config.link is not None
    return Content(manifest_id, config.link.repository_id, config, tuple(layers))
