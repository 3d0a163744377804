"""Addresses of /v1. A name may hold any word, so each pattern anchors on its last keyword; both
forms are served, with a slash at the end and without."""

from __future__ import annotations

from django.urls import re_path

from registry.v1.base import UnknownView
from registry.v1.images import AncestryView, ChecksumView, ImageJsonView, LayerView
from registry.v1.ping import PingView
from registry.v1.repositories import (
    AuthView,
    ImageAccessView,
    ImagesView,
    PropertiesView,
    RepositoryView,
)
from registry.v1.search import SearchView
from registry.v1.tags import TagFactsView, TagsView, TagView
from registry.v1.users import UsersView, UserView

_NAME = r"^v1/repositories/(?P<name>.+)/"
_IMAGE = r"^v1/images/(?P<image_id>[^/]+)/"

urlpatterns = [
    re_path(r"^(?:v1/)?_ping/?\Z", PingView.as_view()),
    re_path(r"^v1/search/?\Z", SearchView.as_view()),
    re_path(r"^v1/users/?\Z", UsersView.as_view()),
    re_path(r"^v1/users/(?P<username>[^/]+)/?\Z", UserView.as_view()),
    re_path(rf"{_IMAGE}json/?\Z", ImageJsonView.as_view()),
    re_path(rf"{_IMAGE}ancestry/?\Z", AncestryView.as_view()),
    re_path(rf"{_IMAGE}layer/?\Z", LayerView.as_view()),
    re_path(rf"{_IMAGE}checksum/?\Z", ChecksumView.as_view()),
    re_path(rf"{_NAME}tags/(?P<tag>[^/]+)/json/?\Z", TagFactsView.as_view()),
    re_path(rf"{_NAME}tags/(?P<tag>[^/]+)/?\Z", TagView.as_view()),
    re_path(rf"{_NAME}tags/?\Z", TagsView.as_view()),
    re_path(rf"{_NAME}images/?\Z", ImagesView.as_view()),
    re_path(rf"{_NAME}json/?\Z", TagFactsView.as_view()),
    re_path(rf"{_NAME}properties/?\Z", PropertiesView.as_view()),
    re_path(rf"{_NAME}auth/?\Z", AuthView.as_view()),
    re_path(rf"{_NAME}layer/(?P<image_id>[^/]+)/access/?\Z", ImageAccessView.as_view()),
    re_path(r"^v1/repositories/(?P<name>.+?)/?\Z", RepositoryView.as_view()),
    re_path(r"^v1(?:/.*)?\Z", UnknownView.as_view()),
]
