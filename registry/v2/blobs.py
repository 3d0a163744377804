"""Blobs by digest (distribution-spec end-2, end-10)."""

from __future__ import annotations

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from core import memo
from oci.digest import Digest
from registry import selectors
from registry.services import links
from registry.v2.auth import Access, authorise
from registry.v2.base import RegistryView
from registry.v2.headers import bodiless, cache_control
from registry.v2.serving import serve
from repos.permissions import decide


class BlobView(RegistryView):
    """`/v2/<name>/blobs/<digest>`."""

    def get(self, request: Request, name: str, digest: str) -> HttpResponseBase:
        wanted = Digest.parse(digest)
        access = authorise(self.plain, name, "pull")
        link = selectors.get_link(access.repository, wanted)
        if link.review_after is not None and _may_push(access):
            memo.never()
            links.keep(link)
        response = serve(self.plain, link.blob)
        response["Docker-Content-Digest"] = link.blob.digest
        response["ETag"] = f'"{link.blob.digest}"'
        if response.status_code != 307:  # where a redirect leads is good for a minute only
            response["Cache-Control"] = cache_control(True, access.repository.is_public)
        return response

    def delete(self, request: Request, name: str, digest: str) -> HttpResponse:
        wanted = Digest.parse(digest)
        access = authorise(self.plain, name, "delete")
        links.unlink(access.repository, str(wanted), recheck=access.recheck("delete"))
        return bodiless(202)


def _may_push(access: Access) -> bool:
    return decide(access.grant.principal, "push", access.repository).allowed
