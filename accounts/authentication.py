"""Who asks the REST API: an access token or name and password, or a browser's session with CSRF."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import User
from accounts.services.credentials import authenticate, authenticate_bearer, principal_of
from accounts.types import ANONYMOUS, Principal
from core.address import client_address
from core.basic import decode_basic


class TokenAuthentication(BaseAuthentication):
    """`Bearer <access token>`, or Basic with a user name and a password or token.

    `request.auth` is the Principal. Errors of credentials go on to the one exception handler.
    """

    def authenticate(self, request: Request) -> tuple[User, Principal] | None:
        """The account and how far the credential reaches; None without an Authorization header."""
        scheme, _, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not scheme:
            return None
        address = client_address(request.META, settings.HUB.trusted_proxies)
        if scheme.lower() == "bearer":
            principal = authenticate_bearer(value.strip(), address=address)
        elif scheme.lower() == "basic":
            principal = authenticate(*decode_basic(value.strip()), address=address)
        else:
            raise AuthenticationFailed("Use Bearer with an access token, or Basic.")
        return User.objects.get(pk=principal.account_id), principal

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return 'Bearer realm="Hub"'


class BrowserAuthentication(SessionAuthentication):
    """The session cookie; unsafe methods need the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """The signed-in person."""
        found = super().authenticate(request)
        if found is None:
            return None
        return found[0], principal_of(found[0])


def principal_from(request: HttpRequest | Request) -> Principal:
    """Who acts, for pages and REST alike."""
    auth = getattr(request, "auth", None)
    if isinstance(auth, Principal):
        return auth
    user = request.user
    if isinstance(user, AnonymousUser) or not user.is_authenticated:
        return ANONYMOUS
    return principal_of(user)
