"""Uploads: open, append, close, status, cancel, mount (distribution-spec end-4 to 6, 11, 13)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

from django.http import HttpResponse
from rest_framework.request import Request

from core.errors import HubError
from oci.digest import Digest, hasher
from oci.errors import DigestInvalid, SizeInvalid
from oci.names import RepositoryName
from oci.ranges import ByteRange, parse_chunk
from registry import selectors
from registry.errors import BlobUnknown, NameUnknown, UploadUnknown
from registry.models import UploadSession
from registry.services import links, uploads
from registry.services.locking import Recheck
from registry.v2.auth import Access, authorise
from registry.v2.base import RegistryView, content_length
from registry.v2.errors import Challenge
from registry.v2.headers import bodiless, upload_headers
from repos.models import Repository
from repos.permissions import decide, find_visible
from tokens.verify import Grant


class UploadsView(RegistryView):
    """`/v2/<name>/blobs/uploads/`."""

    def post(self, request: Request, name: str) -> HttpResponse:
        query = self.plain.GET
        mount = Digest.parse(query["mount"]) if "mount" in query else None
        digest = Digest.parse(query["digest"]) if "digest" in query else None
        algorithm = query.get("digest-algorithm", digest.algorithm if digest else "sha256")
        hasher(algorithm)
        try:
            access = self._authorise(name)
        except NameUnknown:
            if digest is not None and mount is None:
                return self._found(name, digest)
            access = self._authorise(name, create=True)
        if mount is not None and self._mount(access, mount):
            return created(name, mount)
        if digest is not None:
            uploads.put_blob(access.repository, self.body(), digest, recheck=access.recheck("push"))
            return created(name, digest)
        session = uploads.start(
            access.repository, actor=access.grant.principal.actor, algorithm=algorithm
        )
        return state(name, session, 202)

    def _found(self, name: str, digest: Digest) -> HttpResponse:
        """A whole blob as the first push: a wrong one leaves no repository behind."""
        entered: list[Access] = []

        def found() -> Repository:
            entered.append(self._authorise(name, create=True))
            return entered[0].repository

        def recheck(row: Repository) -> None:
            entered[0].recheck("push")(row)

        uploads.put_blob(found, self.body(), digest, recheck=recheck)
        return created(name, digest)

    def _authorise(self, name: str, *, create: bool = False) -> Access:
        """A challenge to a mount also asks for the right to pull the source, as clients expect."""
        try:
            return authorise(self.plain, name, "push", create=create)
        except Challenge as challenge:
            source = self._source_name()
            if source is None or "mount" not in self.plain.GET:
                raise
            scopes = (*challenge.scopes, f"repository:{source}:pull")
            raise Challenge(challenge.message, scopes=scopes, error=challenge.error) from challenge

    def _source_name(self) -> str | None:
        """The repository named by `from`, if that could be one."""
        text = self.plain.GET.get("from", "")
        try:
            RepositoryName.parse(text)
        except HubError:
            return None
        return text

    def _mount(self, access: Access, digest: Digest) -> bool:
        """False, never a refusal, for a source that is absent, hidden or without the blob."""
        if is_here(access, digest):
            return True
        grant = access.grant
        if self.plain.GET.get("from"):
            name = self._source_name()
            source = find_visible(grant.principal, path_of(name)) if name else None
        else:
            source = selectors.find_mount_source(grant.principal, digest, within=reach(grant))
        if source is None or not may_pull(grant, source):
            return False
        path, key = source.path, source.pk

        def still() -> bool:
            row = find_visible(grant.principal, path)
            return row is not None and row.pk == key and may_pull(grant, row)

        return links.mount(
            access.repository,
            source,
            str(digest),
            recheck=access.recheck("push"),
            may_pull=still,
        )


class UploadView(RegistryView):
    """`/v2/<name>/blobs/uploads/<upload>`."""

    def get(self, request: Request, name: str, upload: str) -> HttpResponse:
        access = authorise(self.plain, name, "push")
        return state(name, self._find(access, upload), 204)

    def patch(self, request: Request, name: str, upload: str) -> HttpResponse:
        access = authorise(self.plain, name, "push")
        session = self._find(access, upload)
        start, body = self._piece()
        return state(name, uploads.append(session, body, start_at=start), 202)

    def put(self, request: Request, name: str, upload: str) -> HttpResponse:
        text = self.plain.GET.get("digest")
        if not text:
            raise DigestInvalid("the digest parameter is missing")
        digest = Digest.parse(text)
        access = authorise(self.plain, name, "push")
        try:
            self._close(self._find(access, upload), digest, access.recheck("push"))
        except UploadUnknown:
            # A client repeats a PUT whose answer was lost; the same answer is true again.
            if not is_here(access, digest):
                raise
        return created(name, digest)

    def delete(self, request: Request, name: str, upload: str) -> HttpResponse:
        access = authorise(self.plain, name, "push")
        uploads.cancel(self._find(access, upload))
        return bodiless(204)

    def _close(self, session: UploadSession, digest: Digest, recheck: Recheck) -> None:
        """Nothing more, the whole, or the last piece may come with the request that closes."""
        start, body = self._piece()
        if content_length(self.plain) == 0 and start is None:
            uploads.finish(session, digest, recheck=recheck)
        elif session.offset == 0 and start in (None, 0):
            uploads.finish_with(session, body, digest, recheck=recheck)
        else:
            session = uploads.append(session, body, start_at=start)
            uploads.finish(session, digest, recheck=recheck)

    def _piece(self) -> tuple[int | None, Iterable[bytes]]:
        """The body, and where the client believes the end to be, if it says so."""
        header = self.plain.headers.get("Content-Range")
        if header is None:
            return None, self.body()
        chunk = parse_chunk(header)
        announced = content_length(self.plain)
        if announced is None:
            return chunk.start, exactly(self.body(), chunk)
        if announced != chunk.length:
            raise SizeInvalid("Content-Range and Content-Length disagree")
        return chunk.start, self.body()

    def _find(self, access: Access, upload: str) -> UploadSession:
        try:
            key = uuid.UUID(upload)
        except ValueError as error:
            raise UploadUnknown("blob upload unknown to registry") from error
        return uploads.find(access.repository, key, actor=access.grant.principal.actor)


def exactly(body: Iterable[bytes], chunk: ByteRange) -> Iterator[bytes]:
    """The body as it comes; raises SizeInvalid if it is not as long as its chunk says."""
    size = 0
    for piece in body:
        size += len(piece)
        if size > chunk.length:
            break
        yield piece
    if size != chunk.length:
        raise SizeInvalid("the body is not as long as Content-Range says; nothing was kept")


def path_of(name: str) -> str:
    """The path under which a repository of this name is kept."""
    return str(RepositoryName.parse(name))


def reach(grant: Grant) -> set[str] | None:
    """Paths a registry token may pull from; None if the credential sets no such limit."""
    if grant.access is None:
        return None
    return {
        path_of(name)
        for kind, name in grant.access
        if kind == "repository" and grant.covers(name, "pull")
    }


def may_pull(grant: Grant, source: Repository) -> bool:
    """Whether role and credential reach a source. What is public, nobody needs a token for."""
    limit = reach(grant)
    meant = source.path in limit and grant.means(source.path, source.pk) if limit else False
    within = limit is None or source.is_public or meant
    return within and decide(grant.principal, "pull", source).allowed


def is_here(access: Access, digest: Digest) -> bool:
    """Whether the repository has this blob, undamaged; if so, it stays for a while."""
    try:
        link = selectors.get_link(access.repository, digest)
        links.keep(link)
    except BlobUnknown:
        return False
    return links.is_whole(link.blob.storage_key, link.blob.size)


def created(name: str, digest: Digest) -> HttpResponse:
    """The blob is here."""
    return bodiless(
        201,
        {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": str(digest)},
    )


def state(name: str, session: UploadSession, status: int) -> HttpResponse:
    """Where an upload stands."""
    return bodiless(status, upload_headers(name, str(session.uuid), session.offset))
