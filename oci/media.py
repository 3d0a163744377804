"""Media types the registry knows by name, and which of them are manifests."""

from __future__ import annotations

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"  # withdrawn, still pushed
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_SCHEMA_1 = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)

IMAGE_MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = IMAGE_MANIFESTS | INDEXES | {OCI_ARTIFACT}
IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
OCTET_STREAM = "application/octet-stream"

_FOREIGN = ("nondistributable", "rootfs.foreign")


def is_foreign(media_type: str) -> bool:
    """Whether a layer of this type need not be in the registry (image-spec, deprecated types)."""
    return any(word in media_type for word in _FOREIGN)


def base_type(header: str) -> str:
    """A Content-Type without its parameters."""
    return header.partition(";")[0].strip()
