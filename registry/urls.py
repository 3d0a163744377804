"""Addresses of tags and manifests; also the image references that people paste.

Mounted before the patterns of bare names.
"""

from __future__ import annotations

from django.urls import path

import registry.converters  # noqa: F401 - registers what the patterns below use
import repos.converters  # noqa: F401 - the same
from registry.views import badges, compare, deleting, documents, history, images, retag, tags

urlpatterns = [
    path("<repository:path>/-/tags", tags.tags, name="tags"),
    path("<repository:path>/-/tags/<tag:tag>", images.tag_page, name="tag"),
    path("<repository:path>/-/tags/<tag:tag>/delete", deleting.delete, name="tag-delete"),
    path("<repository:path>/-/delete-tags", deleting.delete_several, name="tags-delete"),
    path("<repository:path>/-/deleted-tags", deleting.deleted, name="tags-deleted"),
    path("<repository:path>/-/deleted-tags/restore", deleting.undo, name="tags-restore"),
    path("<repository:path>/-/tags/<tag:tag>/history", history.history, name="tag-history"),
    path("<repository:path>/-/tags/<tag:tag>/rollback", history.rollback, name="tag-rollback"),
    path("<repository:path>/-/manifests/<digest:digest>", images.manifest_page, name="manifest"),
    path("<repository:path>/-/manifests/<digest:digest>/tag", retag.add_tag, name="retag"),
    path(
        "<repository:path>/-/manifests/<digest:digest>/documents/<digest:document>",
        documents.document,
        name="document",
    ),
    path("<repository:path>/-/compare", compare.ask, name="compare-ask"),
    path("<repository:path>/-/compare/<pair:pair>", compare.compared, name="compare"),
    path(
        "<repository:path>/-/manifests/<digest:digest>/delete",
        deleting.delete_manifest,
        name="manifest-delete",
    ),
    path("<repository:path>/-/badge/<slug:kind>.svg", badges.badge, name="badge"),
    path("<repository:path>:<tag:tag>", images.tag_reference, name="tag-reference"),
    path("<repository:path>@<digest:digest>", images.digest_reference, name="digest-reference"),
    path("<repository:path>:<tag:tag>@<digest:digest>", images.digest_reference),
]
