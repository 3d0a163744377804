"""Pages of a repository's webhooks; mounted before the patterns of the repository itself."""

from __future__ import annotations

from django.urls import path

from repos import converters  # noqa: F401 - registers the converters used below
from webhooks import views

BASE = "<repository:path>/-/webhooks"

urlpatterns = [
    path(BASE, views.webhooks, name="webhooks"),
    path(f"{BASE}/new", views.new_webhook, name="webhook-new"),
    path(f"{BASE}/<int:pk>", views.webhook, name="webhook"),
    path(f"{BASE}/<int:pk>/edit", views.edit_webhook, name="webhook-edit"),
    path(f"{BASE}/<int:pk>/delete", views.remove_webhook, name="webhook-delete"),
    path(f"{BASE}/<int:pk>/ping", views.ping_webhook, name="webhook-ping"),
    path(f"{BASE}/<int:pk>/deliveries/<uuid:uid>", views.delivery, name="delivery"),
    path(
        f"{BASE}/<int:pk>/deliveries/<uuid:uid>/redeliver",
        views.redeliver_again,
        name="delivery-redeliver",
    ),
]
