"""Addresses of repositories. Names come last: they match whatever nothing else did.

A repository's name may hold any word, so pages below it follow `/-/`.
"""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

import repos.converters  # noqa: F401 - registers what the patterns below use
from repos.views import comments, detail, explore, home, namespaces, people, settings

_REPOSITORY = "<repository:path>/-/"

urlpatterns = [
    path("", home.home, name="home"),
    path("help", home.help_page, name="help"),
    path("explore", explore.explore, name="explore"),
    path("search", explore.search, name="search"),
    path("stars", explore.stars, name="stars"),
    path("new", namespaces.new_repository, name="new-repository"),
    path(f"{_REPOSITORY}star", detail.star, name="star"),
    path(f"{_REPOSITORY}readme", detail.readme, name="readme"),
    path(f"{_REPOSITORY}readme/preview", detail.readme_preview, name="readme-preview"),
    path(f"{_REPOSITORY}comments", comments.comments, name="comments"),
    path(f"{_REPOSITORY}comments/<int:pk>/edit", comments.edit, name="comment-edit"),
    path(f"{_REPOSITORY}comments/<int:pk>/delete", comments.delete, name="comment-delete"),
    path(f"{_REPOSITORY}people", people.people, name="people"),
    path(f"{_REPOSITORY}people/add", people.add, name="people-add"),
    path(f"{_REPOSITORY}people/change", people.change, name="people-change"),
    path(f"{_REPOSITORY}people/remove", people.remove, name="people-remove"),
    path(f"{_REPOSITORY}settings", settings.settings_page, name="settings"),
    path(f"{_REPOSITORY}settings/visibility", settings.visibility, name="visibility"),
    path(f"{_REPOSITORY}settings/delete", settings.delete, name="repository-delete"),
    path("<repository:path>", detail.overview, name="repository"),
    path("<namespace:name>", namespaces.namespace_page, name="namespace"),
    path("<repository:path>/", RedirectView.as_view(pattern_name="repository")),
    path("<namespace:name>/", RedirectView.as_view(pattern_name="namespace")),
]
