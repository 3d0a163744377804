"""Blobs by digest (distribution-spec end-2, end-10)."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from oci import media
from oci.digest import Digest
from oci.ranges import ByteRange, parse_range
from registry import selectors
from registry.errors import BlobUnknown
from registry.models import Blob
from registry.services import links
from registry.v2.auth import Access, authorise
from registry.v2.base import RegistryView
from registry.v2.headers import cache_control
from repos.permissions import decide
from storage.base import ObjectMissing
from storage.factory import get_store
from storage.local import LocalStore

REDIRECT_LIFETIME_S = 60


class BlobView(RegistryView):
    """`/v2/<name>/blobs/<digest>`."""

    def get(self, request: Request, name: str, digest: str) -> HttpResponseBase:
        wanted = Digest.parse(digest)
        access = authorise(self.plain, name, "pull")
        link = selectors.get_link(access.repository, wanted)
        if link.review_after is not None and _may_push(access):
            links.keep(link)
        if self.plain.headers.get("If-None-Match", "").strip('"') == digest:
            return self._headers(HttpResponse(status=304), link.blob, access)
        if self.plain.method == "HEAD":
            return self._head(link.blob, access)
        return self._content(link.blob, access)

    def delete(self, request: Request, name: str, digest: str) -> HttpResponse:
        wanted = Digest.parse(digest)
        access = authorise(self.plain, name, "delete")
        links.unlink(access.repository, str(wanted), recheck=access.recheck("delete"))
        response = HttpResponse(status=202)
        response["Content-Length"] = "0"
        return response

    def _head(self, blob: Blob, access: Access) -> HttpResponseBase:
        """A client skips its upload on a 200, so damaged bytes must not be promised."""
        try:
            whole = get_store().size(blob.storage_key) == blob.size
        except ObjectMissing:
            whole = False
        if not whole:
            raise BlobUnknown("blob unknown to registry", detail={"digest": blob.digest})
        response = self._headers(HttpResponse(), blob, access)
        response["Content-Length"] = str(blob.size)
        return response

    def _content(self, blob: Blob, access: Access) -> HttpResponseBase:
        header = self.plain.headers.get("Range", "")
        condition = self.plain.headers.get("If-Range", "").strip('"')
        part = None
        if header and condition in ("", blob.digest):
            part = parse_range(header, blob.size)
        location = get_store().location(blob.storage_key, expires_s=REDIRECT_LIFETIME_S)
        if location is not None:
            response: HttpResponseBase = HttpResponse(status=307)
            response["Location"] = location
            return self._headers(response, blob, access)
        response = self._headers(_stream(blob, part), blob, access)
        response["Content-Length"] = str(part.length if part else blob.size)
        if part:
            response.status_code = 206
            response["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{blob.size}"
        return response

    def _headers(self, response: HttpResponseBase, blob: Blob, access: Access) -> HttpResponseBase:
        values: dict[str, Any] = {
            "Content-Type": media.OCTET_STREAM,
            "Docker-Content-Digest": blob.digest,
            "ETag": f'"{blob.digest}"',
            "Accept-Ranges": "bytes",
            "Content-Disposition": "attachment",
            "Cache-Control": cache_control(True, access.repository.is_public),
        }
        for key, value in values.items():
            response[key] = value
        return response


def _may_push(access: Access) -> bool:
    return decide(access.grant.principal, "push", access.repository).allowed


def _stream(blob: Blob, part: ByteRange | None) -> HttpResponseBase:
    """Local files go from the disk to the socket without passing through Python."""
    store = get_store()
    start, stop = (part.start, part.stop) if part else (0, None)
    try:
        if isinstance(store, LocalStore):
            file = store.path(blob.storage_key).open("rb")
            file.seek(start)
            return FileResponse(file)
        return StreamingHttpResponse(store.open(blob.storage_key, start, stop))
    except (ObjectMissing, FileNotFoundError) as error:
        raise BlobUnknown("blob unknown to registry", detail={"digest": blob.digest}) from error
