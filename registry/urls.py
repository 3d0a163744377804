"""Addresses of tags and manifests; also the image references that people paste.

Mounted before the patterns of bare names.
"""

from __future__ import annotations

from django.urls import path

import repos.converters  # noqa: F401 - registers what the patterns below use
from registry.views import images, tags

urlpatterns = [
    path("<repository:path>/-/tags", tags.tags, name="tags"),
    path("<repository:path>/-/tags/<tag:tag>", images.tag_page, name="tag"),
    path("<repository:path>/-/tags/<tag:tag>/delete", tags.delete, name="tag-delete"),
    path("<repository:path>/-/manifests/<digest:digest>", images.manifest_page, name="manifest"),
    path("<repository:path>:<tag:tag>", images.tag_reference, name="tag-reference"),
    path("<repository:path>@<digest:digest>", images.digest_reference, name="digest-reference"),
    path("<repository:path>:<tag:tag>@<digest:digest>", images.digest_reference),
]
