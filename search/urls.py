"""Addresses of browsing and searching."""

from __future__ import annotations

from django.urls import path

from search import views

urlpatterns = [
    path("explore", views.explore, name="explore"),
    path("search", views.search, name="search"),
    path("search/suggest", views.suggest, name="search-suggest"),
    path("stars", views.stars, name="stars"),
]
