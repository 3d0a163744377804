"""What is said about an image: in short beside it, and each document on a page of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from oci.provenance import Provenance
from oci.sbom import search
from registry.attachments import Attachment, Kind, attachments_of, siblings_of
from registry.documents import Document, find_document, open_document
from registry.errors import BlobUnknown
from registry.models import Manifest, ManifestBlob, ManifestChild
from repos.access import Access, enter, wants_part
from repos.models import Repository

PACKAGES = 100
# A page that is about something else reads no more than this of a document.
MAX_SUMMARY_BYTES = 256 * 1024


@require_safe
def document(request: HttpRequest, path: str, digest: str, document: str) -> HttpResponse:
    """A bill of materials with its packages, provenance, or what else an attestation says."""
    access = enter(request, path)
    part = find_document(access.repository, digest, document)
    assert part.link is not None  # see find_document
    found = open_document(part.link)
    context = {
        "access": access,
        "repository": access.repository,
        "tab": "tags",
        "part": part,
        "subject": _subject_of(part.manifest),
        "document": found,
        "fetch": f"crane blob {settings.EXTERNAL_HOST}/{path}@{document}",
        **_packages(request, found),
    }
    template = "registry/_packages.html" if wants_part(request) else "registry/document.html"
    return render(request, template, context)


def about(
    access: Access, manifest: Manifest, image: Manifest, children: Sequence[ManifestChild]
) -> dict[str, Any]:
    """What hangs on an image and the index it was reached through, by kind."""
    beside = children or siblings_of(image)
    index = None if manifest == image else manifest
    found = attachments_of(access.repository, image, index=index, beside=beside)
    mine = _own_documents(manifest) if not children else []
    kinds = {kind: [a for a in found if a.kind is kind] for kind in Kind}
    return {
        "attachments": found,
        "documents": [a for a in (*found, *mine) if a.is_document],
        "signatures": kinds[Kind.SIGNATURE],
        "extras": kinds[Kind.OTHER],
        "provenance": _summary(access.repository, kinds[Kind.PROVENANCE]),
    }


def _own_documents(manifest: Manifest) -> list[Attachment]:
    """Those of an attestation, on the page of that attestation itself."""
    wanted = ("in-toto", "spdx", "cyclonedx", "dsse", "sigstore.bundle")
    role = ManifestBlob.BlobRole.LAYER
    return [
        Attachment(Kind.ATTESTATION, manifest.digest, blob.digest, blob.media_type, blob.size)
        for blob in manifest.blobs.all()
        if blob.role == role and any(word in blob.media_type for word in wanted)
    ]


def _summary(repository: Repository, found: Sequence[Attachment]) -> Provenance | None:
    """The first one that is small; None also if it cannot be read, which its own page explains."""
    small = next((a for a in found if a.size <= MAX_SUMMARY_BYTES), None)
    if small is None:
        return None
    try:
        part = find_document(repository, small.carrier, small.digest)
    except BlobUnknown:
        return None
    assert part.link is not None  # see find_document
    return open_document(part.link).provenance


def _subject_of(carrier: Manifest) -> str:
    """The digest of the image it is about, as far as the hub knows."""
    if carrier.subject_digest:
        return carrier.subject_digest
    listed = ManifestChild.objects.filter(child=carrier).order_by("pk").first()
    named = listed.annotations.get("vnd.docker.reference.digest", "") if listed else ""
    return str(named)


def _packages(request: HttpRequest, found: Document) -> dict[str, Any]:
    if found.sbom is None:
        return {}
    text = request.GET.get("q", "").strip()[:100]
    page = Paginator(search(found.sbom, text), PACKAGES).get_page(request.GET.get("page"))
    kinds = sorted({package.kind for package in found.sbom.packages if package.kind})
    note = ""
    if found.sbom.total > len(found.sbom.packages):
        note = _("Only the first %(count)d packages are listed.") % {
            "count": len(found.sbom.packages)
        }
    return {"filter": text, "page": page, "kinds": kinds, "note": note}
