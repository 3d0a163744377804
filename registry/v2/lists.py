"""Tags, referrers and the catalogue (distribution-spec end-8, end-12; `_catalog`)."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from oci import media
from oci.digest import Digest
from registry import selectors
from registry.errors import NameUnknown
from registry.models import Manifest
from registry.v2.auth import authorise, read_grant
from registry.v2.base import MAX_PAGE, RegistryView, page_size
from registry.v2.errors import Challenge
from registry.v2.headers import cache_control, next_link
from repos.permissions import visible_to

CATALOG_SCOPE = "registry:catalog:*"
CATALOG_PAGE = 100


class TagsView(RegistryView):
    """`/v2/<name>/tags/list`. Without `n` all tags, since most clients do not page."""

    def get(self, request: Request, name: str) -> HttpResponse:
        access = authorise(self.plain, name, "pull")
        limit = page_size(self.plain, default=MAX_PAGE)
        last = self.plain.GET.get("last", "")
        names = selectors.list_tag_names(access.repository, last=last, limit=limit + 1)
        response = self.answer({"name": name, "tags": names[:limit]})
        response["Cache-Control"] = cache_control(False, access.repository.is_public)
        if 0 < limit < len(names):
            response["Link"] = next_link(f"/v2/{name}/tags/list", names[limit - 1], limit)
        return response


class CatalogView(RegistryView):
    """`/v2/_catalog`: what the caller may pull, and nothing else."""

    def get(self, request: Request) -> HttpResponse:
        grant = read_grant(self.plain, (CATALOG_SCOPE,))
        if grant.principal.is_anonymous or not grant.covers("catalog", "*", kind="registry"):
            raise Challenge(
                "sign in to list repositories",
                scopes=(CATALOG_SCOPE,),
                error="insufficient_scope" if grant.presented else "",
            )
        limit = page_size(self.plain, default=CATALOG_PAGE)
        last = self.plain.GET.get("last", "")
        paths = selectors.list_paths(visible_to(grant.principal), last=last, limit=limit + 1)
        response = self.answer({"repositories": paths[:limit]})
        response["Cache-Control"] = cache_control(False, False)
        if 0 < limit < len(paths):
            response["Link"] = next_link("/v2/_catalog", paths[limit - 1], limit)
        return response


class ReferrersView(RegistryView):
    """`/v2/<name>/referrers/<digest>`: an image index of what names this subject."""

    def get(self, request: Request, name: str, digest: str) -> HttpResponse:
        subject = Digest.parse(digest)
        last = self.plain.GET.get("last", "")
        after = str(Digest.parse(last)) if last else ""
        limit = page_size(self.plain, default=selectors.REFERRERS_PAGE)
        kinds = self.plain.GET.getlist("artifactType")
        try:
            repository = authorise(self.plain, name, "pull").repository
        except NameUnknown:  # a 404 would say that there is no referrers API here
            return self._index([], kinds, public=False)
        found, more = selectors.list_referrers(
            repository, subject, kinds=kinds, last=after, limit=min(limit, selectors.REFERRERS_PAGE)
        )
        response = self._index(found, kinds, public=repository.is_public)
        if found and more:
            asked = limit if "n" in self.plain.GET else None
            response["Link"] = next_link(
                f"/v2/{name}/referrers/{digest}", found[-1].digest, asked, artifactType=kinds
            )
        return response

    def _index(self, found: list[Manifest], kinds: list[str], *, public: bool) -> HttpResponse:
        response = self.answer(
            {
                "schemaVersion": 2,
                "mediaType": media.OCI_INDEX,
                "manifests": [_descriptor(manifest) for manifest in found],
            }
        )
        response["Content-Type"] = media.OCI_INDEX
        response["Cache-Control"] = cache_control(False, public)
        if kinds:
            response["OCI-Filters-Applied"] = "artifactType"
        return response


def _descriptor(manifest: Manifest) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": manifest.payload_size,  # type: ignore[attr-defined]  # annotated by the selector
    }
    if manifest.artifact_type:
        entry["artifactType"] = manifest.artifact_type
    if manifest.annotations:
        entry["annotations"] = manifest.annotations
    return entry
