"""Uploads: open, append, close, status, cancel, mount (distribution-spec end-4 to 6, 11, 13)."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from rest_framework.request import Request

from core.errors import HubError
from oci.digest import Digest, hasher
from oci.errors import DigestInvalid, SizeInvalid
from oci.names import RepositoryName
from oci.ranges import parse_chunk
from registry import selectors
from registry.errors import BlobUnknown, UploadUnknown
from registry.models import UploadSession
from registry.services import links, uploads
from registry.v2.auth import Access, authorise
from registry.v2.base import RegistryView, content_length
from registry.v2.headers import upload_headers
from repos.permissions import decide, find_visible


class UploadsView(RegistryView):
    """`/v2/<name>/blobs/uploads/`."""

    def post(self, request: Request, name: str) -> HttpResponse:
        query = self.plain.GET
        mount = Digest.parse(query["mount"]) if "mount" in query else None
        digest = Digest.parse(query["digest"]) if "digest" in query else None
        algorithm = query.get("digest-algorithm", digest.algorithm if digest else "sha256")
        hasher(algorithm)
        access = authorise(self.plain, name, "push", create=True)
        if mount is not None and self._mount(access, mount, query.get("from", "")):
            return created(name, mount)
        if digest is not None:
            uploads.put_blob(
                access.repository,
                self.body(),
                digest,
                actor=access.grant.principal.actor,
                recheck=access.recheck("push"),
            )
            return created(name, digest)
        session = uploads.start(
            access.repository, actor=access.grant.principal.actor, algorithm=algorithm
        )
        return state(name, session, 202)

    def _mount(self, access: Access, digest: Digest, source_name: str) -> bool:
        """False, never a refusal, for a source that is absent, hidden or without the blob."""
        if self._is_linked(access, digest):
            return True
        try:
            path = str(RepositoryName.parse(source_name))
        except HubError:
            return False
        source = find_visible(access.grant.principal, path)
        if source is None or not access.grant.covers(source_name, "pull"):
            return False
        if not decide(access.grant.principal, "pull", source).allowed:
            return False
        return links.mount(access.repository, source, str(digest), recheck=access.recheck("push"))

    def _is_linked(self, access: Access, digest: Digest) -> bool:
        try:
            links.keep(selectors.get_link(access.repository, digest))
        except BlobUnknown:
            return False
        return True


class UploadView(RegistryView):
    """`/v2/<name>/blobs/uploads/<upload>`."""

    def get(self, request: Request, name: str, upload: str) -> HttpResponse:
        access = authorise(self.plain, name, "push")
        return state(name, self._find(access, upload), 204)

    def patch(self, request: Request, name: str, upload: str) -> HttpResponse:
        access = authorise(self.plain, name, "push")
        session = self._find(access, upload)
        session = uploads.append(session, self.body(), start_at=self._start())
        return state(name, session, 202)

    def put(self, request: Request, name: str, upload: str) -> HttpResponse:
        text = self.plain.GET.get("digest")
        if not text:
            raise DigestInvalid("the digest parameter is missing")
        digest = Digest.parse(text)
        access = authorise(self.plain, name, "push")
        try:
            session = self._find(access, upload)
            start = self._start()
            if content_length(self.plain) != 0 or start is not None:
                session = self._append_last(session, digest, start)
            uploads.finish(session, digest, recheck=access.recheck("push"))
        except UploadUnknown:
            if not self._was_finished(access, digest):
                raise
        return created(name, digest)

    def delete(self, request: Request, name: str, upload: str) -> HttpResponse:
        access = authorise(self.plain, name, "push")
        uploads.cancel(self._find(access, upload))
        return HttpResponse(status=204)

    def _append_last(
        self, session: UploadSession, digest: Digest, start: int | None
    ) -> UploadSession:
        if session.offset == 0:
            session.algorithm = digest.algorithm  # hash the only piece the way it is asked for
        return uploads.append(session, self.body(), start_at=start)

    def _was_finished(self, access: Access, digest: Digest) -> bool:
        """A client repeats a PUT whose answer was lost; the same answer is true again."""
        try:
            links.keep(selectors.get_link(access.repository, digest))
        except BlobUnknown:
            return False
        return True

    def _find(self, access: Access, upload: str) -> UploadSession:
        try:
            key = uuid.UUID(upload)
        except ValueError as error:
            raise UploadUnknown("blob upload unknown to registry") from error
        return uploads.find(access.repository, key, actor=access.grant.principal.actor)

    def _start(self) -> int | None:
        """Where the client believes the end to be, if it says so; checks the chunk's length."""
        header = self.plain.headers.get("Content-Range")
        if header is None:
            return None
        chunk = parse_chunk(header)
        announced = content_length(self.plain)
        if announced is not None and announced != chunk.length:
            raise SizeInvalid("Content-Range and Content-Length disagree")
        return chunk.start


def created(name: str, digest: Digest) -> HttpResponse:
    """The blob is here."""
    response = HttpResponse(status=201)
    response["Location"] = f"/v2/{name}/blobs/{digest}"
    response["Docker-Content-Digest"] = str(digest)
    response["Content-Length"] = "0"
    return response


def state(name: str, session: UploadSession, status: int) -> HttpResponse:
    """Where an upload stands."""
    response = HttpResponse(status=status)
    for key, value in upload_headers(name, str(session.uuid), session.offset).items():
        response[key] = value
    if status == 204:
        del response["Content-Length"]
    return response
