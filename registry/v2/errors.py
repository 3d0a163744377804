"""The one door out of /v2: every error as the specification's JSON."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework.exceptions import MethodNotAllowed

from core.errors import (
    HubError,
    RangeWrong,
    Unauthenticated,
    Unavailable,
    Unsupported,
    status_of,
)
from core.logs import request_id
from registry.errors import ManifestBlobUnknown, UploadRangeWrong
from registry.v2.headers import upload_headers
from tokens.challenge import bearer

log = logging.getLogger(__name__)


class Challenge(Unauthenticated):
    """A credential is missing, bad, or does not reach; tells where to get a better one."""

    def __init__(self, message: str, *, scopes: Sequence[str] = (), error: str = "") -> None:
        super().__init__(message)
        self.scopes = scopes
        self.error = error


def render(error: Exception, request: HttpRequest, name: str) -> HttpResponse:
    """Status, body and headers for an error; anything unknown is a 500 with the text hidden."""
    known = _known(error)
    entries = [{"code": known.code, "message": known.message, "detail": known.detail}]
    if isinstance(known, ManifestBlobUnknown):
        entries = [{**entries[0], "detail": detail} for detail in known.detail]
    response = json_response({"errors": entries}, request, status=status_of(known))
    _add_headers(response, known, name)
    if isinstance(error, MethodNotAllowed):
        response["Allow"] = ", ".join(getattr(error, "allowed", []))
    return response


def json_response(body: Any, request: HttpRequest, *, status: int = 200) -> HttpResponse:
    """JSON with its length; for HEAD the headers alone."""
    response: HttpResponse = JsonResponse(body, status=status)
    response["Content-Length"] = str(len(response.content))
    if request.method == "HEAD":
        response.content = b""
    return response


def _known(error: Exception) -> HubError:
    if isinstance(error, HubError):
        return error
    if isinstance(error, MethodNotAllowed):
        return Unsupported("this method is not offered here")
    if isinstance(error, OperationalError):
        log.warning("database did not answer: %s", error)
        return Unavailable("the registry is busy; try again")
    log.error("unexpected error", exc_info=error)
    unknown = HubError("something went wrong here", detail={"request_id": request_id.get()})
    unknown.code = "UNKNOWN"
    return unknown


def _add_headers(response: HttpResponse, error: HubError, name: str) -> None:
    if isinstance(error, Unauthenticated):
        scopes = error.scopes if isinstance(error, Challenge) else ()
        reason = error.error if isinstance(error, Challenge) else "invalid_token"
        response["WWW-Authenticate"] = bearer(scopes, reason)
    if isinstance(error, UploadRangeWrong):
        for key, value in upload_headers(name, error.upload, error.offset).items():
            if key != "Content-Length":  # that of an answer without a body
                response[key] = value
    elif isinstance(error, RangeWrong) and isinstance(error.detail, dict):
        response["Content-Range"] = f"bytes */{error.detail['size']}"
    if isinstance(error, Unavailable):
        response["Retry-After"] = "1"
    elif isinstance(error.detail, dict) and "retry_after_s" in error.detail:
        response["Retry-After"] = str(error.detail["retry_after_s"])
