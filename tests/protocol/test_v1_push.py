"""Pushing under /v1 over a real socket, and the 2×2 table of old and new clients (registry-v1,
scenario B, 1.4 to 1.9, 6.2)."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import urllib3

from tests.client import RegistryClient
from tests.hub import Person, RunningHub
from tests.images import DOCKER_CONFIG, DOCKER_MANIFEST, image
from tests.protocol.legacy import AGENT, LegacyClient, Pulled, expected_ids
from tests.protocol.old import OldImage, PushingClient, old_chain, old_image

_numbers = itertools.count(1)
GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
PLAIN = "application/vnd.docker.image.rootfs.diff.tar"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    running = RunningHub(tmp_path_factory.mktemp("hub"), HUB_V1="push")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def person(hub: RunningHub) -> Person:
    return hub.person("old")


@pytest.fixture
def name(person: Person) -> str:
    """A repository that is not there yet."""
    return f"{person.name}/v{next(_numbers)}"


@pytest.fixture
def client(hub: RunningHub, person: Person) -> PushingClient:
    return PushingClient(hub, person)


def manifest_of(hub: RunningHub, person: Person, name: str, tag: str) -> dict[str, Any]:
    answer = RegistryClient(hub, person).send("GET", f"/v2/{name}/manifests/{tag}")
    assert answer.status == 200, answer.data
    found: dict[str, Any] = json.loads(answer.data)
    return found


def config_of(hub: RunningHub, person: Person, name: str, tag: str) -> dict[str, Any]:
    digest = manifest_of(hub, person, name, tag)["config"]["digest"]
    answer = RegistryClient(hub, person).send("GET", f"/v2/{name}/blobs/{digest}")
    found: dict[str, Any] = json.loads(answer.data)
    return found


def check_pulled(pulled: Pulled, chain: list[OldImage]) -> None:
    assert pulled.ids == [image.id for image in chain]
    assert pulled.documents == [image.facts for image in chain]
    assert pulled.layers == [image.layer for image in chain]


# --- the 2×2 table: who pushes, who pulls


@pytest.mark.parametrize("plain", [False, True])
def test_old_push_old_pull(client: PushingClient, name: str, plain: bool) -> None:
    """Everything comes back as it was sent, bytes of the documents and checksums included."""
    chain = old_chain(name, plain=plain)
    assert client.push(name, {"1": chain[-1]}, chain) == 3
    fresh = LegacyClient(client.hub, client.person)
    check_pulled(fresh.pull(name, "1"), chain)
    for one in chain:
        answer = fresh.raw("GET", f"/v1/images/{one.id}/json")
        assert answer.data == one.document
        assert answer.headers["X-Docker-Checksum-Payload"] == one.checksum
        assert answer.headers["X-Docker-Size"] == str(len(one.layer))


@pytest.mark.parametrize("plain", [False, True])
def test_old_push_new_pull(
    hub: RunningHub, person: Person, client: PushingClient, name: str, plain: bool
) -> None:
    chain = old_chain(name, plain=plain)
    client.push(name, {"1": chain[-1]}, chain)
    pulled = RegistryClient(hub, person).pull(name, "1")
    manifest = manifest_of(hub, person, name, "1")
    assert manifest["mediaType"] == DOCKER_MANIFEST
    assert manifest["config"]["mediaType"] == DOCKER_CONFIG
    assert [e["mediaType"] for e in manifest["layers"]] == [PLAIN if plain else GZIP] * 3
    assert [pulled[e["digest"]] for e in manifest["layers"]] == [i.layer for i in chain]
    config = json.loads(pulled[manifest["config"]["digest"]])
    assert config["rootfs"] == {"type": "layers", "diff_ids": [i.diff_id for i in chain]}
    for entry, one in zip(config["history"], chain, strict=True):
        assert entry == {
            "created": one.facts["created"],
            "author": one.facts["author"],
            "created_by": " ".join(one.facts["container_config"]["Cmd"]),
        }
    kept = ("architecture", "os", "created", "author", "config", "container", "docker_version")
    assert {k: config[k] for k in kept} == {k: chain[-1].facts[k] for k in kept}
    assert not {"id", "parent", "Size"} & {*config}


@pytest.mark.parametrize("docker", [True, False])
def test_new_push_old_pull(hub: RunningHub, person: Person, name: str, docker: bool) -> None:
    made = image(name, layers=3, docker=docker)
    assert RegistryClient(hub, person).push(name, made, "1").status == 201
    pulled = LegacyClient(hub, person).pull(name, "1")
    assert (pulled.ids, pulled.layers) == (expected_ids(made), made.blobs[1:])


def test_new_push_new_pull(hub: RunningHub, person: Person, name: str) -> None:
    made = image(name)
    RegistryClient(hub, person).push(name, made, "1")
    pulled = RegistryClient(hub, person).pull(name, "1")
    assert {*pulled.values()} == {made.manifest, *made.blobs}


# --- what both kinds build on each other


def test_an_old_client_builds_on_what_a_new_one_pushed(
    hub: RunningHub, person: Person, client: PushingClient, name: str
) -> None:
    """Nothing that is here is sent again; the history of both is in the config."""
    made = image(name, layers=2)
    RegistryClient(hub, person).push(name, made, "base")
    base = client.pull(name, "base")
    below = [
        OldImage(json.dumps(document).encode(), b"", layer)
        for document, layer in zip(base.documents, base.layers, strict=True)
    ]
    top = old_image(name, below[-1])
    assert client.push(name, {"mine": top}, [*below, top]) == 1
    config = config_of(hub, person, name, "mine")
    whole = json.loads(made.blobs[0])
    assert config["rootfs"]["diff_ids"] == [*whole["rootfs"]["diff_ids"], top.diff_id]
    assert config["history"][:-1] == whole["history"]
    again = LegacyClient(hub, person).pull(name, "mine")
    assert again.ids == [*base.ids, top.id]
    assert again.layers == [*base.layers, top.layer]


def test_a_second_push_sends_what_is_new(client: PushingClient, name: str) -> None:
    chain = old_chain(name)
    client.push(name, {"1": chain[-1]}, chain)
    more = old_image(f"{name} more", chain[-1])
    assert client.push(name, {"2": more}, [*chain, more]) == 1
    assert client.push(name, {"1": chain[-1], "2": more, "mid": chain[1]}, [*chain, more]) == 0
    fresh = LegacyClient(client.hub, client.person)
    for tag, wanted in (("1", chain), ("2", [*chain, more]), ("mid", chain[:2])):
        check_pulled(fresh.pull(name, tag), wanted)


def test_several_tags_of_one_push(client: PushingClient, name: str) -> None:
    chain = old_chain(name, 4)
    tags = {"latest": chain[-1], "same": chain[-1], "older": chain[1]}
    client.push(name, tags, chain)
    found = client.begin(name) and client.registry("GET", f"/v1/repositories/{name}/tags")
    assert found == {tag: tagged.id for tag, tagged in tags.items()}


def test_the_same_again_is_the_same_manifest(
    hub: RunningHub, person: Person, client: PushingClient, name: str
) -> None:
    chain = old_chain(name)
    client.push(name, {"1": chain[-1]}, chain)
    other = f"{name}-b"
    client.push(other, {"1": chain[-1]}, chain)  # nothing crosses over: all is sent again
    assert manifest_of(hub, person, name, "1") == manifest_of(hub, person, other, "1")


# --- what becomes of odd documents


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"architecture": None, "os": None}, {"architecture": "amd64", "os": "linux"}),
        ({"architecture": "", "os": 7}, {"architecture": "amd64", "os": "linux"}),
        ({"created": None}, {"created": "0001-01-01T00:00:00Z"}),
        ({"created": "yesterday"}, {"created": "0001-01-01T00:00:00Z"}),
        ({"x-of-nobody": [1, {"a": None}]}, {"x-of-nobody": [1, {"a": None}]}),
        ({"rootfs": "mine", "history": 3}, {}),
        ({"container_config": {"Cmd": "echo"}}, {}),
        ({"container_config": "?"}, {}),
        ({"throwaway": True, "parent_id": "x", "layer_id": "y"}, {}),
        ({"comment": "Ünïcödé \U0001f433 "}, {"comment": "Ünïcödé \U0001f433 "}),
    ],
)
def test_odd_documents(
    hub: RunningHub,
    person: Person,
    client: PushingClient,
    name: str,
    more: Mapping[str, Any],
    wanted: Mapping[str, Any],
) -> None:
    one = old_image(name, **more)
    client.push(name, {"1": one}, [one])
    config = config_of(hub, person, name, "1")
    assert {key: config[key] for key in wanted} == wanted
    assert config["rootfs"]["diff_ids"] == [one.diff_id]
    assert len(config["history"]) == 1
    assert not {"id", "parent", "parent_id", "layer_id", "throwaway", "Size"} & {*config}
    check_pulled(LegacyClient(hub, person).pull(name, "1"), [one])


def test_empty_layers_stay_layers(
    hub: RunningHub, person: Person, client: PushingClient, name: str
) -> None:
    """So that an old client gets back every image it pushed; one blob serves them all."""
    chain = [old_image(f"{name}0")]
    chain += [old_image(f"{name}1", chain[-1], empty=True)]
    chain += [old_image(f"{name}2", chain[-1], empty=True)]
    client.push(name, {"1": chain[-1]}, chain)
    manifest = manifest_of(hub, person, name, "1")
    assert len({entry["digest"] for entry in manifest["layers"]}) == 2
    assert len(manifest["layers"]) == 3
    check_pulled(LegacyClient(hub, person).pull(name, "1"), chain)


def test_the_most_layers_an_engine_stacks(client: PushingClient, name: str) -> None:
    chain = old_chain(name, 128, size=10)
    client.push(name, {"1": chain[126]}, chain[:127])
    check_pulled(LegacyClient(client.hub, client.person).pull(name, "1"), chain[:127])
    client.open_push(name, [{"id": chain[127].id}])
    answer = client.raw("PUT", f"/v1/images/{chain[127].id}/json", chain[127].document)
    assert (answer.status, json.loads(answer.data)["error"]) == (
        400,
        "Image depends on itself or on too many others",
    )


# --- the flow


def test_the_token_ends_with_the_push(client: PushingClient, name: str) -> None:
    chain = old_chain(name)
    client.push(name, {"1": chain[-1]}, chain)
    for method, path in (
        ("GET", f"/v1/images/{chain[0].id}/json"),
        ("PUT", f"/v1/images/{chain[0].id}/json"),
        ("PUT", f"/v1/images/{chain[0].id}/layer"),
        ("PUT", f"/v1/images/{chain[0].id}/checksum"),
        ("PUT", f"/v1/repositories/{name}/tags/1"),
        ("PUT", f"/v1/repositories/{name}/images"),
        ("GET", f"/v1/repositories/{name}/tags"),
    ):
        assert client.raw(method, path).status == 401, (method, path)


def test_two_pushers_at_once_do_not_end_one_another(
    hub: RunningHub, person: Person, name: str
) -> None:
    """Both choose the same id for different bytes; each gets what was its own."""
    first, second = PushingClient(hub, person), PushingClient(hub, person)
    one = old_image(name)
    other = old_image(name, comment="another")
    assert one.id == other.id
    for client, tag in ((first, "one"), (second, "two")):
        client.open_push(name, [{"id": one.id, "Tag": tag}])
    assert first.send_image(one)
    assert second.send_image(other)
    path = f"/v1/repositories/{name}/tags"
    assert first.registry("PUT", f"{path}/one", json.dumps(one.id).encode()) is True
    assert first.finish(name).status == 204
    assert first.raw("GET", f"{path}/one").status == 401
    assert second.registry("PUT", f"{path}/two", json.dumps(other.id).encode()) is True
    assert second.finish(name).status == 204
    for tag, wanted in (("one", one), ("two", other)):
        config = config_of(hub, person, name, tag)
        assert config.get("comment") == wanted.facts.get("comment")


def test_a_large_layer_arrives_in_bounded_memory(
    hub: RunningHub, person: Person, client: PushingClient, name: str
) -> None:
    one = old_image(name, size=48 * 1024**2)
    client.open_push(name, [{"id": one.id, "Tag": "1"}])
    before = hub.rss_bytes()
    assert client.send_image(one)
    assert hub.rss_bytes() - before < 24 * 1024**2
    client.registry("PUT", f"/v1/repositories/{name}/tags/1", json.dumps(one.id).encode())
    manifest = manifest_of(hub, person, name, "1")
    digest = f"sha256:{hashlib.sha256(one.layer).hexdigest()}"
    assert manifest["layers"][0]["digest"] == digest


def test_a_layer_cut_short_counts_for_nothing(client: PushingClient, name: str) -> None:
    one = old_image(name)
    client.open_push(name, [{"id": one.id}])
    client.registry("PUT", f"/v1/images/{one.id}/json", one.document)

    def broken() -> Iterator[bytes]:
        yield one.layer[:1000]
        raise urllib3.exceptions.ProtocolError("the client went away")

    with pytest.raises(urllib3.exceptions.ProtocolError):
        client.raw("PUT", f"/v1/images/{one.id}/layer", broken())
    answer = client.raw(
        "PUT", f"/v1/images/{one.id}/checksum", **{"X-Docker-Checksum-Payload": one.checksum}
    )
    assert (answer.status, json.loads(answer.data)) == (400, {"error": "Checksum mismatch"})
    assert client.send_image(one)


def test_a_push_is_known_by_its_client(client: PushingClient, name: str) -> None:
    chain = old_chain(name, 1)
    client.push(name, {"latest": chain[0]}, chain)
    facts = json.loads(client.index("GET", f"/v1/repositories/{name}/json").data)
    assert "docker/1.5.0" in AGENT
    assert facts["docker_version"] == "1.5.0"


def test_gzip_in_several_members(client: PushingClient, name: str) -> None:
    one = old_image(name, size=3000)
    half = len(one.tar) // 2
    layer = gzip.compress(one.tar[:half], mtime=0) + gzip.compress(one.tar[half:], mtime=0)
    split = OldImage(one.document, one.tar, layer)
    client.push(name, {"1": split}, [split])
    config = config_of(client.hub, client.person, name, "1")  # type: ignore[arg-type]
    assert config["rootfs"]["diff_ids"] == [one.diff_id]
