"""What the registry lane serves where there are no accounts: no tokens."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("registry.v1.urls")),
    path("", include("registry.v2.urls")),
]
