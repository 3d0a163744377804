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

    def body(self) -> RequestBody:
        """The request's body; nothing of it has been read."""
        spout = self.plain.META.get("hub.spout")
        return RequestBody(self.plain) if spout is None else SplicedBody(self.plain, spout)


class RequestBody:
    """A body in pieces; raises BodyCutShort if less comes than was announced.

    Read from the server's own input: Django's stream is empty for a chunked body.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._source = request.META["wsgi.input"]
        self._ends = bool(request.META.get("wsgi.input_terminated"))
        self._announced = content_length(request)

    def __iter__(self) -> Iterator[bytes]:
        left = self._announced
        if left is None and not self._ends:
            return
        while left is None or left > 0:
            piece = self._read(PIECE_BYTES if left is None else min(left, PIECE_BYTES))
            if not piece:
                break
            if left is not None:
                left -= len(piece)
            yield piece
        if left:
            raise BodyCutShort(f"the body ended {left} bytes early; nothing was kept")

    def _read(self, size: int) -> bytes:
        try:
            return self._source.read(size)  # type: ignore[no-any-return]
        except (OSError, ParseException) as error:
            raise BodyCutShort("the connection ended early; nothing was kept") from error


class SplicedBody(RequestBody):
    """A body the server can move into a file by itself (storage.stream.Spout)."""

    def __init__(self, request: HttpRequest, spout: Any) -> None:
        super().__init__(request)
        self._spout = spout

    def move(self, descriptor: int, size: int) -> int:
        """See storage.stream.Spout; raises BodyCutShort."""
        try:
            return int(self._spout.move(descriptor, size))
        except ConnectionError as error:
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
