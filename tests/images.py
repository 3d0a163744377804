"""Tiny valid images, image indexes and artifacts, made from a seed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """`algorithm:hex`."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def as_json(value: Any) -> bytes:
    """Bytes of a document."""
    return json.dumps(value, separators=(",", ":")).encode()


def descriptor(media_type: str, data: bytes, **more: Any) -> dict[str, Any]:
    """What a manifest says about `data`."""
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **more}


@dataclass
class Image:
    """A manifest with every blob it names; an index also has its children."""

    manifest: bytes
    media_type: str = OCI_MANIFEST
    blobs: list[bytes] = field(default_factory=list)
    children: list[Image] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """The manifest's."""
        return digest_of(self.manifest)


def image(
    seed: str = "0",
    *,
    layers: int = 2,
    size: int = 1000,
    os: str = "linux",
    architecture: str = "amd64",
    docker: bool = False,
    labels: dict[str, str] | None = None,
) -> Image:
    """An image whose layers are real tars of seeded bytes."""
    tars = [_layer(f"{seed}/{architecture}/{n}", size) for n in range(layers)]
    packed = [gzip.compress(tar, mtime=0) for tar in tars]
    history = [
        {"created": "2026-01-02T03:04:05Z", "created_by": f"COPY part{n} /"} for n in range(layers)
    ]
    config = as_json(
        {
            "os": os,
            "architecture": architecture,
            "created": "2026-01-02T03:04:05Z",
            "config": {
                "Env": ["PATH=/bin"],
                "Cmd": ["/bin/sh"],
                "ExposedPorts": {"8080/tcp": {}},
                "Labels": labels or {},
            },
            "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in tars]},
            "history": [*history, {"created_by": 'CMD ["/bin/sh"]', "empty_layer": True}],
        }
    )
    types = (
        (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER)
        if docker
        else (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER)
    )
    manifest = as_json(
        {
            "schemaVersion": 2,
            "mediaType": types[0],
            "config": descriptor(types[1], config),
            "layers": [descriptor(types[2], layer) for layer in packed],
        }
    )
    return Image(manifest, types[0], [config, *packed])


def index(children: Sequence[Image], architectures: Sequence[str], docker: bool = False) -> Image:
    """An image index over images."""
    media_type = DOCKER_LIST if docker else OCI_INDEX
    manifest = as_json(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "manifests": [
                descriptor(
                    child.media_type,
                    child.manifest,
                    platform={"os": "linux", "architecture": architecture},
                )
                for child, architecture in zip(children, architectures, strict=True)
            ],
        }
    )
    return Image(manifest, media_type, [], list(children))


def multi(seed: str = "0", architectures: Sequence[str] = ("amd64", "arm64", "arm")) -> Image:
    """An image for several platforms."""
    return index([image(seed, architecture=a) for a in architectures], architectures)


def artifact(
    subject: Image | None = None, kind: str = "application/x.test", text: str = "x"
) -> Image:
    """Something with a manifest that is not a runnable image."""
    blob, empty = text.encode(), b"{}"
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": descriptor("application/vnd.oci.empty.v1+json", empty),
        "layers": [descriptor("text/plain", blob)],
        "annotations": {"note": text},
    }
    if subject is not None:
        document["subject"] = descriptor(subject.media_type, subject.manifest)
    return Image(as_json(document), OCI_MANIFEST, [empty, blob])


def write_layout(image: Image, directory: Path, tag: str) -> Path:
    """An OCI image layout, for clients that push from the disk."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for data in _all_bytes(image):
        (blobs / hashlib.sha256(data).hexdigest()).write_bytes(data)
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    entry = descriptor(
        image.media_type,
        image.manifest,
        annotations={"org.opencontainers.image.ref.name": tag},
    )
    (directory / "index.json").write_bytes(as_json({"schemaVersion": 2, "manifests": [entry]}))
    return directory


def _all_bytes(image: Image) -> list[bytes]:
    return [image.manifest, *image.blobs] + [b for c in image.children for b in _all_bytes(c)]


def _layer(seed: str, size: int) -> bytes:
    data = random.Random(seed).randbytes(size)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        entry = tarfile.TarInfo(f"part-{hashlib.sha256(seed.encode()).hexdigest()[:8]}")
        entry.size = size
        tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
