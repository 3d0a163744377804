"""The REST API's one door out for errors: problem documents (RFC 9457) with code and reasons."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import Http404
from django.urls import reverse
from rest_framework.exceptions import APIException, ErrorDetail, NotAuthenticated, ValidationError
from rest_framework.response import Response

from core.errors import (
    Denied,
    HubError,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    status_of,
)

CONTENT_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Authentication required",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    429: "Too many requests",
    500: "Internal error",
    503: "Not available",
}
log = logging.getLogger(__name__)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """A problem document for everything; what we do not know is logged and tells nothing."""
    if isinstance(error, Http404):
        error = NotFound("There is nothing here that you may see.")
    if isinstance(error, RequestDataTooBig):
        error = TooLarge("This body is larger than any the API takes.")
    if isinstance(error, OperationalError):
        log.warning("database did not answer: %s", error)
        error = Unavailable("The hub is busy; try again.")
    if isinstance(error, HubError):
        return _of_hub_error(error)
    if isinstance(error, APIException):
        return _of_framework_error(error)
    log.error("a REST view failed", exc_info=error)
    return problem(500, "internal", "Something went wrong here; the log has it.")


def problem(
    status: int, code: str, detail: str, *, reasons: tuple[str, ...] = (), errors: Any = None
) -> Response:
    """One problem document."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
    }
    if status in (401, 403):
        body["reasons"] = list(reasons or (detail,))
    if errors is not None:
        body["errors"] = errors
    return Response(body, status=status, content_type=CONTENT_TYPE)


def _of_hub_error(error: HubError) -> Response:
    response = problem(status_of(error), error.code.lower(), error.message, reasons=error.reasons)
    if isinstance(error, Denied):
        page = reverse("help-reasons")
        response.data["type"] = f"{settings.HUB.external_url}{page}#{error.code.lower()}"
    if isinstance(error, Unauthenticated):
        response["WWW-Authenticate"] = 'Bearer realm="Hub"'
    if isinstance(error.detail, dict) and "retry_after_s" in error.detail:
        response["Retry-After"] = str(error.detail["retry_after_s"])
    return response


def _of_framework_error(error: APIException) -> Response:
    code = error.get_codes()
    word = code if isinstance(code, str) else "invalid"
    errors = error.detail if isinstance(error, ValidationError) else None
    response = problem(error.status_code, word, _sentence(error.detail), errors=errors)
    if error.status_code == 401 or isinstance(error, NotAuthenticated):
        response["WWW-Authenticate"] = 'Bearer realm="Hub"'
    wait = getattr(error, "wait", None)
    if wait:
        response["Retry-After"] = str(int(wait) + 1)
    return response


def _sentence(detail: Any) -> str:
    """The first sentence of the framework's nested detail, with the field in front."""
    if isinstance(detail, dict):
        key, value = next(iter(detail.items()))
        text = _sentence(value)
        return text if key == "non_field_errors" else f"{key}: {text}"
    if isinstance(detail, list):
        return _sentence(detail[0])
    return str(ErrorDetail(detail))
