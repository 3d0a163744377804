"""Searching from the command line: everybody finds what is public, members what is theirs."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator

import pytest

from tests.client import RegistryClient
from tests.clients.engine import Engine
from tests.clients.shop import ClientFailed, Shop, need
from tests.hub import Person
from tests.images import image

pytestmark = pytest.mark.e2e
PLAIN = "--tls-verify=false"
Search = Callable[..., list[str]]


@pytest.fixture
def names(shop: Shop) -> dict[str, str]:
    """A public and a private repository of this person."""
    made = {}
    for visibility in ("public", "private"):
        name = f"{shop.person.name}/{visibility}"
        made[visibility] = name
        RegistryClient(shop.hub, shop.person).push(name, image(name), "1.0")
        change = {"visibility": visibility, "description": f"the {visibility} one"}
        answer = shop.hub.api("PATCH", f"repositories/{name}", change, token=shop.person.token)
        assert answer[0] == 200
    return made


@pytest.fixture
def podman(shop: Shop) -> Iterator[Search]:
    """podman with images of its own; gives what a search finds, without the host."""
    folder = tempfile.mkdtemp(prefix="hub-images-")
    roots = ["--root", f"{folder}/images", "--runroot", f"{folder}/run"]
    command = [need("podman"), *roots, "--storage-driver=vfs", "--cgroup-manager=cgroupfs"]

    def run(*arguments: str, person: Person | None = None) -> list[str]:
        if person:
            login = [*command, "login", PLAIN, "-u", person.name, "--password-stdin", shop.host]
            shop.run(*login, given=person.token)
        printed = shop.run(*command, "search", PLAIN, *arguments)
        return [line.removeprefix(f"{shop.host}/") for line in printed.splitlines()]

    yield run
    shutil.rmtree(folder)


def test_podman(shop: Shop, podman: Search, names: dict[str, str]) -> None:
    public, private = (f"{shop.host}/{names[kind]}" for kind in ("public", "private"))
    shown = "--format={{.Name}}"
    assert podman(shown, public) == [names["public"]]
    assert podman("--format={{.Name}} {{.Description}} {{.Stars}}", public) == [
        f"{names['public']} the public one 0"
    ]
    assert podman(shown, "--limit=1", f"{shop.host}/{shop.person.name}") == [names["public"]]
    with pytest.raises(ClientFailed, match=r"unauthorized|authentication required"):
        podman(shown, private)
    stranger = shop.hub.person("stranger")
    assert podman(shown, private, person=stranger) == []
    assert podman(shown, private, person=shop.person) == [names["private"]]


def test_podman_lists_tags(shop: Shop, podman: Search, names: dict[str, str]) -> None:
    def listed(kind: str, person: Person | None = None) -> list[str]:
        found = json.loads(
            "".join(
                podman("--list-tags", "--format=json", f"{shop.host}/{names[kind]}", person=person)
            )
        )
        return [tag for one in found for tag in one["Tags"]]

    assert listed("public") == ["1.0"]
    with pytest.raises(ClientFailed, match=r"unauthorized|authentication required"):
        listed("private")
    assert listed("private", shop.person) == ["1.0"]


def test_docker(shop: Shop, engine: Engine, names: dict[str, str]) -> None:
    docker = [need("docker"), "--host", engine.address]

    def found(*arguments: str, kind: str = "") -> list[str]:
        term = f"{shop.host}/{names[kind] if kind else shop.person.name}"
        show = "--format={{.Name}}|{{.Description}}|{{.StarCount}}|{{.IsOfficial}}"
        return shop.run(*docker, "search", show, *arguments, term).splitlines()

    def login(person: Person) -> None:
        user = ["-u", person.name, "--password-stdin", shop.host]
        shop.run(*docker, "login", *user, given=person.token)

    public, private = (f"{names[k]}|the {k} one|0|" for k in ("public", "private"))
    assert found() == [public]
    assert found(kind="private") == []
    assert found("--filter=is-official=true") == []
    login(shop.hub.person("stranger"))
    assert found() == [public]
    login(shop.person)
    assert sorted(found()) == sorted([public, private])
    assert len(found("--limit=1")) == 1
    shop.run(*docker, "logout", shop.host)
    assert found() == [public]
