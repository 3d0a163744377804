"""Addresses of one's own account; mounted before allauth's own."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from accounts.views import entrance, profile, tokens

urlpatterns = [
    path("accounts/signup/", entrance.SignupView.as_view(), name="account_signup"),
    path("accounts/signup/name", entrance.signup_name, name="signup-name"),
    path("accounts/login/", entrance.LoginView.as_view(), name="account_login"),
    path("settings", profile.settings, name="account-settings"),
    path("settings/profile", profile.profile, name="profile"),
    path("settings/tokens", tokens.tokens, name="tokens"),
    path("settings/tokens/new", tokens.new_token, name="token-new"),
    path("settings/tokens/<int:pk>/revoke", tokens.revoke, name="token-revoke"),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", RedirectView.as_view(pattern_name="admin:index")),
]
