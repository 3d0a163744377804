"""Real clients, each pushing and pulling an image for three platforms; and a layer of a gibibyte."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client import RegistryClient
from tests.hub import Person, RunningHub
from tests.images import Image, multi, write_layout

pytestmark = pytest.mark.e2e
GIB = 1024**3


class Shop:
    """One person's clients, with a home folder of their own."""

    def __init__(self, hub: RunningHub, person: Person, home: Path) -> None:
        self.hub, self.person, self.home = hub, person, home
        self.image: Image = multi(f"{person.name}/{home.name}")
        self.layout = write_layout(self.image, home / "layout", "1")
        (home / "auth.json").write_text("{}")

    def run(self, *command: str) -> str:
        """Run a client; fails with what it said."""
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            cwd=self.home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "DOCKER_CONFIG": str(self.home),
                "REGISTRY_AUTH_FILE": str(self.home / "auth.json"),
            },
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def login(self) -> str:
        return f"{self.person.name}:{self.person.token}"


def with_skopeo(shop: Shop, name: str) -> Path:
    target = f"docker://{shop.hub.host}/{name}:1"
    copy = ["skopeo", "--insecure-policy", "copy", "--all"]
    shop.run(*copy, "--dest-tls-verify=false", "--dest-creds", shop.login, "oci:layout:1", target)
    tags = shop.run("skopeo", "list-tags", "--tls-verify=false", "--creds", shop.login, target[:-2])
    assert json.loads(tags)["Tags"] == ["1"]
    shop.run(*copy, "--src-tls-verify=false", "--src-creds", shop.login, target, "oci:back:1")
    return shop.home / "back"


def with_crane(shop: Shop, name: str) -> Path:
    target = f"{shop.hub.host}/{name}:1"
    login = ["-u", shop.person.name, "-p", shop.person.token]
    shop.run("crane", "auth", "login", shop.hub.host, *login)
    flat = write_flat(shop)
    shop.run("crane", "push", "--index", str(flat), target)
    assert shop.run("crane", "ls", f"{shop.hub.host}/{name}").split() == ["1"]
    shop.run("crane", "validate", "--remote", target)
    shop.run("crane", "pull", "--format=oci", target, "back")
    return shop.home / "back"


def with_oras(shop: Shop, name: str) -> Path:
    target = f"{shop.hub.host}/{name}:1"
    to = ["--to-plain-http", "--to-username", shop.person.name, "--to-password", shop.person.token]
    shop.run("oras", "cp", "--from-oci-layout", "layout:1", *to, target)
    own = ["--plain-http", "-u", shop.person.name, "-p", shop.person.token]
    assert shop.run("oras", "repo", "tags", *own, f"{shop.hub.host}/{name}").split() == ["1"]
    back = [arg.replace("--to-", "--from-") for arg in to]
    shop.run("oras", "cp", *back, target, "--to-oci-layout", "back:1")
    return shop.home / "back"


def with_buildah(shop: Shop, name: str) -> Path:
    target = f"docker://{shop.hub.host}/{name}:1"
    buildah = ["buildah", "--root", str(shop.home / "r"), "--runroot", str(shop.home / "rr")]
    buildah += ["--storage-driver", "vfs"]
    access = ["--tls-verify=false", "--creds", shop.login]
    shop.run(*buildah, "manifest", "create", "list")
    shop.run(*buildah, "manifest", "add", "--all", "list", "oci:layout:1")
    shop.run(*buildah, "manifest", "push", "--all", *access, "list", target)
    image = shop.run(*buildah, "pull", "-q", *access, target).strip()
    shop.run(*buildah, "push", image, "oci:back:1")
    return shop.home / "back"


CLIENTS: dict[str, Callable[[Shop, str], Path]] = {
    "skopeo": with_skopeo,
    "crane": with_crane,
    "oras": with_oras,
    "buildah": with_buildah,
}


def write_flat(shop: Shop) -> Path:
    """The layout `crane push --index` wants: the children in index.json itself."""
    flat = shop.home / "flat"
    shutil.copytree(shop.layout, flat)
    (flat / "index.json").write_bytes(shop.image.manifest)
    return flat


@pytest.mark.parametrize("program", CLIENTS)
def test_three_platforms(live: RunningHub, tmp_path: Path, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    shop = Shop(live, live.person(program), tmp_path)
    name = f"{shop.person.name}/app"
    back = CLIENTS[program](shop, name)
    pushed = {p.name for p in (shop.layout / "blobs" / "sha256").iterdir()}
    pulled = {p.name for p in (back / "blobs" / "sha256").iterdir()}
    if program == "buildah":  # takes the platform it runs on, and may pack it anew
        assert pulled
    else:
        assert pulled >= pushed
        for blob in pushed:
            data = (back / "blobs" / "sha256" / blob).read_bytes()
            assert hashlib.sha256(data).hexdigest() == blob
    _, tags = live.api("GET", f"repositories/{name}/tags", token=shop.person.token)
    assert tags["results"][0]["platforms"] == ["linux/amd64", "linux/arm64", "linux/arm"]


def test_a_gibibyte_goes_in_and_out_with_flat_memory(own_hub: RunningHub) -> None:
    own_hub.start()
    person = own_hub.person()
    client, name = RegistryClient(own_hub, person), f"{person.name}/big"
    piece = os.urandom(4 * 1024**2)
    expected = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for number in range(GIB // len(piece)):
            data = number.to_bytes(8, "big") + piece[8:]
            expected.update(data)
            yield data

    before = own_hub.rss_bytes()
    peak = [before]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            peak.append(own_hub.rss_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    scope = f"repository:{name}:pull,push"
    opened = client.send("POST", f"/v2/{name}/blobs/uploads/", scope=scope)
    patched = client.send("PATCH", opened.headers["Location"], body=pieces(), scope=scope)
    assert patched.headers["Range"] == f"0-{GIB - 1}"
    digest = f"sha256:{expected.hexdigest()}"
    closed = client.send("PUT", f"{patched.headers['Location']}?digest={digest}", scope=scope)
    assert closed.status == 201
    answer = own_hub.http.request(
        "GET",
        f"{own_hub.url}/v2/{name}/blobs/{digest}",
        headers={"Authorization": f"Bearer {client.token(scope)}"},
        preload_content=False,
    )
    received = hashlib.sha256()
    for data in answer.stream(1024**2):
        received.update(data)
    time.sleep(0.2)
    done.set()
    watcher.join()
    assert received.hexdigest() == expected.hexdigest()
    assert max(peak) - before < 100 * 1024**2, f"{before} grew to {max(peak)}"
