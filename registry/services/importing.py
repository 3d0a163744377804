"""Images from files: OCI layouts and what `docker save` has written since 2013, through the same
services as a push.

Whatever a file says of digests is proven by its bytes: blobs of a layout have the digest of their
name, layers of `docker save` unpack to what the config says.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from core.errors import Invalid, NotFound
from events.types import Actor
from oci import layers as layer_types
from oci import manifest as document
from oci import media
from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.layers import LayerReader
from oci.legacy import MAX_LAYERS, claimed_diffs, is_image_id
from oci.legacy_config import Layer, config_of, history_entry, manifest_of
from oci.manifest import MAX_MANIFEST_BYTES
from oci.names import is_tag
from oci.strict import JsonInvalid, read_json
from registry.selectors import find_link
from registry.services import uploads
from registry.services.archive import Archive, read_whole
from registry.services.describe import MAX_CONFIG_BYTES
from registry.services.locking import Recheck
from registry.services.manifests import MAX_INDEX_DEPTH, put_manifest
from repos.models import Repository

_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"
_MAX_VALUES, _MAX_DEPTH = 250_000, 32


@dataclass(frozen=True, slots=True)
class Found:
    """An image in an archive: the tags it has there, and how it is put into a repository."""

    tags: tuple[str, ...]
    put: Callable[[Target, Sequence[str]], Digest]


@dataclass(slots=True)
class Target:
    """Where to, by whom, and whom to tell how far it is; counts what was read and what was here."""

    repository: Repository
    actor: Actor
    recheck: Recheck
    tell: Callable[[str], None] = lambda text: None
    read_bytes: int = 0
    skipped: int = 0
    seen: set[str] = field(default_factory=set)


def list_images(archive: Archive) -> list[Found]:
    """The images of an archive, whatever wrote it; raises Invalid."""
    if "index.json" in archive and "oci-layout" in archive:
        return _of_layout(archive)
    if "manifest.json" in archive:
        return _of_docker(archive)
    if "repositories" in archive:
        return _of_oldest(archive)
    raise Invalid("This is no OCI layout, and nothing that docker save has written.")


def put_image(found: Found, tags: Sequence[str], target: Target) -> Digest:
    """Put an image into a repository under these tags; the digest it has there. Raises Invalid,
    TooLarge, FileMissing and what a push does."""
    return found.put(target, tags)


# --- OCI layouts


def _of_layout(archive: Archive) -> list[Found]:
    parsed = document.parse(_file(archive, "index.json"), media.OCI_INDEX)
    images: dict[str, tuple[Descriptor, list[str]]] = {}
    for entry in parsed.children:
        name = entry.annotations.get(_NAME) or entry.annotations.get(_CONTAINERD_NAME, "")
        tags = [tag] if (tag := _tag_of(name, bare=True)) else []
        images.setdefault(str(entry.digest), (entry, []))[1].extend(tags)
    if not images:
        raise Invalid("The layout lists no image.")

    def putting(entry: Descriptor) -> Callable[[Target, Sequence[str]], Digest]:
        return lambda target, tags: put_described(archive, entry, target, tags, pick=True)

    return [Found(tuple(tags), putting(entry)) for entry, tags in images.values()]


def put_described(
    archive: Archive,
    entry: Descriptor,
    target: Target,
    tags: Sequence[str],
    *,
    depth: int = 0,
    pick: bool = False,
) -> Digest:
    """A manifest of an archive and all that it names, what is below first; raises as `put_image`.

    With `pick` it is the only platform that is there, where some are not.
    """
    if depth > MAX_INDEX_DEPTH:
        raise Invalid(f"An image index may be at most {MAX_INDEX_DEPTH} deep.")
    payload = _file(archive, _place(entry.digest), MAX_MANIFEST_BYTES)
    if Digest.of(payload, entry.digest.algorithm) != entry.digest:
        raise Invalid(f"{entry.digest} is damaged: its bytes have another digest.")
    parsed = document.parse(payload, entry.media_type)
    here = [child for child in parsed.children if pick and _place(child.digest) in archive]
    if pick and len(here) < len(parsed.children):
        # docker save names all platforms of an image and holds the one it has
        real = [child for child in here if str(child.platform or "") != "unknown/unknown"]
        if len(real) == 1:
            return put_described(archive, real[0], target, tags, depth=depth + 1)
    for child in parsed.children:
        put_described(archive, child, target, (), depth=depth + 1)
    for blob in parsed.blobs:
        with suppress(*([NotFound] if blob.may_be_absent else [])):
            _put_blob(archive, blob, target)
    return _put_manifest(payload, entry.media_type, entry.digest, target, tags)


def _put_blob(archive: Archive, blob: Descriptor, target: Target) -> None:
    name = _place(blob.digest)
    if str(blob.digest) in target.seen or find_link(target.repository, blob.digest) is not None:
        target.skipped += str(blob.digest) not in target.seen
        return
    target.tell(f"{blob.digest}  {blob.size} bytes")
    body = _counted(archive.open(name), target)
    uploads.put_blob(target.repository, body, blob.digest, recheck=target.recheck)
    target.seen.add(str(blob.digest))


def _put_manifest(
    payload: bytes, media_type: str, digest: Digest, target: Target, tags: Sequence[str]
) -> Digest:
    put_manifest(
        target.repository,
        payload,
        content_type=media_type,
        reference=digest,
        tags=tags,
        actor=target.actor,
        recheck=target.recheck,
    )
    return digest


# --- docker save


def _of_docker(archive: Archive) -> list[Found]:
    """`manifest.json`: since docker 1.10, and what skopeo and podman write."""
    entries = _json(archive, "manifest.json")
    if not isinstance(entries, list) or not entries:
        raise Invalid("manifest.json lists no image.")
    return [_docker_image(archive, entry) for entry in entries]


def _docker_image(archive: Archive, entry: Any) -> Found:
    fields = entry if isinstance(entry, dict) else {}
    config, layers = fields.get("Config"), fields.get("Layers") or []
    names = fields.get("RepoTags") or []
    if not isinstance(config, str) or not all(
        isinstance(part, list) and all(isinstance(one, str) for one in part)
        for part in (layers, names)
    ):
        raise Invalid("manifest.json needs Config, RepoTags and Layers for each image.")
    if len(layers) > MAX_LAYERS:
        raise Invalid(f"An image may have at most {MAX_LAYERS} layers.")

    def put(target: Target, tags: Sequence[str]) -> Digest:
        payload = _file(archive, config, MAX_CONFIG_BYTES)
        diffs = claimed_diffs(_object(payload, config), len(layers))
        if diffs is None:
            raise Invalid(f"{config[:200]} does not tell what each layer unpacks to.")
        stored = [
            _put_layer(archive, name, target, diff)
            for name, diff in zip(layers, diffs, strict=True)
        ]
        return _put_made(payload, stored, target, tags)

    return Found(tuple(tag for name in names if (tag := _tag_of(name))), put)


def _of_oldest(archive: Archive) -> list[Found]:
    """`repositories` alone: before docker 1.10, a folder for each image of a chain."""
    named = _json(archive, "repositories")
    tops: dict[str, list[str]] = {}
    for tags in named.values() if isinstance(named, dict) else ():
        for tag, image_id in tags.items() if isinstance(tags, dict) else ():
            if not (isinstance(image_id, str) and is_image_id(image_id)):
                raise Invalid("repositories names an image without an id.")
            tops.setdefault(image_id, []).extend([tag] if is_tag(tag) else [])
    if not tops:
        raise Invalid("repositories names no image.")

    def putting(top: str) -> Callable[[Target, Sequence[str]], Digest]:
        return lambda target, tags: _put_oldest(archive, top, target, tags)

    return [Found(tuple(tags), putting(top)) for top, tags in tops.items()]


def _put_oldest(archive: Archive, top: str, target: Target, tags: Sequence[str]) -> Digest:
    chain: list[tuple[str, dict[str, Any]]] = []
    current: Any = top
    while current:
        if not isinstance(current, str) or not is_image_id(current):
            raise Invalid("An image names a parent that is no id.")
        if len(chain) >= MAX_LAYERS or any(current == seen for seen, _ in chain):
            raise Invalid("An image depends on itself or on too many others.")
        name = f"{current}/json"
        facts = _object(_file(archive, name, MAX_CONFIG_BYTES), name)
        chain.append((current, facts))
        current = facts.get("parent")
    chain.reverse()
    layers = [_put_layer(archive, f"{image_id}/layer.tar", target) for image_id, _ in chain]
    history = [history_entry(facts) for _, facts in chain]
    config = config_of(chain[-1][1], history, [layer.diff_id for layer in layers])
    return _put_made(config, layers, target, tags)


def _put_layer(archive: Archive, name: str, target: Target, diff_id: str = "") -> Layer:
    """A layer in gzip, whatever it came in; raises Invalid if it is not the one that is named."""
    target.tell(f"{name[:200]}  {archive.size(name)} bytes")
    limit = settings.HUB.max_blob_bytes
    reader = LayerReader(_counted(archive.open(name), target), limit_bytes=limit)
    wrong = Invalid(f"{name[:200]} is damaged: it does not unpack to {diff_id}.")

    def body() -> Iterator[bytes]:
        yield from _packed(reader)
        if diff_id and reader.diff_id != diff_id:
            raise wrong

    blob = uploads.put_unnamed(target.repository, body(), recheck=target.recheck)
    return Layer(blob.digest, blob.size, layer_types.GZIP, reader.diff_id)


def _packed(reader: LayerReader) -> Iterator[bytes]:
    """The same bytes for the same tar: gzip without a time."""
    packer = zlib.compressobj(6, wbits=31)
    for piece in reader:
        if reader.is_gzip:
            yield piece
        elif part := packer.compress(piece):
            yield part
    if not reader.is_gzip:
        yield packer.flush()


def _put_made(
    config: bytes, layers: Sequence[Layer], target: Target, tags: Sequence[str]
) -> Digest:
    """The manifest that the file itself does not have."""
    uploads.put_blob(target.repository, [config], Digest.of(config), recheck=target.recheck)
    payload = manifest_of(config, layers)
    return _put_manifest(payload, media.DOCKER_MANIFEST, Digest.of(payload), target, tags)


# --- small things


def _counted(pieces: Iterable[bytes], target: Target) -> Iterator[bytes]:
    for piece in pieces:
        target.read_bytes += len(piece)
        yield piece


def _tag_of(name: str, *, bare: bool = False) -> str:
    """The tag of a whole name; with `bare` a name may also be the tag alone."""
    tag = name.rpartition("/")[2].partition("@")[0]
    _, colon, after = tag.rpartition(":")
    if not colon:
        after = tag if bare and "/" not in name else ""
    return after if is_tag(after) else ""


def _place(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _file(archive: Archive, name: str, limit_bytes: int = MAX_MANIFEST_BYTES) -> bytes:
    return read_whole(archive, name, limit_bytes)


def _json(archive: Archive, name: str) -> Any:
    return _parsed(_file(archive, name), name)


def _object(payload: bytes, name: str) -> dict[str, Any]:
    found = _parsed(payload, name)
    if not isinstance(found, dict):
        raise Invalid(f"{name[:200]} is no JSON object.")
    return found


def _parsed(payload: bytes, name: str) -> Any:
    try:
        return read_json(payload, most_values=_MAX_VALUES, most_depth=_MAX_DEPTH)
    except JsonInvalid as error:
        raise Invalid(f"{name[:200]} {error}") from error
