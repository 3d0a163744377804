"""Images as engines up to 1.9 made them, and a client that pushes them as docker 1.5 did."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import urllib3

from tests.images import as_json
from tests.protocol.legacy import LegacyClient

EMPTY_TAR = bytes(1024)


@dataclass(frozen=True)
class OldImage:
    """One layer, and the document that names its parent."""

    document: bytes
    tar: bytes
    layer: bytes

    @property
    def facts(self) -> dict[str, Any]:
        """The document."""
        found: dict[str, Any] = json.loads(self.document)
        return found

    @property
    def id(self) -> str:
        """As its engine drew it."""
        return str(self.facts["id"])

    @property
    def diff_id(self) -> str:
        """Digest of the tar."""
        return f"sha256:{hashlib.sha256(self.tar).hexdigest()}"

    @property
    def checksum(self) -> str:
        """Of document and layer as they are sent (registry-v1, 1.6)."""
        whole = self.document + b"\n" + self.layer
        return f"sha256:{hashlib.sha256(whole).hexdigest()}"


def old_image(
    seed: str,
    parent: OldImage | None = None,
    *,
    plain: bool = False,
    empty: bool = False,
    size: int = 2000,
    **more: Any,
) -> OldImage:
    """An image with random bytes in its layer; `plain` is a tar without gzip."""
    name = hashlib.sha256(f"old {seed}".encode()).hexdigest()
    document = {
        "id": name,
        **({"parent": parent.id} if parent else {}),
        "created": "2014-11-12T13:14:15.161718192Z",
        "container": "0" * 64,
        "container_config": {"Cmd": ["/bin/sh", "-c", f"#(nop) ADD {seed} in /"]},
        "docker_version": "1.5.0",
        "author": f"Author of {seed}",
        "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
        "architecture": "amd64",
        "os": "linux",
        "Size": size,
        **more,
    }
    tar = EMPTY_TAR if empty else _tar(seed, size)
    spaced = json.dumps({k: v for k, v in document.items() if v is not None}).encode()
    return OldImage(spaced, tar, tar if plain else gzip.compress(tar, mtime=0))


def old_chain(seed: str, length: int = 3, **more: Any) -> list[OldImage]:
    """Images each built on the one before, root first."""
    found: list[OldImage] = []
    for number in range(length):
        found.append(old_image(f"{seed}/{number}", found[-1] if found else None, **more))
    return found


class PushingClient(LegacyClient):
    """The index is asked with Basic, the registry with the token of the push."""

    def open_push(self, name: str, listed: Sequence[Mapping[str, str]]) -> str:
        """PUT repository: what the whole push is done with."""
        answer = self.index(
            "PUT",
            f"/v1/repositories/{name}/",
            {"X-Docker-Token": "true", "Content-Type": "application/json"},
            as_json(list(listed)),
        )
        assert answer.status == 200, (answer.status, answer.data)
        assert answer.data == b'""'
        self.token = answer.headers["X-Docker-Token"]
        assert answer.headers["WWW-Authenticate"] == f"Token {self.token}"
        self.endpoint = answer.headers["X-Docker-Endpoints"].split(",")[0].strip()
        return self.token

    def push(self, name: str, tags: Mapping[str, OldImage], images: Sequence[OldImage]) -> int:
        """What `docker push name` does with these tags; `images` root first. How many were sent."""
        listed = []
        for image in images:
            names = [tag for tag, tagged in tags.items() if tagged.id == image.id]
            listed += [{"id": image.id, "Tag": tag} for tag in names] or [{"id": image.id}]
        assert self.index("GET", "/v1/_ping").status == 200
        self.open_push(name, listed)
        there = [self.raw("GET", f"/v1/images/{i.id}/json").status == 200 for i in images]
        sent = 0
        for image, known in zip(images, there, strict=True):
            if not known:
                sent += self.send_image(image)
            for tag in (tag for tag, tagged in tags.items() if tagged.id == image.id):
                path = f"/v1/repositories/{name}/tags/{tag}"
                assert self.registry("PUT", path, as_json(image.id)) is True
        done = self.finish(name)
        assert (done.status, done.data) == (204, b"")
        return sent

    def send_image(self, image: OldImage) -> bool:
        """Document, layer in chunks, both checksums; False if it was there."""
        path = f"/v1/images/{image.id}"
        answer = self.raw("PUT", f"{path}/json", image.document)
        if answer.status == 409:
            assert json.loads(answer.data) == {"error": "Image already exists"}
            return False
        assert (answer.status, answer.data) == (200, b"true"), answer.data
        assert self.registry("PUT", f"{path}/layer", pieces(image.layer)) is True
        sums = {
            "X-Docker-Checksum": f"tarsum+sha256:{'0' * 64}",
            "X-Docker-Checksum-Payload": image.checksum,
        }
        assert self.registry("PUT", f"{path}/checksum", **sums) is True
        return True

    def finish(self, name: str) -> urllib3.BaseHTTPResponse:
        """PUT images, empty since docker 0.8."""
        place = {"X-Docker-Endpoints": f"http://{self.endpoint}/v1/"}
        return self.index("PUT", f"/v1/repositories/{name}/images", place, b"[]")


def pieces(data: bytes, size: int = 700) -> Iterator[bytes]:
    """A body without a length."""
    return (data[start : start + size] for start in range(0, len(data), size))


def _tar(seed: str, size: int) -> bytes:
    data, buffer = random.Random(seed).randbytes(size), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        entry = tarfile.TarInfo(f"part-{hashlib.sha256(seed.encode()).hexdigest()[:8]}")
        entry.size = size
        tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
