"""Mounts everything but the registry lane; the catch-all patterns of names come last."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from hubsite import health

handler429 = "accounts.views.entrance.too_often"  # allauth's name for it
urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("admin/django/", admin.site.urls),
    path("", include("hubsite.site.urls")),
    path("api/", include("hubsite.api")),
    path("", include("accounts.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("accounts/3rdparty/", include("allauth.socialaccount.urls")),
    path("", include("webhooks.urls")),
    path("", include("notices.urls")),
    path("", include("search.urls")),
    path("", include("registry.urls")),
    path("", include("repos.urls")),
]
