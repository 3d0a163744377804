"""The token service: GET with Basic, POST with a form (token and OAuth2 specifications)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request

from accounts.services.credentials import authenticate
from accounts.types import Principal
from core.address import client_address
from core.errors import HubError, Invalid, Unauthenticated, Unsupported, status_of
from core.views import BareView
from oci.scope import parse_scopes
from tokens.challenge import BASIC
from tokens.jwt import public_jwk
from tokens.services import current_keys, issue
from tokens.verify import read_authorization

MAX_FORM_BYTES = 64 * 1024


class _TokenServiceView(BareView):
    def render_error(self, error: Exception) -> HttpResponseBase:
        if isinstance(error, MethodNotAllowed):
            error = Unsupported("Use GET or POST.")
        if not isinstance(error, HubError):
            raise error
        entry = {"code": error.code, "message": error.message, "detail": error.detail}
        response = JsonResponse({"errors": [entry]}, status=status_of(error))
        if isinstance(error, Unauthenticated):
            response["WWW-Authenticate"] = BASIC
        if isinstance(error.detail, dict) and "retry_after_s" in error.detail:
            response["Retry-After"] = str(error.detail["retry_after_s"])
        return response


class TokenView(_TokenServiceView):
    """`/token`."""

    def get(self, request: Request) -> HttpResponse:
        plain = self.plain
        _check_service(plain.GET.get("service"))
        grant = read_authorization(
            plain.META.get("HTTP_AUTHORIZATION", ""), address=_address(plain)
        )
        if grant.access is not None:
            raise Unauthenticated("Ask for a token with a user name and password or access token.")
        return _answer(grant.principal, plain.GET.getlist("scope"))

    def post(self, request: Request) -> HttpResponse:
        form = _read_form(self.plain)
        _check_service(form.get("service"))
        if form.get("grant_type") != "password":
            raise Unsupported("Only the grant type password is offered.")
        principal = authenticate(
            form.get("username", ""), form.get("password", ""), address=_address(self.plain)
        )
        return _answer(principal, [form.get("scope", "")])


class KeySetView(_TokenServiceView):
    """The public keys that verify our tokens (RFC 7517)."""

    def get(self, request: Request) -> HttpResponse:
        return JsonResponse({"keys": [public_jwk(key) for key in current_keys()]})


def _answer(principal: Principal, scopes: list[str]) -> HttpResponse:
    issued = issue(principal, parse_scopes(scopes))
    body: dict[str, Any] = {
        "token": issued.token,
        "access_token": issued.token,
        "expires_in": issued.expires_in_s,
        "scope": " ".join(str(scope) for scope in issued.granted),
    }
    response = JsonResponse(body)
    response["Cache-Control"] = "no-store"
    return response


def _check_service(service: str | None) -> None:
    if service and service != settings.EXTERNAL_HOST:
        raise Invalid(f"This token service serves {settings.EXTERNAL_HOST}.")


def _read_form(request: HttpRequest) -> dict[str, str]:
    body = request.read(MAX_FORM_BYTES + 1)
    if len(body) > MAX_FORM_BYTES:
        raise Invalid("The form is too long.")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise Invalid("The body is not a form.") from error
    return {name: values[0] for name, values in fields.items()}


def _address(request: HttpRequest) -> str:
    return client_address(request.META, settings.HUB.trusted_proxies)
