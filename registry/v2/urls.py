"""Addresses of /v2. A name may hold any word, so each pattern anchors on its last keyword."""

from __future__ import annotations

from django.urls import re_path

from registry.v2.blobs import BlobView
from registry.v2.extensions import DiscoverView
from registry.v2.lists import CatalogView, ReferrersView, TagsView
from registry.v2.manifests import ManifestView
from registry.v2.ping import PingView
from registry.v2.unknown import UnknownView
from registry.v2.uploads import UploadsView, UploadView

urlpatterns = [
    re_path(r"^v2/?\Z", PingView.as_view()),
    re_path(r"^v2/_catalog\Z", CatalogView.as_view()),
    re_path(r"^v2/(?:(?P<name>.+)/)?_oci/ext/discover\Z", DiscoverView.as_view()),
    re_path(r"^v2/(?P<name>.+)/tags/list\Z", TagsView.as_view()),
    re_path(r"^v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)\Z", ManifestView.as_view()),
    re_path(r"^v2/(?P<name>.+)/referrers/(?P<digest>[^/]+)\Z", ReferrersView.as_view()),
    re_path(r"^v2/(?P<name>.+)/blobs/uploads/?\Z", UploadsView.as_view()),
    re_path(r"^v2/(?P<name>.+)/blobs/uploads/(?P<upload>[^/]+)\Z", UploadView.as_view()),
    re_path(r"^v2/(?P<name>.+)/blobs/(?P<digest>[^/]+)\Z", BlobView.as_view()),
    re_path(r"", UnknownView.as_view()),
]
