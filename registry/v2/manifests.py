"""Manifests by tag or digest (distribution-spec end-3, end-7, end-9)."""

from __future__ import annotations

from functools import partial

from django.http import HttpResponse
from rest_framework.request import Request

from core import memo
from oci.digest import Digest
from oci.errors import ManifestTooLarge
from oci.manifest import MAX_MANIFEST_BYTES
from oci.names import parse_reference, parse_tag
from registry import selectors
from registry.errors import NameUnknown
from registry.models import Manifest
from registry.services import pulls
from registry.services.manifests import delete_manifest, put_manifest, refuse_unfounded
from registry.services.tags import delete_tag
from registry.v2.auth import authorise
from registry.v2.base import RegistryView, content_length
from registry.v2.errors import TooManyTags
from registry.v2.headers import bodiless, cache_control, is_known
from repos.services.aliases import note_use

MAX_TAGS = 25  # their names come back in one header, and proxies take 4 KiB of headers


class ManifestView(RegistryView):
    """`/v2/<name>/manifests/<reference>`."""

    def get(self, request: Request, name: str, reference: str) -> HttpResponse:
        wanted = parse_reference(reference)
        access = authorise(self.plain, name, "pull")
        manifest = selectors.get_manifest(access.repository, wanted)
        fresh = is_known(self.plain.headers.get("If-None-Match", ""), manifest.digest)
        response = bodiless(304) if fresh else self._content(manifest)
        response["Docker-Content-Digest"] = manifest.digest
        response["ETag"] = f'"{manifest.digest}"'
        response["Cache-Control"] = cache_control(
            isinstance(wanted, Digest), access.repository.is_public
        )
        if self.plain.method == "GET" and not fresh:
            self._count(manifest, wanted, access.former)
        return response

    def put(self, request: Request, name: str, reference: str) -> HttpResponse:
        wanted = parse_reference(reference)
        tags = self._tags(wanted)
        content_type = self.plain.META.get("CONTENT_TYPE", "")
        try:
            access, payload = authorise(self.plain, name, "push"), self._payload()
        except NameUnknown:
            payload = self._payload()
            refuse_unfounded(payload, content_type, wanted)
            access = authorise(self.plain, name, "push", create=True)
        result = put_manifest(
            access.repository,
            payload,
            content_type=content_type,
            reference=wanted,
            tags=tags,
            actor=access.grant.principal.actor,
            recheck=access.recheck("push"),
        )
        headers = {
            "Location": f"/v2/{name}/manifests/{result.digest}",
            "Docker-Content-Digest": result.digest,
        }
        if result.subject_digest:
            headers["OCI-Subject"] = result.subject_digest
        if tags:
            headers["OCI-Tag"] = ", ".join(tags)
        return bodiless(201, headers)

    def delete(self, request: Request, name: str, reference: str) -> HttpResponse:
        wanted = parse_reference(reference)
        access = authorise(self.plain, name, "delete")
        actor, recheck = access.grant.principal.actor, access.recheck("delete")
        if isinstance(wanted, Digest):
            delete_manifest(access.repository, wanted, actor=actor, recheck=recheck)
        else:
            delete_tag(access.repository, wanted, actor=actor, recheck=recheck)
        return bodiless(202)

    def _tags(self, wanted: Digest | str) -> list[str]:
        """`?tag=`, each once; means nothing beside a tag, where no `OCI-Tag` says so."""
        if isinstance(wanted, str):
            return []
        tags = list(dict.fromkeys(parse_tag(tag) for tag in self.plain.GET.getlist("tag")))
        if len(tags) > MAX_TAGS:
            raise TooManyTags(f"at most {MAX_TAGS} tags can be pushed at once")
        return tags

    def _content(self, manifest: Manifest) -> HttpResponse:
        payload = bytes(manifest.payload)
        body = b"" if self.plain.method == "HEAD" else payload
        response = HttpResponse(body, content_type=manifest.media_type)
        response["Content-Length"] = str(len(payload))
        return response

    def _count(self, manifest: Manifest, wanted: Digest | str, former: str) -> None:
        """Children of an image index are part of the pull that began with the index."""
        tag = wanted if isinstance(wanted, str) else None
        if tag is None and not manifest.tags.exists():
            return
        memo.each_time(partial(pulls.note_pull, manifest.repository_id, manifest.pk, tag))
        if former:
            memo.each_time(partial(note_use, former))

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
