"""Programs that keep images of their own: what was pushed and pulled is known by its image id,
the digest of its configuration, which names the digest of every unpacked layer."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterator

import pytest

from tests.clients.engine import Engine, write_docker_archive
from tests.clients.shop import ARCHITECTURES, PLATFORMS, ClientFailed, Shop, need
from tests.hub import RunningHub
from tests.images import digest_of, image, multi, write_layout

pytestmark = pytest.mark.e2e
PLAIN = "--tls-verify=false"


class Local:
    """podman or buildah with images of its own."""

    def __init__(self, shop: Shop, program: str) -> None:
        # podman takes no --runroot of more than 50 characters: pytest's folders are deeper
        self.folder = tempfile.mkdtemp(prefix="hub-images-")
        self.shop = shop
        self.target = f"{shop.host}/{shop.name}"
        folders = ["--root", f"{self.folder}/images", "--runroot", f"{self.folder}/run"]
        self.command = [need(program), *folders, "--storage-driver=vfs"]
        if program == "podman":
            self.command.append("--cgroup-manager=cgroupfs")

    def run(self, *arguments: str) -> str:
        return self.shop.run(*self.command, *arguments)

    def login(self) -> None:
        user = ["-u", self.shop.person.name, "--password-stdin"]
        self.shop.login(*self.command, "login", PLAIN, *user, self.shop.host)

    def pull(self, reference: str, *arguments: str) -> str:
        """The image's id, as a digest; asks the registry whatever is here."""
        self.run("rmi", "--all", "--force")
        return "sha256:" + self.run("pull", "-q", *arguments, PLAIN, reference).strip()


@pytest.fixture
def local(shop: Shop, request: pytest.FixtureRequest) -> Iterator[Local]:
    """The program that is the parameter."""
    client = Local(shop, request.param)
    yield client
    client.run("rmi", "--all", "--force")
    shutil.rmtree(client.folder)


def test_who_tries_https_first_is_told_at_once(live: RunningHub) -> None:
    """docker, podman and skopeo do, for each command, and wait ten seconds for a word; `docker
    manifest` goes on with HTTP only if that word is HTTP."""
    context = ssl.create_default_context()
    told = pytest.raises(ssl.SSLError, match=r"(?i)wrong.version.number|http.request")
    with socket.create_connection(("127.0.0.1", live.port), timeout=5) as raw, told:
        context.wrap_socket(raw, server_hostname="localhost")


@pytest.mark.parametrize("local", ["buildah", "podman"], indirect=True)
def test_manifest_list(shop: Shop, local: Local) -> None:
    made = multi(shop.name)
    write_layout(made, shop.home / "layout", "1")
    target = f"{local.target}:1"
    local.login()
    local.run("manifest", "create", "list")
    local.run("manifest", "add", "--all", "list", "oci:layout:1")
    local.run("manifest", "push", "--all", PLAIN, "list", f"docker://{target}")
    assert shop.tags() == {"1": PLATFORMS}
    for architecture, child in zip(ARCHITECTURES, made.children, strict=True):
        assert local.pull(target, "--arch", architecture) == digest_of(child.blobs[0])

    shop.drop("1")
    with pytest.raises(ClientFailed, match="manifest unknown"):
        local.pull(target)
    local.run("logout", shop.host)
    with pytest.raises(ClientFailed, match="authentication required"):
        local.pull(target)


@pytest.mark.parametrize("local", ["podman"], indirect=True)
def test_podman_lists_and_searches(shop: Shop, local: Local) -> None:
    write_layout(image(shop.name), shop.home / "layout", "1")
    local.login()
    image_id = local.pull("oci:layout:1")
    for tag in ("1", "2"):
        local.run("push", PLAIN, image_id, f"docker://{local.target}:{tag}")
    listed = local.run("search", PLAIN, "--list-tags", "--format=json", local.target)
    assert json.loads(listed) == [{"Name": local.target, "Tags": ["1", "2"]}]
    word = f"{shop.host}/{shop.person.name}"
    found = local.run("search", PLAIN, "--format={{.Name}}", word)
    assert found.split() == [local.target]


