"""Accounts of the old index: `docker login` of engines up to 17.06, and sign-up up to 1.10."""

from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.errors import NameTaken
from accounts.rest import SignupThrottle
from accounts.services.signup import sign_up
from core.errors import Denied, Invalid, NotFound, Unauthenticated
from registry.v1.auth import read_caller
from registry.v1.base import LegacyView
from registry.v1.errors import AuthorizationRequired
from tokens.gate import has_accounts

TAKEN = "Username or email already exists"  # clients compare, and then try to sign in


class UsersView(LegacyView):
    """`/v1/users/`."""

    always_on = True

    def get(self, request: Request) -> HttpResponse:
        if read_caller(self.plain).principal.is_anonymous:
            raise AuthorizationRequired
        return self.answer("OK")

    def post(self, request: Request) -> HttpResponse:
        if settings.HUB.signup != "open" or not has_accounts():
            self.closed()
        try:
            values = self.json_object("Invalid JSON")
            sign_up(
                username=_text(values, "username"),
                email=_text(values, "email"),
                password=_text(values, "password"),
            )
        except NameTaken:
            return self.answer(TAKEN, status=400)
        except Invalid as error:
            return self.answer(error.message, status=400)
        return self.answer("User Created", status=201)

    def get_throttles(self) -> list[BaseThrottle]:
        """The same count as for sign-up through the REST API."""
        return [SignupThrottle()]

    def throttled(self, request: Any, wait: float | None) -> NoReturn:
        """After too many new accounts from one address."""
        self.closed()

    def closed(self) -> NoReturn:
        """Old clients go on with signing in when they see this status."""
        raise Unauthenticated("No accounts are made here now; sign in if you have one.")


class UserView(LegacyView):
    """`/v1/users/<username>/`. What a person signs in with is not changed from a command line."""

    always_on = True

    def put(self, request: Request, username: str) -> HttpResponse:
        principal = read_caller(self.plain).principal
        if principal.is_anonymous:
            raise AuthorizationRequired
        if principal.username != username:
            raise NotFound("User not found")
        raise Denied(
            "Passwords and addresses are changed in the browser, where you can confirm that it is "
            f"you: {settings.HUB.external_url}/settings"
        )


def _text(values: dict[str, Any], key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Invalid(f"{key} is needed, as a text")
    return value
