"""The one door out of /v2: every error as the specification's JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import MethodNotAllowed

from core.errors import (
    HubError,
    RangeWrong,
    RateLimited,
    Unauthenticated,
    Unavailable,
    Unsupported,
    status_of,
)
from core.logs import request_id
from oci.scope import parse_scopes
from registry.errors import InUse, ManifestBlobUnknown, UploadRangeWrong
from registry.v2.headers import upload_headers
from tokens.gate import challenge

log = logging.getLogger(__name__)


class Challenge(Unauthenticated):
    """A credential is missing, bad, or does not reach; tells where to get a better one."""

    def __init__(self, message: str, *, scopes: Sequence[str] = (), error: str = "") -> None:
        wanted = [
            {"Type": scope.type, "Name": scope.name, "Action": action}
            for scope in parse_scopes(scopes)
            for action in scope.actions
        ]
        super().__init__(message, detail=wanted or None)
        self.scopes = scopes
        self.error = error


class TooManyTags(HubError):
    """More tags in one push than are taken at once."""

    code = "TAG_INVALID"
    status = 414


def render(error: Exception, request: HttpRequest, name: str) -> HttpResponse:
    """Status, body and headers for an error; anything unknown is a 500 with the text hidden."""
    known = _known(error)
    entries = [{"code": known.code, "message": known.message, "detail": known.detail}]
    if isinstance(known, ManifestBlobUnknown):
        entries = [{**entries[0], "detail": detail} for detail in known.detail]
    entries = [{k: v for k, v in entry.items() if v is not None} for entry in entries]
    status = known.status if isinstance(known, TooManyTags) else status_of(known)
    response = json_response({"errors": entries}, request, status=status)
    response["Cache-Control"] = "no-store"
    _add_headers(response, known, name)
    if isinstance(error, MethodNotAllowed):
        offered = [method for method in getattr(error, "allowed", []) if method != "OPTIONS"]
        response["Allow"] = ", ".join(offered)
    return response


def json_response(body: Any, request: HttpRequest, *, status: int = 200) -> HttpResponse:
    """JSON with its length, no longer than it need be; for HEAD the headers alone."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    content = b"" if request.method == "HEAD" else text
    response = HttpResponse(content, content_type="application/json", status=status)
    response["Content-Length"] = str(len(text))
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
        response["WWW-Authenticate"] = challenge(scopes, reason)
    if isinstance(error, UploadRangeWrong):
        for key, value in upload_headers(name, error.upload, error.offset).items():
            response[key] = value
    elif isinstance(error, RangeWrong) and isinstance(error.detail, dict):
        response["Content-Range"] = f"bytes */{error.detail['size']}"
    if isinstance(error, InUse):
        response["Allow"] = "GET, HEAD"
    if isinstance(error, Unavailable | RateLimited):
        known = error.detail if isinstance(error.detail, dict) else {}
        response["Retry-After"] = str(known.get("retry_after_s", 1))
