"""The one door out of /v1: every error as `{"error": sentence}`."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date, parse_http_date_safe
from rest_framework.exceptions import MethodNotAllowed

from core.errors import (
    HubError,
    NotFound,
    RangeWrong,
    RateLimited,
    Unauthenticated,
    Unavailable,
    Unsupported,
    status_of,
)
from core.logs import request_id

CHALLENGE = 'Basic realm="auth required",Token'
log = logging.getLogger(__name__)


class AuthorizationRequired(Unauthenticated):
    """Somebody who did not say who they are, or whose token is for something else."""

    def __init__(self) -> None:
        super().__init__("Requires authorization")


class RepositoryAbsent(NotFound):
    """Absent, or invisible to whoever asks."""

    def __init__(self) -> None:
        super().__init__("Repository not found")


class ImageAbsent(NotFound):
    """Absent, or in no repository the caller may pull from."""

    def __init__(self) -> None:
        super().__init__("Image not found")


class ChecksumMissing(HubError):
    """A client that sends none that could be compared."""

    code = "CHECKSUM_MISSING"


def render(error: Exception, request: HttpRequest) -> HttpResponse:
    """Status, body and headers for an error; anything unknown is a 500 with the text hidden."""
    known = _known(error)
    status = 412 if isinstance(known, ChecksumMissing) else status_of(known)
    response = json_response({"error": known.message}, request, status=status)
    response["Cache-Control"] = "no-store"
    if isinstance(known, Unauthenticated):
        response["WWW-Authenticate"] = CHALLENGE
    if isinstance(known, RangeWrong):  # without a body: so a client sees that it has all of it
        response = HttpResponse(status=416)
        response["Content-Length"] = "0"
        if isinstance(known.detail, dict):
            response["Content-Range"] = f"bytes */{known.detail['size']}"
    if isinstance(error, MethodNotAllowed):
        offered = [method for method in getattr(error, "allowed", []) if method != "OPTIONS"]
        response["Allow"] = ", ".join(offered)
    if isinstance(known, Unavailable | RateLimited):
        detail = known.detail if isinstance(known.detail, dict) else {}
        response["Retry-After"] = str(detail.get("retry_after_s", 1))
    return response


def json_response(body: Any, request: HttpRequest, *, status: int = 200) -> HttpResponse:
    """JSON with sorted keys and its length; for HEAD the headers alone."""
    text = json.dumps(body, sort_keys=True, ensure_ascii=False).encode(errors="replace")
    content = b"" if request.method == "HEAD" else text
    response = HttpResponse(content, content_type="application/json", status=status)
    response["Content-Length"] = str(len(text))
    return response


def http_date_in(seconds: int) -> str:
    """A time from now as headers write it."""
    return http_date(time.time() + seconds)


def was_seen(request: HttpRequest) -> bool:
    """Whether the client has a copy, of whatever date: what an id names never changes."""
    return parse_http_date_safe(request.headers.get("If-Modified-Since", "")) is not None


def _known(error: Exception) -> HubError:
    if isinstance(error, HubError):
        return error
    if isinstance(error, MethodNotAllowed):
        return Unsupported("this method is not offered here")
    if isinstance(error, OperationalError):
        log.warning("database did not answer: %s", error)
        return Unavailable("the registry is busy; try again")
    log.error("unexpected error", exc_info=error)
    return HubError(f"something went wrong here; request {request_id.get()}")
