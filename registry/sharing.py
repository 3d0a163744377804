"""In how many other images a layer is, among those of repositories the reader may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from accounts.types import Principal
from core.db import Counted
from registry.models import Blob, Manifest, ManifestBlob
from repos.models import Repository
from repos.permissions import visible_each

MOST = 100  # images are counted up to here: more says nothing more, and takes longer


@dataclass(frozen=True, slots=True)
class Sharing:
    """`images` is MOST + 1 for more than MOST; `elsewhere` means in another repository."""

    images: int = 0
    elsewhere: bool = False

    @property
    def is_many(self) -> bool:
        """More than were counted."""
        return self.images > MOST


NOT_SHARED = Sharing()


def sharing_of(
    principal: Principal, manifest: Manifest, digests: Iterable[str]
) -> dict[str, Sharing]:
    """By digest, for the layers of one manifest. One query.

    What the reader may not see is left out before anything is counted, so that it never shows.
    """
    mine = Repository.objects.filter(pk=manifest.repository_id)
    here = _uses(visible_each(principal)).exclude(manifest=manifest)
    there = _uses(visible_each(principal).exclude(pk__in=mine))
    rows = Blob.objects.filter(digest__in=set(digests)).annotate(
        images=Counted(here.values("manifest_id").distinct()[: MOST + 1]),
        elsewhere=Exists(there),
    )
    return {
        digest: Sharing(images, elsewhere)
        for digest, images, elsewhere in rows.values_list("digest", "images", "elsewhere")
    }


def _uses(visible: QuerySet[Repository]) -> Any:
    """Layers made of the blob of the outer query, in repositories of `visible`."""
    allowed = Exists(visible.filter(pk=OuterRef("link__repository_id")))
    return ManifestBlob.objects.filter(
        allowed, link__blob_id=OuterRef("pk"), role=ManifestBlob.BlobRole.LAYER
    ).order_by()
