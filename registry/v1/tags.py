"""Tags as the old registry has them: names of images."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from core.errors import Invalid, NotFound
from oci.legacy import is_image_id, parse_image_id
from oci.names import is_tag
from registry import legacy
from registry.errors import ManifestUnknown
from registry.services import legacy_tag
from registry.services.manifests import put_manifest
from registry.services.tags import delete_tag
from registry.v1.auth import enter
from registry.v1.base import LegacyView
from registry.v1.errors import ImageAbsent
from registry.v1.repositories import delete
from repos.models import Repository

_PART = re.compile(r"(docker|go|kernel|os|arch)/([!-~]{1,100})")
_PARTS = {
    "docker": "docker_version",
    "go": "docker_go_version",
    "kernel": "kernel",
    "os": "os",
    "arch": "arch",
}
_LOWER = ("kernel", "os", "arch")
UNKNOWN: dict[str, Any] = {
    "last_update": None,
    "docker_version": None,
    "docker_go_version": None,
    "arch": "amd64",
    "os": "linux",
    "kernel": None,
}


class TagsView(LegacyView):
    """`/v1/repositories/<name>/tags`. Deleting all tags is deleting the repository."""

    def get(self, request: Request, name: str) -> HttpResponse:
        repository = enter(self.plain, name, "pull").repository
        return self.answer({t.name: t.image_id for t in legacy.list_tagged(repository)})

    def delete(self, request: Request, name: str) -> HttpResponse:
        return delete(self, name)


class TagView(LegacyView):
    """`/v1/repositories/<name>/tags/<tag>`."""

    def get(self, request: Request, name: str, tag: str) -> HttpResponse:
        found = legacy.find_tagged(enter(self.plain, name, "pull").repository, tag)
        if found is None:
            raise NotFound("Tag not found")
        return self.answer(found.image_id)

    def put(self, request: Request, name: str, tag: str) -> HttpResponse:
        access = enter(self.plain, name, "push")
        if not is_tag(tag):
            raise Invalid(f"Invalid tag name: {tag[:128]}")
        image_id = parse_image_id(self.small_body())
        if not image_id:
            raise Invalid("Invalid data")
        push, manifest = access.caller.push, None
        if push is not None and is_image_id(image_id):
            push.repository = access.repository
            actor, recheck = access.caller.principal.actor, access.recheck("push")
            if legacy_tag.tag(push, tag, image_id, actor=actor, recheck=recheck) is not None:
                return self.answer()
        if is_image_id(image_id):
            manifest = legacy.find_tag_target(access.repository, image_id)
        if manifest is None:
            raise ImageAbsent
        put_manifest(
            access.repository,
            bytes(manifest.payload),
            content_type=manifest.media_type,
            reference=tag,
            actor=access.caller.principal.actor,
            recheck=access.recheck("push"),
        )
        return self.answer()

    def delete(self, request: Request, name: str, tag: str) -> HttpResponse:
        access = enter(self.plain, name, "delete")
        actor, recheck = access.caller.principal.actor, access.recheck("delete")
        try:
            delete_tag(access.repository, tag, actor=actor, recheck=recheck)
        except ManifestUnknown as error:
            raise NotFound(f"Tag not found: {tag}") from error
        return self.answer()


class TagFactsView(LegacyView):
    """`…/tags/<tag>/json`, and `…/json` for the tag `latest`: what pushed it, and when."""

    def get(self, request: Request, name: str, tag: str = "latest") -> HttpResponse:
        return self.answer(_facts(enter(self.plain, name, "pull").repository, tag))


def _facts(repository: Repository, tag: str) -> dict[str, Any]:
    """Read from the User-Agent of the push; what is not known is left at its default."""
    found = legacy.find_tagged(repository, tag)
    if found is None:
        return UNKNOWN
    said = dict(_PART.findall(legacy.client_of(repository, found)))
    known = {
        key: said[word].lower() if word in _LOWER else said[word]
        for word, key in _PARTS.items()
        if "docker" in said and word in said
    }
    return {**UNKNOWN, "last_update": int(found.moved_at.timestamp()), **known}
