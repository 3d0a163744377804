"""Addresses of the token service."""

from __future__ import annotations

from django.urls import path

from tokens.views import KeySetView, TokenView

urlpatterns = [
    path("token", TokenView.as_view()),
    path("token/keys", KeySetView.as_view()),
]
