"""Addresses of the administration, below `/admin/`."""

from __future__ import annotations

from django.urls import path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

import repos.converters  # noqa: F401 - registers what the patterns below use
from hubsite.site import dashboard, inforce, namespaces, people, repositories, tokens
from hubsite.site.entrance import administrators_only

urlpatterns = [
    path(
        "admin",
        administrators_only(require_safe(RedirectView.as_view(pattern_name="site-home"))),
    ),
    path("admin/", dashboard.home, name="site-home"),
    path("admin/people", people.people, name="site-people"),
    path("admin/people/<str:name>", people.person, name="site-person"),
    path("admin/people/<str:name>/<slug:verb>", people.act, name="site-person-act"),
    path("admin/organizations", namespaces.organizations, name="site-organizations"),
    path("admin/quotas/<namespace:name>", namespaces.quota, name="site-quota"),
    path("admin/orphans", namespaces.orphans, name="site-orphans"),
    path("admin/orphans/<namespace:name>", namespaces.give, name="site-orphan-give"),
    path("admin/tokens", tokens.tokens, name="site-tokens"),
    path("admin/tokens/<int:pk>/revoke", tokens.revoke, name="site-token-revoke"),
    path("admin/repositories", repositories.repositories, name="site-repositories"),
    path("admin/repositories/open", repositories.open_one, name="site-repository-open"),
    path("admin/repositories/<int:pk>/close", repositories.close_one, name="site-close"),
    path("admin/jobs", dashboard.jobs, name="site-jobs"),
    path("admin/settings", inforce.settings_page, name="site-settings"),
    path("admin/audit", dashboard.audit_log, name="site-audit"),
]
