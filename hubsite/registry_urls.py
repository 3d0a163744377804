"""What the registry lane serves."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("tokens.urls")),
    path("", include("registry.v1.urls")),
    path("", include("registry.v2.urls")),
]
