"""`manage.py import_image` takes what real programs write, and they pull the same image back."""

from __future__ import annotations

import shutil
import tempfile

import pytest

from tests.clients.shop import PLATFORMS, Shop, assert_same_blobs, need
from tests.images import digest_of, image, multi, write_layout

pytestmark = pytest.mark.e2e


@pytest.fixture
def here(shop: Shop) -> Shop:
    need("skopeo")
    user = shop.person.name
    shop.login("skopeo", "login", "--tls-verify=false", "-u", user, "--password-stdin", shop.host)
    return shop


def load(shop: Shop, *files: str, to: str = "") -> str:
    paths = [str(shop.home / file) for file in files]
    name = to or shop.name
    return shop.hub.manage("import_image", *paths, "--repository", name, "--as", shop.person.name)


def copy(shop: Shop, source: str, target: str, *more: str) -> None:
    shop.run("skopeo", "--insecure-policy", "copy", *more, source, target)


def config_of(shop: Shop, tag: str) -> str:
    """The image's id, as a client finds it; it proves every layer on the way."""
    source = f"docker://{shop.host}/{shop.name}:{tag}"
    copy(shop, source, f"docker-archive:{tag}-back.tar:x:1", "--src-tls-verify=false")
    said = shop.run("skopeo", "inspect", "--config", "--raw", f"docker-archive:{tag}-back.tar")
    return digest_of(said.encode())


@pytest.mark.parametrize("gz", [False, True])
def test_docker_archive(here: Shop, gz: bool) -> None:
    made = image(here.name, layers=3)
    write_layout(made, here.home / "layout", "1")
    copy(here, "oci:layout:1", "docker-archive:saved.tar:example.org/app:3.0")
    if gz:
        here.run("gzip", "saved.tar")
    load(here, "saved.tar.gz" if gz else "saved.tar")
    assert [*here.tags()] == ["3.0"]
    assert config_of(here, "3.0") == digest_of(made.blobs[0])


def test_oci_archive_with_all_platforms(here: Shop) -> None:
    made = multi(here.name)
    write_layout(made, here.home / "layout", "1")
    copy(here, "oci:layout:1", "oci-archive:saved.tar:2.0", "--all")
    load(here, "saved.tar", "layout")
    assert here.tags() == {"1": PLATFORMS, "2.0": PLATFORMS}
    source = f"docker://{here.host}/{here.name}:2.0"
    copy(here, source, "oci:back:1", "--all", "--src-tls-verify=false")
    assert_same_blobs(here.home / "layout", here.home / "back")


def test_podman_save(here: Shop) -> None:
    """Both of its formats."""
    short = tempfile.mkdtemp(prefix="hub-images-")  # podman takes no long --runroot
    podman = [need("podman"), "--root", f"{short}/i", "--runroot", f"{short}/r"]
    podman += ["--storage-driver=vfs", "--cgroup-manager=cgroupfs"]
    made = image(here.name)
    write_layout(made, here.home / "layout", "1")
    try:
        name = here.run(*podman, "pull", "-q", "oci:layout:1").strip()
        here.run(*podman, "tag", name, "example.org/app:5")
        for kind in ("docker-archive", "oci-archive"):
            here.run(
                *podman, "save", "-q", "--format", kind, "-o", f"{kind}.tar", "example.org/app:5"
            )
            load(here, f"{kind}.tar", to=f"{here.name}:{kind}")
            assert config_of(here, kind) == digest_of(made.blobs[0])
    finally:
        here.run(*podman, "rmi", "--all", "--force")
        shutil.rmtree(short)
