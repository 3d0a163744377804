"""Addresses of what people are told; mounted before the patterns of names."""

from __future__ import annotations

from django.urls import path

from notices.views import bell, feeds, inbox, preferences, watching
from repos import converters  # noqa: F401 - registers the converters used below

urlpatterns = [
    path("notifications", inbox.inbox, name="notices"),
    path("notifications/read", inbox.read, name="notices-read"),
    path("notifications/bell", bell.bell, name="notices-bell"),
    path("notifications/feed.atom", feeds.notices_feed, name="notices-feed"),
    path("notifications/watching", watching.watching, name="watching"),
    path("notifications/watching/<int:pk>/stop", watching.stop_search, name="search-unwatch"),
    path("notifications/stop/<str:ticket>", preferences.stop, name="notices-stop"),
    path("notifications/<int:pk>", inbox.follow, name="notice"),
    path("settings/notifications", preferences.preferences, name="notice-preferences"),
    path("settings/notifications/feeds", preferences.new_key, name="feed-key"),
    path("settings/notifications/feeds/revoke", preferences.end_key, name="feed-key-revoke"),
    path("<repository:path>/-/watch", watching.watch, name="watch"),
    path("<repository:path>/-/feed.atom", feeds.repository_feed, name="repository-feed"),
    path("<namespace:name>/-/feed.atom", feeds.namespace_feed, name="namespace-feed"),
]
