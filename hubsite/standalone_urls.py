"""What is left beside the registry where there are no accounts: health, and a line of greeting."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from hubsite import health


@require_safe
def greeting(request: HttpRequest) -> HttpResponse:
    """For who opens the address in a browser."""
    text = f"This is a registry without pages. Its address is {settings.EXTERNAL_HOST}.\n"
    return HttpResponse(text, "text/plain; charset=utf-8")


def absent(request: HttpRequest, exception: Exception) -> HttpResponse:
    """No page: the templates are those of the portal."""
    return HttpResponse("There is nothing at this address.\n", "text/plain", status=404)


def broken(request: HttpRequest, *args: Any) -> HttpResponse:
    """Something unexpected; the log says what."""
    return HttpResponse("Something went wrong here.\n", "text/plain", status=500)


handler404 = absent
handler500 = broken
urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("", greeting, name="home"),
]
