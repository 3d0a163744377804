"""Ways to sign in besides a password of ours, as Django's settings want to hear of them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from hubsite.config import Config, ConfigError

_PROVIDERS = ("github", "gitlab", "google", "bitbucket")
_DIRECTORY = ("django_auth_ldap", "ldap")


def provider_apps(hub: Config) -> list[str]:
    """The applications of the providers that are set up; OpenID Connect's is always there."""
    found = ["openid_connect", *(_app(n) for n in _PROVIDERS if getattr(hub, f"{n}_client_id"))]
    return [f"allauth.socialaccount.providers.{name}" for name in found]


def provider_settings(hub: Config) -> dict[str, Any]:
    """`SOCIALACCOUNT_PROVIDERS`."""
    found: dict[str, Any] = {
        _app(name): _provider(hub, name) for name in _PROVIDERS if getattr(hub, f"{name}_client_id")
    }
    found["openid_connect"] = {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": provider.id,
                "name": provider.name,
                "client_id": provider.client_id,
                "secret": provider.client_secret.get_secret_value(),
                "settings": {"server_url": provider.server_url},
            }
            for provider in hub.oidc
        ],
    }
    return found


def directory_backends(hub: Config) -> list[str]:
    """The back end that asks the directory; raises ConfigError if its packages are missing."""
    if not hub.ldap_url:
        return []
    missing = [name for name in _DIRECTORY if find_spec(name) is None]
    if missing:
        raise ConfigError(
            "HUB_LDAP_URL: a package it needs is missing; pip install -r requirements-ldap.txt"
        )
    return ["accounts.directory.DirectoryBackend"]


def directory_settings(hub: Config) -> dict[str, Any]:
    """`AUTH_LDAP_…`, but the search, which the back end makes."""
    if not hub.ldap_url:
        return {}
    password = hub.ldap_bind_password
    return {
        "AUTH_LDAP_SERVER_URI": hub.ldap_url,
        "AUTH_LDAP_BIND_DN": hub.ldap_bind_dn,
        "AUTH_LDAP_BIND_PASSWORD": password.get_secret_value() if password else "",
        "AUTH_LDAP_START_TLS": hub.ldap_start_tls,
        "AUTH_LDAP_ALWAYS_UPDATE_USER": False,
    }


def _app(name: str) -> str:
    return "bitbucket_oauth2" if name == "bitbucket" else name


def _provider(hub: Config, name: str) -> dict[str, Any]:
    app: dict[str, Any] = {
        "client_id": getattr(hub, f"{name}_client_id"),
        "secret": getattr(hub, f"{name}_client_secret").get_secret_value(),
    }
    found: dict[str, Any] = {"APPS": [app], "OAUTH_PKCE_ENABLED": True}
    if name == "github":
        found["SCOPE"] = ["user:email"]
        if hub.github_url != "https://github.com":
            found["GITHUB_URL"] = hub.github_url
    elif name == "gitlab":
        found["SCOPE"] = ["read_user"]
        app["settings"] = {"gitlab_url": hub.gitlab_url}
    elif name == "google":
        found["SCOPE"] = ["profile", "email"]
    return found
