"""What is no image: signatures and lists of parts beside one, and build caches."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.clients.copiers import Crane, Oras, Regctl
from tests.clients.shop import ClientFailed, Shop, need
from tests.images import OCI_INDEX, as_json, descriptor, digest_of, multi

pytestmark = pytest.mark.e2e
PARTS = "application/vnd.example.parts"
ATTACHED = {
    PARTS: ("parts.json", '["bolt"]'),
    "application/vnd.example.note": ("note.json", '"hello"'),
}
Discover = Callable[[str], dict[str, str]]  # texts by artifact type, of one type or of all


def with_oras(shop: Shop) -> Discover:
    client = Oras(shop, multi(shop.name))
    client.login()
    client.push("1")
    subject = f"{client.repository}:1"
    for kind, (file, _) in ATTACHED.items():
        what = ["--artifact-type", kind, subject, f"{file}:application/json"]
        client.run("attach", "--plain-http", *what)

    def discover(kind: str) -> dict[str, str]:
        which = ["--artifact-type", kind] if kind else []
        said = client.run("discover", "--plain-http", "--format=json", *which, subject)
        found = json.loads(said)["referrers"]
        for entry in found:
            client.run("pull", "--plain-http", "-o", entry["digest"], entry["reference"])
        return {
            entry["artifactType"]: "".join(
                file.read_text() for file in (shop.home / entry["digest"]).iterdir()
            )
            for entry in found
        }

    return discover


def with_regctl(shop: Shop) -> Discover:
    client = Regctl(shop, multi(shop.name))
    client.login()
    client.push("1")
    subject = f"{client.repository}:1"
    for kind, (file, _) in ATTACHED.items():
        what = ["--artifact-type", kind, "--file", file, "--file-media-type", "application/json"]
        client.run("artifact", "put", *what, "--subject", subject)

    def discover(kind: str) -> dict[str, str]:
        which = ["--filter-artifact-type", kind] if kind else []
        said = client.run("artifact", "list", *which, "--format={{json .}}", subject)
        return {
            entry["artifactType"]: client.run(
                "artifact", "get", f"{client.repository}@{entry['digest']}"
            )
            for entry in json.loads(said)["descriptors"]
        }

    return discover


@pytest.mark.parametrize("attach", [with_oras, with_regctl])
def test_referrers(shop: Shop, attach: Callable[[Shop], Discover]) -> None:
    for file, text in ATTACHED.values():
        (shop.home / file).write_text(text)
    discover = attach(shop)
    assert discover("") == {kind: text for kind, (_, text) in ATTACHED.items()}
    assert discover(PARTS) == {PARTS: ATTACHED[PARTS][1]}
    assert discover("application/vnd.example.other") == {}
    assert list(shop.tags()) == ["1"]  # no referrers tag: the client saw that the API is there


def test_cosign_signs_and_verifies(shop: Shop) -> None:
    cosign = need("cosign")
    client = Crane(shop, multi(shop.name))
    client.login()
    client.push("1")
    signed = f"{client.repository}@{client.image.digest}"
    plain = ["--allow-http-registry", "--allow-insecure-registry"]
    shop.environment["COSIGN_PASSWORD"] = "a pass phrase"
    for name in ("cosign", "other"):
        shop.run(cosign, "generate-key-pair", "--output-key-prefix", name)
    alone = ["--tlog-upload=false", "--use-signing-config=false"]  # the network has no part in it
    shop.run(cosign, "sign", "--yes", "--key=cosign.key", *alone, *plain, signed)

    check = [cosign, "verify", "--insecure-ignore-tlog", *plain]
    (claim,) = json.loads(shop.run(*check, "--key=cosign.pub", signed))
    assert claim["critical"]["image"]["docker-manifest-digest"] == client.image.digest
    with pytest.raises(ClientFailed):
        shop.run(*check, "--key=other.pub", signed)
    assert client.tags() == ["1"]  # stored as a referrer, not under a tag


def test_a_build_cache_whose_index_lists_blobs(shop: Shop) -> None:
    """BuildKit's `--cache-to type=registry`: layers and a configuration as children."""
    client = Oras(shop, multi(shop.name))
    client.login()
    layer, config = b"cached layer", b'{"layers":[],"records":[]}'
    kinds = {
        "application/vnd.oci.image.layer.v1.tar+gzip": layer,
        "application/vnd.buildkit.cacheconfig.v0": config,
    }
    children = [descriptor(kind, data) for kind, data in kinds.items()]
    cache = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})
    (shop.home / "cache.json").write_bytes(cache)
    for number, data in enumerate(kinds.values()):
        (shop.home / f"blob{number}").write_bytes(data)
        client.run("blob", "push", "--plain-http", client.repository, f"blob{number}")
    target = f"{client.repository}:cache"
    client.run("manifest", "push", "--plain-http", "--media-type", OCI_INDEX, target, "cache.json")

    client.run("manifest", "fetch", "--plain-http", "-o", "back.json", target)
    assert (shop.home / "back.json").read_bytes() == cache
    for data in kinds.values():
        blob = f"{client.repository}@{digest_of(data)}"
        client.run("blob", "fetch", "--plain-http", "-o", "blob", blob)
        assert (shop.home / "blob").read_bytes() == data
