"""Manifests by tag or digest (distribution-spec end-3, end-7, end-9)."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from oci.digest import Digest
from oci.errors import ManifestTooLarge
from oci.manifest import MAX_MANIFEST_BYTES
from oci.names import parse_reference
from registry import selectors
from registry.errors import NameUnknown
from registry.models import Manifest
from registry.services import pulls
from registry.services.manifests import delete_manifest, put_manifest, refuse_unfounded
from registry.services.tags import delete_tag
from registry.v2.auth import authorise
from registry.v2.base import RegistryView, content_length
from registry.v2.headers import cache_control


class ManifestView(RegistryView):
    """`/v2/<name>/manifests/<reference>`."""

    def get(self, request: Request, name: str, reference: str) -> HttpResponse:
        wanted = parse_reference(reference)
        access = authorise(self.plain, name, "pull")
        manifest = selectors.get_manifest(access.repository, wanted)
        fresh = self.plain.headers.get("If-None-Match", "").strip('"') == manifest.digest
        response = HttpResponse(status=304) if fresh else self._content(manifest)
        response["Docker-Content-Digest"] = manifest.digest
        response["ETag"] = f'"{manifest.digest}"'
        response["Cache-Control"] = cache_control(
            isinstance(wanted, Digest), access.repository.is_public
        )
        if self.plain.method == "GET" and not fresh:
            self._count(manifest, wanted)
        return response

    def put(self, request: Request, name: str, reference: str) -> HttpResponse:
        wanted = parse_reference(reference)
        content_type = self.plain.META.get("CONTENT_TYPE", "")
        try:
            access, payload = authorise(self.plain, name, "push"), self._payload()
        except NameUnknown:
            payload = self._payload()
            refuse_unfounded(payload, content_type)
            access = authorise(self.plain, name, "push", create=True)
        result = put_manifest(
            access.repository,
            payload,
            content_type=content_type,
            reference=wanted,
            actor=access.grant.principal.actor,
            recheck=access.recheck("push"),
        )
        response = HttpResponse(status=201)
        response["Location"] = f"/v2/{name}/manifests/{result.digest}"
        response["Docker-Content-Digest"] = result.digest
        response["Content-Length"] = "0"
        if result.subject_digest:
            response["OCI-Subject"] = result.subject_digest
        return response

    def delete(self, request: Request, name: str, reference: str) -> HttpResponse:
        wanted = parse_reference(reference)
        access = authorise(self.plain, name, "delete")
        actor, recheck = access.grant.principal.actor, access.recheck("delete")
        if isinstance(wanted, Digest):
            delete_manifest(access.repository, wanted, actor=actor, recheck=recheck)
        else:
            delete_tag(access.repository, wanted, actor=actor, recheck=recheck)
        response = HttpResponse(status=202)
        response["Content-Length"] = "0"
        return response

    def _content(self, manifest: Manifest) -> HttpResponse:
        payload = bytes(manifest.payload)
        body = b"" if self.plain.method == "HEAD" else payload
        response = HttpResponse(body, content_type=manifest.media_type)
        response["Content-Length"] = str(len(payload))
        return response

    def _count(self, manifest: Manifest, wanted: Digest | str) -> None:
        """Children of an image index are part of the pull that began with the index."""
        if isinstance(wanted, str):
            pulls.note_pull(manifest, wanted)
        elif manifest.tags.exists():
            pulls.note_pull(manifest, None)

    def _payload(self) -> bytes:
        limit = MAX_MANIFEST_BYTES
        announced = content_length(self.plain)
        if announced is not None and announced > limit:
            raise ManifestTooLarge(f"a manifest may be at most {limit} bytes")
        pieces, size = [], 0
        for piece in self.body():
            size += len(piece)
            if size > limit:
                raise ManifestTooLarge(f"a manifest may be at most {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)
