"""Everything of another registry is copied, from its address and from its disk: real programs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

from tests.client import RegistryClient
from tests.clients.shop import need
from tests.hub import ROOT, Person, RunningHub, free_port
from tests.images import Image, artifact, digest_of, image, multi

pytestmark = pytest.mark.e2e
LOOPBACK = "127.0.0.0/8"


@dataclass
class Other:
    """A registry without accounts; it has what a hub's client needs to push to it."""

    host: str
    url: str
    folder: Path
    http: urllib3.PoolManager


@pytest.fixture(params=["docker-registry", "registry"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Other]:
    program, port = need(request.param), free_port()
    made = Other(
        f"127.0.0.1:{port}", f"http://127.0.0.1:{port}", tmp_path / "store", urllib3.PoolManager()
    )
    (tmp_path / "config.yml").write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {made.folder}\n"
        f"  delete:\n    enabled: true\nhttp:\n  addr: {made.host}\n"
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", str(tmp_path / "config.yml")],
            env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
            stdout=log,
            stderr=log,
        )
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            assert process.poll() is None, (tmp_path / "log").read_text()
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                if made.http.request("GET", f"{made.url}/v2/", retries=False).status == 200:
                    break
            time.sleep(0.1)
        yield made
    finally:
        process.terminate()
        process.wait(timeout=20)


def put(other: Other, name: str, made: Image, tag: str) -> None:
    """Push without a client."""
    for child in made.children:
        put(other, name, child, child.digest)
    for blob in made.blobs:
        opened = other.http.request("POST", f"{other.url}/v2/{name}/blobs/uploads/")
        place = opened.headers["Location"]
        closed = other.http.request(
            "PUT",
            f"{place}{'&' if '?' in place else '?'}digest={digest_of(blob)}",
            body=blob,
            headers={"Content-Type": "application/octet-stream"},
        )
        assert closed.status == 201, closed.data
    headers = {"Content-Type": made.media_type}
    url = f"{other.url}/v2/{name}/manifests/{tag}"
    assert other.http.request("PUT", url, body=made.manifest, headers=headers).status == 201


def copy(hub: RunningHub, person: Person, *arguments: str, **more: str) -> tuple[int, str]:
    """Exit code and all that it said."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    own = {"HUB_DATA_DIR": str(hub.data_dir), "HUB_EXTERNAL_URL": hub.url}
    done = subprocess.run(
        [sys.executable, "manage.py", "import_registry", *arguments, "--as", person.name],
        env={**inherited, **own, **hub.environment, **more},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


def test_from_an_address_and_from_a_disk(live: RunningHub, other: Other) -> None:
    person = live.person("mover")
    client = RegistryClient(live, person)
    images = {
        ("app", "1.0"): image("one"),
        ("app", "2.0"): multi("two"),
        ("app", "docker"): image("three", docker=True),
        ("team/sub/tool", "latest"): image("one"),
        ("charts", "0.1"): artifact(text="a chart"),
    }
    for (name, tag), made in images.items():
        put(other, name, made, tag)
    whole = ["--into", person.name, "--allow-network", LOOPBACK]
    code, said = copy(live, person, other.url, *whole)
    assert code == 0, said
    assert said.endswith("3 repositories: 5 tags copied, 0 were here, 0 missing.\n")
    for (name, tag), made in images.items():
        assert made.digest in client.pull(f"{person.name}/{name}", tag)
    code, said = copy(live, person, other.url, *whole)
    assert (code, said.count("was here")) == (0, 5), said
    # The same from its folder, elsewhere; then what has changed since.
    code, said = copy(live, person, str(other.folder), "--into", f"{person.name}/disk")
    assert code == 0, said
    for (name, tag), made in images.items():
        assert made.digest in client.pull(f"{person.name}/disk/{name}", tag)
    put(other, "app", image("four"), "1.0")
    code, said = copy(live, person, str(other.folder), *whole, "--only", "app")
    assert code == 0, said
    assert said.endswith("1 repositories: 1 tags copied, 2 were here, 0 missing.\n")
    assert image("four").digest in client.pull(f"{person.name}/app", "1.0")


def test_what_is_missing_is_told(live: RunningHub, other: Other) -> None:
    person = live.person("mover")
    good, bad = image("good", layers=1), image("bad", layers=1)
    put(other, "app", good, "good")
    put(other, "app", bad, "bad")
    layer = digest_of(bad.blobs[1])[7:]
    blob = other.folder / "docker/registry/v2/blobs/sha256" / layer[:2] / layer / "data"
    blob.write_bytes(bytes(reversed(blob.read_bytes())))
    for source in (other.url, str(other.folder)):
        arguments = ["--into", person.name, "--allow-network", LOOPBACK]
        code, said = copy(live, person, source, *arguments)
        assert code == 1, said
        assert "app:bad  MISSING: " in said
        assert "1 missing." in said
    assert (
        RegistryClient(live, person).send("GET", f"/v2/{person.name}/app/manifests/bad").status
        == 404
    )
    code, said = copy(live, person, str(other.folder), "--into", "somebody-else")
    assert code == 1
    assert "may not push to somebody-else/app" in said


def test_from_another_hub_with_a_credential(live: RunningHub) -> None:
    """Tokens, a private repository, and a catalogue of what the person may see."""
    person, name = live.person("mover"), "from/private"
    client = RegistryClient(live, person)
    made = multi("hub to hub")
    client.push(f"{person.name}/{name}", made, "1")
    source = live.url.replace("localhost", "127.0.0.1")
    arguments = [source, "--into", f"{person.name}/new", "--allow-network", LOOPBACK]
    only = ["--only", f"{person.name}/{name}"]
    code, said = copy(live, person, *arguments, *only)
    assert code == 1
    assert "refuses" in said or "no token" in said
    known = {"IMPORT_USERNAME": person.name, "IMPORT_PASSWORD": person.token}
    code, said = copy(live, person, *arguments, *only, **known)
    assert code == 0, said
    assert made.digest in client.pull(f"{person.name}/new/{person.name}/{name}", "1")


def test_private_addresses_need_to_be_allowed(live: RunningHub) -> None:
    person = live.person("mover")
    code, said = copy(live, person, live.url.replace("localhost", "127.0.0.1"))
    assert code == 1
    assert "not allowed" in said
    assert "Traceback" not in said
    for source in ("/nowhere-at-all", "ftp://x", "http://user:word@host"):
        code, said = copy(live, person, source)
        assert code == 1
        assert "Traceback" not in said
