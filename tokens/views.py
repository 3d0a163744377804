"""The token service: GET with Basic, POST with a form (token and OAuth2 specifications)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request

from accounts.services.credentials import authenticate
from accounts.types import Principal
from core import memo
from core.address import client_address
from core.errors import HubError, Invalid, Unauthenticated, Unavailable, Unsupported, status_of
from core.logs import request_id
from core.views import BareView
from oci.scope import parse_scopes
from tokens.challenge import BASIC
from tokens.forms import GrantUnsupported, read_form
from tokens.jwt import public_jwk
from tokens.refresh import create_refresh_token, redeem
from tokens.services import check_service, current_keys, issue
from tokens.verify import read_authorization

log = logging.getLogger(__name__)
_SECRETS = ("password", "refresh_token", "access_token")
_KEYS_KEPT_S = 60
SAME_TOKEN_S = 30  # whoever asks the same again soon may get the same token again


class _TokenServiceView(BareView):
    cache_control = "no-store"

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Headers of every answer, errors included."""
        good = response.status_code == 200
        response["Cache-Control"] = self.cache_control if good else "no-store"
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Length"] = str(len(response.content))
        if self.plain.method == "HEAD":
            response.content = b""
        return response

    def render_error(self, error: Exception) -> HttpResponseBase:
        """As the registry's errors, with OAuth2's word beside them where it has one."""
        known = _known(error, self.allowed_methods)
        entry = {"code": known.code, "message": known.message, "detail": known.detail}
        body: dict[str, Any] = {"errors": [entry]}
        if self.plain.method == "POST" and (word := _oauth_word(known)):
            body |= {"error": word, "error_description": known.message}
        response = JsonResponse(body, status=status_of(known))
        if isinstance(known, Unauthenticated):
            response["WWW-Authenticate"] = BASIC
        if isinstance(known, Unsupported):
            response["Allow"] = ", ".join(self.allowed_methods)
        if isinstance(known, Unavailable):
            response["Retry-After"] = "1"
        elif isinstance(known.detail, dict) and "retry_after_s" in known.detail:
            response["Retry-After"] = str(known.detail["retry_after_s"])
        return response


class TokenView(_TokenServiceView):
    """`/token`."""

    http_method_names = ["get", "post"]  # a HEAD would sign tokens for nobody

    def get(self, request: Request) -> HttpResponse:
        """Basic credentials, an access token, or nobody; refresh tokens only if asked for."""
        query = self.plain.GET
        if any(name in query for name in _SECRETS):
            raise Invalid("Addresses are logged: send secrets in the Authorization header.")
        service = check_service(query.get("service", ""))
        grant = read_authorization(
            self.plain.META.get("HTTP_AUTHORIZATION", ""), address=_address(self.plain)
        )
        if grant.access is not None:
            raise Unauthenticated("Ask for a token with a user name and password or access token.")
        refresh_token = ""
        if query.get("offline_token") == "true" and not grant.principal.is_anonymous:
            refresh_token = create_refresh_token(
                grant.principal, service=service, client_id=query.get("client_id", "")
            )
        return _answer(grant.principal, query.getlist("scope"), service, refresh_token)

    def post(self, request: Request) -> HttpResponse:
        """A password, an access token in its place, or a refresh token."""
        form = read_form(self.plain)
        address = _address(self.plain)
        if form.grant_type == "password":
            service = check_service(form.service)
            principal = authenticate(form.username, form.password, address=address)
            refresh_token = ""
            if form.offline:
                refresh_token = create_refresh_token(
                    principal, service=service, client_id=form.client_id
                )
        elif form.grant_type == "refresh_token":
            if form.service:
                check_service(form.service)
            refresh_token = form.refresh_token
            redeemed = redeem(refresh_token, service=form.service, address=address)
            principal, service = redeemed.principal, redeemed.service
        else:
            raise GrantUnsupported("Offered are the grant types password and refresh_token.")
        return _answer(principal, form.scopes, service, refresh_token)


class KeySetView(_TokenServiceView):
    """The public keys that verify our tokens (RFC 7517)."""

    http_method_names = ["get", "head"]
    cache_control = f"public, max-age={_KEYS_KEPT_S}"

    def get(self, request: Request) -> HttpResponse:
        """Every key that has signed a token which may still be alive."""
        return JsonResponse({"keys": [public_jwk(key) for key in current_keys()]})


def _answer(
    principal: Principal, scopes: Sequence[str], service: str, refresh_token: str
) -> HttpResponse:
    issued = issue(principal, parse_scopes(scopes), service=service)
    memo.until(issued.issued_at.timestamp() + SAME_TOKEN_S)
    body: dict[str, Any] = {
        "token": issued.token,
        "access_token": issued.token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in_s,
        "issued_at": f"{issued.issued_at:%Y-%m-%dT%H:%M:%SZ}",
        "scope": " ".join(str(scope) for scope in issued.granted),
    }
    if refresh_token:
        body["refresh_token"] = refresh_token
    return JsonResponse(body)


def _known(error: Exception, allowed: list[str]) -> HubError:
    if isinstance(error, HubError):
        return error
    if isinstance(error, MethodNotAllowed):
        return Unsupported(f"Use {' or '.join(allowed)}.")
    if isinstance(error, OperationalError):
        log.warning("database did not answer: %s", error)
        return Unavailable("The token service is busy; try again.")
    log.error("unexpected error", exc_info=error)
    return HubError("Something went wrong here.", detail={"request_id": request_id.get()})


def _oauth_word(error: HubError) -> str:
    """RFC 6749, 5.2."""
    if isinstance(error, Unauthenticated):
        return "invalid_grant"
    if isinstance(error, GrantUnsupported):
        return "unsupported_grant_type"
    return "invalid_request" if isinstance(error, Invalid) else ""


def _address(request: HttpRequest) -> str:
    return client_address(request.META, settings.HUB.trusted_proxies)
