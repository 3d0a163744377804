"""Settings of signing in: sessions, confirmed addresses, single sign-on, directories.

A part of the one tree in `hubsite.config`, where each is read, checked and documented.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

MAIL_SCHEMES = ("smtp://", "smtp+starttls://", "smtps://")


class OidcProvider(BaseModel):
    """A place people sign in at with OpenID Connect."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")
    name: str = Field(min_length=1, max_length=40)
    server_url: str = Field(pattern=r"^https?://[^/]")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr


class SignInConfig(BaseModel):
    """The part of the tree; names and units as everywhere."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    external_signup: Literal["follow", "open", "closed"] = "follow"
    """Whether somebody who comes from OpenID Connect, GitHub and the like, or LDAP, without an
    account gets one: `follow` does as `HUB_SIGNUP`."""
    email_verification: Literal["auto", "mandatory", "none"] = "auto"
    """Whether new accounts have to confirm their address before they can do more than read: `auto`
    asks for it when mail is sent (`smtp://`)."""
    session_idle_s: int = Field(default=12 * 3600, ge=60)
    """How long a browser may rest before it has to sign in again."""
    session_life_s: int = Field(default=14 * 24 * 3600, ge=60)
    """After how long a browser has to sign in again in any case."""
    reauthenticate_after_s: int = Field(default=15 * 60, ge=60)
    """How long after signing in dangerous steps ask for it again."""
    oidc: list[OidcProvider] = []
    """Single sign-on with OpenID Connect: a list of `{"id": …, "name": …, "server_url": …,
    "client_id": …, "client_secret": …}`; its callback is
    `/accounts/oidc/<id>/login/callback/`."""
    github_client_id: str = ""
    """Signing in with GitHub; the callback is `/accounts/github/login/callback/`, and alike below.
    """
    github_client_secret: SecretStr | None = None
    """The secret that belongs to it."""
    github_url: str = "https://github.com"
    """Another address for GitHub Enterprise Server."""
    gitlab_client_id: str = ""
    """Signing in with GitLab."""
    gitlab_client_secret: SecretStr | None = None
    """The secret that belongs to it."""
    gitlab_url: str = "https://gitlab.com"
    """Another address for a GitLab of your own."""
    google_client_id: str = ""
    """Signing in with Google."""
    google_client_secret: SecretStr | None = None
    """The secret that belongs to it."""
    bitbucket_client_id: str = ""
    """Signing in with Bitbucket."""
    bitbucket_client_secret: SecretStr | None = None
    """The secret that belongs to it."""
    ldap_url: str = ""
    """`ldap://…` or `ldaps://…`: people sign in with the password of this directory; needs
    `requirements-ldap.txt`."""
    ldap_bind_dn: str = ""
    """Who looks people up in the directory; anonymous if empty."""
    ldap_bind_password: SecretStr | None = None
    """The password of that entry."""
    ldap_user_base: str = ""
    """Below which entry people are looked for, as `ou=people,dc=example,dc=com`."""
    ldap_user_filter: str = "(uid=%(user)s)"
    """How a person is found by the name they type."""
    ldap_start_tls: bool = False
    """Encrypt `ldap://` connections with StartTLS."""

    @field_validator("github_url", "gitlab_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if not re.match(r"https?://[^/]", value):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("oidc")
    @classmethod
    def _distinct(cls, value: list[OidcProvider]) -> list[OidcProvider]:
        ids = [provider.id for provider in value]
        taken = {"github", "gitlab", "google", "bitbucket_oauth2", "ldap"}
        if len(set(ids)) < len(ids) or taken & set(ids):
            raise ValueError("each needs an id of its own, none that of another way to sign in")
        return value

    @field_validator("ldap_url")
    @classmethod
    def _directory(cls, value: str) -> str:
        if value and not value.startswith(("ldap://", "ldaps://", "ldapi://")):
            raise ValueError("must be ldap://…, ldaps://… or ldapi://…")
        return value

    @field_validator("ldap_user_filter")
    @classmethod
    def _filter(cls, value: str) -> str:
        if "%(user)s" not in value or not (value.startswith("(") and value.endswith(")")):
            raise ValueError("must be a filter in brackets with %(user)s for the typed name")
        return value

    @model_validator(mode="after")
    def _pairs(self) -> SignInConfig:
        for name in ("github", "gitlab", "google", "bitbucket"):
            both = f"HUB_{name.upper()}_CLIENT_ID and HUB_{name.upper()}_CLIENT_SECRET"
            given = getattr(self, f"{name}_client_id"), getattr(self, f"{name}_client_secret")
            if bool(given[0]) != bool(given[1]):
                raise ValueError(f"{both} are needed together; one is missing")
        if self.ldap_url and not self.ldap_user_base:
            raise ValueError("HUB_LDAP_URL needs HUB_LDAP_USER_BASE, where people are looked for")
        return self

    @property
    def verifies_email(self) -> bool:
        """Whether new accounts have to confirm their address."""
        sends = str(getattr(self, "email_url", "")).startswith(MAIL_SCHEMES)
        return self.email_verification == "mandatory" or (
            self.email_verification == "auto" and sends
        )

    @property
    def external_signup_open(self) -> bool:
        """Whether people who come from elsewhere get an account."""
        if self.external_signup == "follow":
            return bool(getattr(self, "signup", "") == "open")
        return self.external_signup == "open"