@pytest.mark.parametrize("local", ["buildah"], indirect=True)
def test_buildah_builds_and_pushes_zstd_layers(shop: Shop, local: Local) -> None:
    text = "some text " * 1000
    (shop.home / "file").write_text(text)
    (shop.home / "Containerfile").write_text("FROM scratch\nCOPY file /\n")
    target = f"docker://{local.target}:zstd"
    local.login()
    built = local.run("bud", "-q", "-f", "Containerfile", ".").strip()
    local.run("push", PLAIN, "--compression-format=zstd", built, target)
    manifest = json.loads(shop.run(need("skopeo"), "inspect", "--raw", PLAIN, target))
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+zstd"
    assert local.pull(f"{local.target}:zstd") == f"sha256:{built}"
    container = local.run("from", built).strip()
    folder = local.run("mount", container).strip()
    assert shop.run("cat", f"{folder}/file") == text
    local.run("rm", container)


def test_docker(shop: Shop, engine: Engine) -> None:
    docker = [need("docker"), "--host", engine.address]
    target = f"{shop.host}/{shop.name}"
    ids = {}
    for architecture in ARCHITECTURES:
        made = image(shop.name, architecture=architecture)
        ids[architecture] = digest_of(made.blobs[0])
        write_docker_archive(made, f"{target}:{architecture}", shop.home / "image.tar")
        shop.run(*docker, "load", "-q", "-i", "image.tar")
    with pytest.raises(ClientFailed, match="denied"):
        shop.run(*docker, "push", "-q", f"{target}:amd64")
    shop.login(*docker, "login", "-u", shop.person.name, "--password-stdin", shop.host)
    shop.run(*docker, "push", "-q", "--all-tags", target)
    parts = [f"{target}:{architecture}" for architecture in ARCHITECTURES]
    shop.run(*docker, "manifest", "create", "--insecure", f"{target}:1", *parts)
    shop.run(*docker, "manifest", "push", f"{target}:1")
    assert sorted(shop.tags()["1"]) == sorted(PLATFORMS)

    for architecture, image_id in ids.items():
        shop.run(*docker, "rmi", "--force", image_id)
        shop.run(*docker, "pull", "-q", "--platform", f"linux/{architecture}", f"{target}:1")
        show = ["image", "inspect", "--format={{.Id}}", f"{target}:1"]
        assert shop.run(*docker, *show).strip() == image_id
    shop.run(*docker, "pull", "-q", "--all-tags", target)  # goes by the list of tags
    kept = shop.run(*docker, "images", "--format={{.Tag}}", target).split()
    assert sorted(kept) == sorted(["1", *ARCHITECTURES])

    shop.drop("1")
    with pytest.raises(ClientFailed, match=r"not found|unknown"):
        shop.run(*docker, "pull", "-q", f"{target}:1")
    shop.run(*docker, "logout", shop.host)
    with pytest.raises(ClientFailed, match="denied"):
        shop.run(*docker, "pull", "-q", f"{target}:amd64")


def test_containerd(shop: Shop, engine: Engine) -> None:
    """The one that dockerd started; Kubernetes and newer docker engines speak like it."""
    ctr = [need("ctr"), "--address", engine.containerd, "--namespace", shop.person.name]
    access = ["--plain-http", "--user", f"{shop.person.name}:{shop.person.token}"]
    layout = write_layout(multi(shop.name), shop.home / "layout", "1")
    digests = {f"sha256:{blob.name}" for blob in (layout / "blobs" / "sha256").iterdir()}
    target = f"{shop.host}/{shop.name}:1"
    shop.run("tar", "-cf", "layout.tar", "-C", str(layout), ".")
    everything = ["--no-unpack", "--all-platforms", "--base-name", target.removesuffix(":1")]
    shop.run(*ctr, "images", "import", *everything, "layout.tar")
    shop.run(*ctr, "images", "push", *access, target)
    assert shop.tags() == {"1": PLATFORMS}

    shop.run(*ctr, "images", "rm", "--sync", target)
    assert shop.run(*ctr, "content", "ls", "-q") == ""
    pull = ["images", "pull", "--all-platforms", "--snapshotter", "native"]
    shop.run(*ctr, *pull, *access, target)
    assert set(shop.run(*ctr, "content", "ls", "-q").split()) == digests
    shop.run(*ctr, "images", "rm", "--sync", target)
    with pytest.raises(ClientFailed, match=r"authorization failed|401"):
        shop.run(*ctr, *pull, "--plain-http", target)
