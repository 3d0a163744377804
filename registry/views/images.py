"""One image, by tag or by digest; and image references as addresses."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from registry.attachments import Attachment
from registry.compare import layers_of
from registry.errors import ManifestUnknown
from registry.models import Manifest, ManifestChild, ManifestInfo
from registry.pictures import first_child
from registry.secrets import secret_names
from registry.selectors import find_tag, get_manifest_row, tag_history, tags_of
from registry.services.tags import is_immutable
from registry.sharing import sharing_of
from registry.views.documents import about
from registry.views.layers import Layer, Step, layers_with, steps_of
from repos.access import Access, enter, wants_part

MAX_RAW_BYTES = 256 * 1024
SHORT_HISTORY = 8
MEDIA_TYPES = {
    "application/vnd.oci.image.index.v1+json": "OCI image index",
    "application/vnd.oci.image.manifest.v1+json": "OCI image",
    "application/vnd.docker.distribution.manifest.list.v2+json": "Docker manifest list",
    "application/vnd.docker.distribution.manifest.v2+json": "Docker image",
    "application/vnd.docker.distribution.manifest.v1+prettyjws": "Docker image, schema 1",
}


@dataclass(frozen=True, slots=True)
class Image:
    """What the page shows of one platform."""

    manifest: Manifest
    layers: list[Layer]
    steps: list[Step]
    info: ManifestInfo | None

    @property
    def size(self) -> int:
        """Bytes of the layers."""
        return sum(layer.size for layer in self.layers)

    @property
    def has_shared(self) -> bool:
        """Whether the strip has grey parts."""
        return any(layer.shared for layer in self.layers)

    @property
    def config(self) -> dict[str, Any]:
        """What the config says; empty for other content."""
        return self.info.config if self.info else {}

    @property
    def entrypoint(self) -> str:
        """As one would type it."""
        return shlex.join(self.config.get("entrypoint", []))

    @property
    def command(self) -> str:
        """As one would type it."""
        return shlex.join(self.config.get("cmd", []))

    @property
    def healthcheck(self) -> str:
        """As one would type it."""
        test = (self.config.get("healthcheck") or {}).get("test", [])
        return test[1] if test[:1] == ["CMD-SHELL"] and len(test) == 2 else shlex.join(test[1:])

    @property
    def ports(self) -> list[str]:
        """Plain port numbers, for `docker run`."""
        numbers = [str(port).partition("/")[0] for port in self.config.get("ports", [])]
        return [number for number in numbers if number.isdecimal()][:4]


@require_safe
def tag_page(request: HttpRequest, path: str, tag: str) -> HttpResponse:
    """The image a tag points at now, and where the tag pointed before."""
    access = enter(request, path)
    row = find_tag(access.repository, tag)
    if row is None:
        raise ManifestUnknown("There is no such tag.", detail={"tag": tag})
    manifest = get_manifest_row(access.repository, row.manifest.digest)
    context = _context(request, access, manifest)
    if not wants_part(request):
        others = [name for name in tags_of(manifest) if name != tag]
        context |= {
            "others": others,
            "history": tag_history(access.repository, tag, limit=SHORT_HISTORY),
            "is_immutable": is_immutable(access.repository, tag),
        }
    context |= {"tag": row, "pulled_at": row.last_pulled_at}
    return _answer(request, context | _commands(access, context, f":{tag}", manifest))


@require_safe
def manifest_page(request: HttpRequest, path: str, digest: str) -> HttpResponse:
    """The image with this digest, whatever tags do."""
    access = enter(request, path)
    manifest = get_manifest_row(access.repository, digest)
    context = _context(request, access, manifest)
    if not wants_part(request):
        context["others"] = tags_of(manifest)
    context["pulled_at"] = manifest.last_pulled_at
    return _answer(request, context | _commands(access, context, f"@{digest}", manifest))


@require_safe
def tag_reference(request: HttpRequest, path: str, tag: str) -> HttpResponse:
    """`/team/api:1.0`, as pasted from a terminal."""
    enter(request, path)
    return redirect("tag", path, tag)


@require_safe
def digest_reference(
    request: HttpRequest, path: str, digest: str, tag: str | None = None
) -> HttpResponse:
    """`/team/api@sha256:…`; a tag in front of the digest says nothing more."""
    enter(request, path)
    return redirect("manifest", path, digest)


def _answer(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    template = "registry/_image.html" if wants_part(request) else "registry/image.html"
    return render(request, template, context)


def _context(request: HttpRequest, access: Access, manifest: Manifest) -> dict[str, Any]:
    children = list(manifest.children.all())
    platforms = [c for c in children if c.child is not None and not _is_attestation(c)]
    chosen = _chosen(platforms, request.GET.get("platform", "")) or first_child(children)
    shown = chosen.child if chosen is not None and chosen.child is not None else manifest
    image = _image(access, shown)
    return {
        "access": access,
        "repository": access.repository,
        "tab": "tags",
        "manifest": manifest,
        "kind": MEDIA_TYPES.get(manifest.media_type, manifest.media_type),
        "platforms": platforms,
        "chosen": chosen,
        "image": image,
        "secrets": secret_names(image.config.get("env", [])) if access.can_write else [],
        "raw": raw_of(manifest),
        **about(access, manifest, shown, children),
    }


def _image(access: Access, manifest: Manifest) -> Image:
    blobs = layers_of(manifest)
    sharing = sharing_of(access.principal, manifest, [blob.digest for blob in blobs])
    layers = layers_with(blobs, sharing)
    info = getattr(manifest, "info", None)
    history = info.config.get("history", []) if info else []
    return Image(manifest, layers, steps_of(history, layers), info)


def _commands(
    access: Access, context: dict[str, Any], suffix: str, manifest: Manifest
) -> dict[str, str]:
    image: Image = context["image"]
    signatures: Sequence[Attachment] = context["signatures"]
    name = f"{settings.EXTERNAL_HOST}/{access.repository.path}"
    ports = "".join(f"-p {port}:{port} " for port in image.ports)
    return {
        "reference": f"{name}{suffix}",
        "pull_by_digest": f"docker pull {name}@{manifest.digest}",
        "run_command": f"docker run --rm {ports}{name}{suffix}",
        "manifest_command": f"crane manifest {name}{suffix}",
        "verify_command": _verify_command(signatures, name) if signatures else "",
    }


def _verify_command(signatures: Sequence[Attachment], name: str) -> str:
    """For the first signature, with holes where the reader's own trust goes."""
    first = signatures[0]
    image = f"{name}@{first.subject}"
    if first.tool == "notation":
        return f"notation verify {image}"
    if not first.signer:
        return f"cosign verify --key cosign.pub {image}"
    who = shlex.quote(first.signer)
    return f"cosign verify --certificate-identity {who} --certificate-oidc-issuer ISSUER {image}"


def _chosen(platforms: list[ManifestChild], wanted: str) -> ManifestChild | None:
    return next((child for child in platforms if child.platform == wanted), None)


def _is_attestation(child: ManifestChild) -> bool:
    return child.platform.startswith("unknown/")


def raw_of(manifest: Manifest) -> str:
    """The document with line breaks, or a sentence if it is too long for a page."""
    payload = bytes(manifest.payload)
    if len(payload) > MAX_RAW_BYTES:
        return _("This manifest is too long for a page; fetch it with the command above.")
    try:
        return json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return payload.decode("utf-8", "replace")
