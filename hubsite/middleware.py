"""What surrounds every answer: request id, the registry lane, security headers, error pages."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import get_resolver, reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import urlencode

from core.address import client_address
from core.errors import HubError, NotFound, Unauthenticated, status_of
from core.logs import request_id
from events.types import Origin, origin
from repos.errors import Moved

Next = Callable[[HttpRequest], HttpResponseBase]
_MOST = 2**63 - 1
_ID = re.compile(r"[0-9A-Za-z-]{8,64}")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; object-src 'none'"
)
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class RequestIdMiddleware:
    """Gives each request an id that its log lines and error answers carry, and notes whence it
    comes for the audit log."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.META.get("HTTP_X_REQUEST_ID", "") if settings.HUB.trusted_proxies else ""
        request_id.set(given if _ID.fullmatch(given) else uuid.uuid4().hex)
        origin.set(_origin(request))
        response = self.get_response(request)
        response["X-Request-Id"] = request_id.get()
        return response


class RegistryLane:
    """Answers /v1, /v2 and /token with URL patterns of their own, past everything below."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not _is_registry(request.path_info):
            return self.get_response(request)
        match = get_resolver(settings.ROLE.registry).resolve(request.path_info)
        request.resolver_match = match
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        return response


class SecurityHeadersMiddleware:
    """Constant headers on every page and REST answer."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method == "HEAD" and isinstance(response, HttpResponse):
            response["Content-Length"] = str(len(response.content))
            response.content = b""
        response.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.setdefault("X-Frame-Options", "DENY")
        if not request.path_info.startswith(settings.STATIC_URL):
            response.setdefault("Cache-Control", "private, no-store")
            patch_vary_headers(response, ["HX-Request", "Cookie"])
        return response


class HubErrorMiddleware:
    """Turns the errors of domain code into pages."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path_info:
            # PostgreSQL has no such text, so nothing can be found under it.
            return HttpResponse("This address is not valid.\n", "text/plain", status=400)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, values: dict[str, object]
    ) -> HttpResponse | None:
        """No row has a number that no column can hold, and not every look-up takes one. REST
        answers for itself."""
        large = any(isinstance(value, int) and value > _MOST for value in values.values())
        if large and not request.path_info.startswith("/api/"):
            return self.process_exception(
                request, NotFound("There is nothing here that you may see.")
            )
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A page for what we know; anything else goes on to become a 500."""
        if not isinstance(error, HubError):
            return None
        if isinstance(error, Unauthenticated):
            return _to_login(request)
        if isinstance(error, Moved) and request.method in ("GET", "HEAD"):
            return _to_present(request, error)
        status = status_of(error)
        template = "404.html" if status == 404 else "error.html"
        context = {"error": error, "status": status, "about": _repository_of(request)}
        return render(request, template, context, status=status)


def _origin(request: HttpRequest) -> Origin:
    client = request.META.get("HTTP_USER_AGENT", "")[:200]
    if not client.isprintable():
        client = "".join(c for c in client if c.isprintable())
    return Origin(client_address(request.META, settings.HUB.trusted_proxies), client)


def _repository_of(request: HttpRequest) -> str:
    """The repository an address is about, whether there is one or not."""
    match = request.resolver_match
    return str(match.kwargs.get("path", "")) if match is not None else ""


def _is_registry(path: str) -> bool:
    return any(path == p or path.startswith(f"{p}/") for p in settings.ROLE.prefixes)


def _to_login(request: HttpRequest) -> HttpResponse:
    address = f"{reverse(settings.LOGIN_URL)}?{urlencode({'next': _page_of(request)})}"
    if not request.headers.get("HX-Request"):
        return redirect(address)
    response = HttpResponse(status=401)
    response["HX-Redirect"] = address
    return response


def _to_present(request: HttpRequest, error: Moved) -> HttpResponse:
    """The same page of a repository under its present name."""
    old, address = f"/{error.old}", request.get_full_path()
    rest = address.removeprefix(old) if address.startswith(old) else ""
    return redirect(f"/{error.new}{rest}")


def _page_of(request: HttpRequest) -> str:
    """Where to come back to: the page asked for, or the one a form or a fragment is part of."""
    fragment = request.headers.get("HX-Request")
    if request.method in ("GET", "HEAD") and not fragment:
        return request.get_full_path()
    sent_from = (
        request.headers.get("HX-Current-URL") if fragment else request.META.get("HTTP_REFERER")
    )
    try:
        parts = urlsplit(sent_from or "")
    except ValueError:
        return "/"
    return (
        parts._replace(scheme="", netloc="").geturl() if parts.netloc == request.get_host() else "/"
    )
