"""The view every endpoint of /v2 extends: version header, raw body, one door out for errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from gunicorn.http.errors import ParseException
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request

from core.views import BareView
from oci.errors import SizeInvalid
from registry.errors import BodyCutShort, PageSizeInvalid
from registry.v2 import errors
from registry.v2.headers import VERSION

PIECE_BYTES = 1024 * 1024
DEFAULT_PAGE = 1000
MAX_PAGE = 10_000


class RegistryView(BareView):
    """Handlers get `self.plain`, the request as it came."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Headers of every answer, errors included."""
        response[VERSION[0]] = VERSION[1]
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Security-Policy"] = "sandbox; default-src 'none'"
        return response

    def render_error(self, error: Exception) -> HttpResponseBase:
        """See registry/v2/errors.py."""
        if isinstance(error, MethodNotAllowed):
            error.allowed = self.allowed_methods  # type: ignore[attr-defined]
        return errors.render(error, self.plain, str(self.kwargs.get("name", "")))

    def answer(self, body: Any, *, status: int = 200) -> HttpResponse:
        """JSON with its length."""
        return errors.json_response(body, self.plain, status=status)

    def body(self) -> Iterator[bytes]:
        """The request's body in pieces; raises BodyCutShort if less comes than was announced.

        Read from the server's own input: Django's stream is empty for a chunked body.
        """
        announced = content_length(self.plain)
        source = self.plain.META["wsgi.input"]
        if announced is None and not self.plain.META.get("wsgi.input_terminated"):
            return
        left = announced
        while left is None or left > 0:
            piece = self._read(source, PIECE_BYTES if left is None else min(left, PIECE_BYTES))
            if not piece:
                break
            if left is not None:
                left -= len(piece)
            yield piece
        if left:
            raise BodyCutShort(f"the body ended {left} bytes early; nothing was kept")

    def _read(self, source: Any, size: int) -> bytes:
        try:
            return source.read(size)  # type: ignore[no-any-return]
        except (OSError, ParseException) as error:
            raise BodyCutShort("the connection ended early; nothing was kept") from error


def content_length(request: HttpRequest) -> int | None:
    """The announced length in bytes, or None if the body is chunked or there is none."""
    text = request.META.get("CONTENT_LENGTH") or ""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise SizeInvalid("Content-Length must be a whole number")
    return int(text)


def page_size(request: HttpRequest, default: int = DEFAULT_PAGE) -> int:
    """`n`, capped; raises PageSizeInvalid."""
    text = request.GET.get("n")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise PageSizeInvalid("n must be a whole number from 0 on", detail={"n": text[:20]})
    return min(int(text), MAX_PAGE)
