"""How clients introduce themselves and what they say they accept."""

from __future__ import annotations

from tests.images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

_KERNEL = "kernel/6.1.0-18-amd64 os/linux arch/amd64"
AGENT = {
    "docker": f"docker/28.2.2 go/go1.24.3 git-commit/45873be {_KERNEL}"
    r" UpstreamClient(Docker-Client/28.2.2 \(linux\))",
    "containerd": "containerd/2.1.1",
    "podman": "containers/5.34.3 (github.com/containers/image)",
    "crane": "crane/v0.20.6 go-containerregistry/v0.20.6",
    "cosign": "cosign/v2.5.0 (linux; amd64) go-containerregistry/v0.20.3",
    "oras": "oras/1.3.0",
    "helm": "Helm/3.18.1",
    "regclient": "regclient/regctl (v0.8.3)",
    "jib": "jib 3.4.5 jib-maven-plugin Google-HTTP-Java-Client/1.42.2 (gzip)",
    "distribution": "distribution-registry-proxy",
}
GZIP = ("Accept-Encoding", "gzip")
EMPTY = ("Content-Length", "0")
OCTETS = ("Content-Type", "application/octet-stream")
EVERY_TYPE = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST)
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def agent(client: str) -> tuple[str, str]:
    """The User-Agent line."""
    return "User-Agent", AGENT[client]


def accept_lines(*types: str) -> tuple[tuple[str, str], ...]:
    """One `Accept` line for each type, as the docker engine writes them."""
    return tuple(("Accept", kind) for kind in types)


def accept_list(*types: str) -> tuple[str, str]:
    """All types in one `Accept` line, as containerd and oras write them."""
    return "Accept", ", ".join(types)
