"""Addresses of one's own account; mounted before allauth's own."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

import repos.converters  # noqa: F401 - registers what the patterns below use
from accounts.views import (
    entrance,
    members,
    organizations,
    profile,
    robots,
    security,
    social,
    teams,
    tokens,
)

_ORGANIZATION = "<namespace:name>/-"
_TEAM = f"{_ORGANIZATION}/teams/<namespace:team>"
_ROBOTS = "<namespace:name>/-/robots"
_ROBOT = f"{_ROBOTS}/<namespace:robot>"

urlpatterns = [
    path("accounts/signup/", entrance.SignupView.as_view(), name="account_signup"),
    path("accounts/signup/name", entrance.signup_name, name="signup-name"),
    path("accounts/login/", entrance.LoginView.as_view(), name="account_login"),
    path("accounts/email/", entrance.EmailView.as_view(), name="account_email"),
    path("accounts/2fa/", RedirectView.as_view(pattern_name="security"), name="mfa_index"),
    path(
        "accounts/2fa/webauthn/",
        RedirectView.as_view(pattern_name="security"),
        name="mfa_list_webauthn",
    ),
    path("accounts/3rdparty/", social.ConnectionsView.as_view(), name="socialaccount_connections"),
    *social.login_patterns(),
    path("settings", profile.settings, name="account-settings"),
    path("settings/security", security.security, name="security"),
    path("settings/sessions", security.sessions, name="sessions"),
    path("settings/sessions/end-others", security.sessions_end, name="sessions-end"),
    path("settings/sessions/<int:pk>/end", security.session_end, name="session-end"),
    path("settings/close", security.close, name="account-close"),
    path("settings/profile", profile.profile, name="profile"),
    path("settings/tokens", tokens.tokens, name="tokens"),
    path("settings/tokens/new", tokens.new_token, name="token-new"),
    path("settings/tokens/<int:pk>/rotate", tokens.rotate, name="token-rotate"),
    path("settings/tokens/<int:pk>/revoke", tokens.revoke, name="token-revoke"),
    path("settings/clients/<int:pk>/end", tokens.end_client, name="client-end"),
    path("<robot:username>", robots.named, name="namespace"),  # where a name is linked
    path(_ROBOTS, robots.robots, name="robots"),
    path(f"{_ROBOTS}/new", robots.new_robot, name="robot-new"),
    path(_ROBOT, robots.robot, name="robot"),
    path(f"{_ROBOT}/delete", robots.delete, name="robot-delete"),
    path(f"{_ROBOT}/tokens/new", robots.new_token, name="robot-token-new"),
    path(f"{_ROBOT}/tokens/<int:pk>/rotate", robots.rotate_token, name="robot-token-rotate"),
    path(f"{_ROBOT}/tokens/<int:pk>/revoke", robots.revoke_token, name="robot-token-revoke"),
    path("organizations/new", organizations.new, name="new-organization"),
    path(f"{_ORGANIZATION}/settings", organizations.settings, name="namespace-settings"),
    path(f"{_ORGANIZATION}/transfer", organizations.transfer, name="organization-transfer"),
    path(f"{_ORGANIZATION}/delete", organizations.delete, name="organization-delete"),
    path(f"{_ORGANIZATION}/leave", members.leave, name="organization-leave"),
    path(f"{_ORGANIZATION}/people", members.people, name="organization-people"),
    path(f"{_ORGANIZATION}/people/add", members.add, name="organization-add"),
    path(f"{_ORGANIZATION}/people/change", members.change, name="organization-role"),
    path(
        f"{_ORGANIZATION}/people/<account:username>/access",
        members.access,
        name="organization-access",
    ),
    path(
        f"{_ORGANIZATION}/people/<namespace:username>/remove",
        members.remove,
        name="organization-remove",
    ),
    path(
        f"{_ORGANIZATION}/invitations/<int:pk>/resend",
        members.send_again,
        name="invitation-resend",
    ),
    path(
        f"{_ORGANIZATION}/invitations/<int:pk>/withdraw",
        members.take_back,
        name="invitation-withdraw",
    ),
    path(f"{_ORGANIZATION}/teams", teams.teams, name="teams"),
    path(f"{_ORGANIZATION}/teams/new", teams.new, name="team-new"),
    path(_TEAM, teams.team, name="team"),
    path(f"{_TEAM}/delete", teams.delete, name="team-delete"),
    path(f"{_TEAM}/add", teams.add, name="team-add"),
    path(f"{_TEAM}/people/<namespace:username>/remove", teams.remove, name="team-remove"),
    path(f"{_TEAM}/grant", teams.grant, name="team-grant"),
    path(f"{_TEAM}/revoke", teams.revoke, name="team-revoke"),
]
