"""The bytes of a blob: whole or in ranges, from the store to the socket; for /v1 and /v2."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from functools import partial

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from core import memo
from oci import media
from oci.ranges import ByteRange, parse_ranges
from registry.errors import BlobUnknown
from registry.models import Blob
from registry.services import links
from registry.v2.headers import bodiless, is_known
from storage.base import ObjectMissing
from storage.factory import get_store
from storage.local import LocalStore

REDIRECT_LIFETIME_S = 60


def serve(request: HttpRequest, blob: Blob, *, redirect: int = 307) -> HttpResponseBase:
    """The answer to a GET or HEAD that was allowed; `redirect` is the status that leads to a store.

    Raises BlobUnknown for bytes that are damaged or gone, RangeWrong.
    """
    if is_known(request.headers.get("If-None-Match", ""), blob.digest):
        return bodiless(304)
    if request.method == "HEAD":
        return _head(blob)
    ranges = _ranges(request, blob)
    location = get_store().location(blob.storage_key, expires_s=REDIRECT_LIFETIME_S)
    if location is not None:
        return bodiless(redirect, {"Location": location, "Cache-Control": "no-store"})
    if len(ranges) > 1:
        return _several(blob, ranges)
    return _one(blob, ranges[0]) if ranges else _stream(blob, ByteRange(0, blob.size))


def _head(blob: Blob) -> HttpResponseBase:
    """A client skips its upload on a 200, so damaged bytes must not be promised."""
    is_whole = partial(links.is_whole, blob.storage_key, blob.size)
    if not is_whole():
        raise _unknown(blob)
    memo.while_holds(is_whole)
    return _described(HttpResponse(), blob.size)


def _ranges(request: HttpRequest, blob: Blob) -> tuple[ByteRange, ...]:
    """What is asked for; all of it if the client holds parts of something else."""
    condition = request.headers.get("If-Range", "").strip().strip('"')
    if condition not in ("", blob.digest):
        return ()
    return parse_ranges(request.headers.get("Range", ""), blob.size)


def _one(blob: Blob, part: ByteRange) -> HttpResponseBase:
    response = _stream(blob, part)
    response.status_code = 206
    response["Content-Range"] = _content_range(part, blob)
    return response


def _several(blob: Blob, ranges: tuple[ByteRange, ...]) -> HttpResponseBase:
    """`multipart/byteranges` (RFC 9110, 14.6), one piece of the store in memory at a time."""
    if not links.is_whole(blob.storage_key, blob.size):
        raise _unknown(blob)
    boundary = uuid.uuid4().hex
    heads = [_part_head(boundary, part, blob) for part in ranges]
    end = f"\r\n--{boundary}--\r\n".encode()

    def body() -> Iterator[bytes]:
        for head, part in zip(heads, ranges, strict=True):
            yield head
            yield from get_store().open(blob.storage_key, part.start, part.stop)
        yield end

    size = sum(map(len, heads)) + sum(part.length for part in ranges) + len(end)
    response = _described(StreamingHttpResponse(body(), status=206), size)
    response["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    return response


def _part_head(boundary: str, part: ByteRange, blob: Blob) -> bytes:
    return (
        f"\r\n--{boundary}\r\nContent-Type: {media.OCTET_STREAM}\r\n"
        f"Content-Range: {_content_range(part, blob)}\r\n\r\n"
    ).encode()


def _content_range(part: ByteRange, blob: Blob) -> str:
    return f"bytes {part.start}-{part.stop - 1}/{blob.size}"


def _stream(blob: Blob, part: ByteRange) -> HttpResponseBase:
    """Local files go from the disk to the socket without passing through Python.

    Not for a part before the end: a server may send a file on to its end.
    """
    store = get_store()
    response: HttpResponseBase
    try:
        if isinstance(store, LocalStore) and part.stop == blob.size:
            file = store.path(blob.storage_key).open("rb")
            file.seek(part.start)
            response = FileResponse(file)
        else:
            pieces = store.open(blob.storage_key, part.start, part.stop)
            response = StreamingHttpResponse(pieces)
    except (ObjectMissing, FileNotFoundError) as error:
        raise _unknown(blob) from error
    return _described(response, part.length)


def _described(response: HttpResponseBase, size: int) -> HttpResponseBase:
    """What a browser must not guess, and the length."""
    response["Content-Type"] = media.OCTET_STREAM
    response["Content-Length"] = str(size)
    response["Accept-Ranges"] = "bytes"
    response["Content-Disposition"] = "attachment"
    return response


def _unknown(blob: Blob) -> BlobUnknown:
    return BlobUnknown("blob unknown to registry", detail={"digest": blob.digest})
