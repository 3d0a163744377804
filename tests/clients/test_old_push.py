"""What an engine of 2015 pushes, the programs of today pull (registry-v1, 6.2)."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.shop import Shop, need
from tests.hub import RunningHub
from tests.images import digest_of
from tests.protocol.old import OldImage, PushingClient, old_chain, old_image

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def pushable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    hub = RunningHub(tmp_path_factory.mktemp("hub"), HUB_V1="push")
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture
def here(pushable: RunningHub, tmp_path: Path) -> Shop:
    home = tmp_path / "home"
    home.mkdir()
    return Shop(pushable, pushable.person("client"), home)


def pushed(here: Shop, *, plain: bool) -> list[OldImage]:
    """Three layers, the one in the middle without a file."""
    chain = old_chain(f"{here.name}{plain}", 1, plain=plain)
    chain += [old_image(f"{here.name} empty {plain}", chain[-1], plain=plain, empty=True)]
    chain += [old_image(f"{here.name} top {plain}", chain[-1], plain=plain)]
    PushingClient(here.hub, here.person).push(here.name, {"1": chain[-1]}, chain)
    return chain


@pytest.mark.parametrize("plain", [False, True])
def test_skopeo_and_crane(here: Shop, plain: bool) -> None:
    """crane unpacks every layer and holds gzip against the config, skopeo writes them for docker."""
    chain, user = pushed(here, plain=plain), here.person.name
    need("skopeo"), need("crane")
    target = f"{here.host}/{here.name}:1"
    here.login("crane", "auth", "login", here.host, "-u", user, "--password-stdin")
    if not plain:  # it takes every layer for gzip
        here.run("crane", "validate", "--remote", target)
    here.run("crane", "export", target, "files.tar")
    with tarfile.open(here.home / "files.tar") as files:
        assert len([name for name in files.getnames() if name.startswith("part-")]) == 2
    here.login("skopeo", "login", "--tls-verify=false", "-u", user, "--password-stdin", here.host)
    copy = ["--insecure-policy", "copy", "--src-tls-verify=false", f"docker://{target}"]
    here.run("skopeo", *copy, "docker-archive:back.tar:x:1")
    said = json.loads(here.run("skopeo", "inspect", "--config", "docker-archive:back.tar"))
    assert said["rootfs"]["diff_ids"] == [one.diff_id for one in chain]
    here.run("skopeo", *copy, "oci:back:1")
    for one in [] if plain else chain:  # it packs what is plain
        name = hashlib.sha256(one.layer).hexdigest()
        assert (here.home / "back" / "blobs" / "sha256" / name).read_bytes() == one.layer


@pytest.mark.parametrize("plain", [False, True])
def test_podman(here: Shop, plain: bool) -> None:
    pushed(here, plain=plain)
    short = tempfile.mkdtemp(prefix="hub-images-")  # podman takes no long --runroot
    podman = [need("podman"), "--root", f"{short}/i", "--runroot", f"{short}/r"]
    podman += ["--storage-driver=vfs", "--cgroup-manager=cgroupfs"]
    login = ["login", "--tls-verify=false", "-u", here.person.name, "--password-stdin", here.host]
    here.login(*podman, *login)
    target = f"{here.host}/{here.name}:1"
    try:
        found = here.run(*podman, "pull", "-q", "--tls-verify=false", target).strip()
        config = here.run(*podman, "image", "inspect", "--format={{.Author}}", found)
        assert config.strip().startswith("Author of")
        raw = here.run(
            "skopeo",
            "inspect",
            "--tls-verify=false",
            "--config",
            "--raw",
            f"docker://{target}",
        )
        assert digest_of(raw.encode()) == f"sha256:{found}"
    finally:
        here.run(*podman, "rmi", "--all", "--force")
        shutil.rmtree(short)
