"""Scenario D: a registry on its own, without index and accounts, in processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from hubsite.config import BASE_DIR
from tests.client import RegistryClient
from tests.clients.engine import Engine, write_docker_archive
from tests.clients.shop import need
from tests.conformance.test_conformance import BARS, PROGRAM, cases
from tests.hub import RunningHub
from tests.images import image, multi, write_layout

pytestmark = pytest.mark.e2e
BCRYPT = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"  # of U*U
OTHER = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"  # of U*U*
STANDALONE = {"HUB_ROLE": "standalone"}


class Plain(RegistryClient):
    """A client that was never asked for a token."""

    def send(self, method, path, *, body=None, headers=None, scope=None):
        return self._request(method, path, body, dict(headers or {}))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """Open to everybody on this machine."""
    hub = RunningHub(tmp_path_factory.mktemp("standalone"), **STANDALONE)
    hub.start()
    yield hub
    hub.stop()


def ask(hub: RunningHub, method: str, path: str, **more: object) -> urllib3.BaseHTTPResponse:
    return hub.http.request(method, f"{hub.url}{path}", **more)


def searched(hub: RunningHub, term: str, names: list[str]) -> None:
    """Wait until a search finds these and nothing else."""
    end = time.monotonic() + 20
    while True:
        results = json.loads(ask(hub, "GET", f"/v1/search?q={term}").data)["results"]
        if [row["name"] for row in results] == names:
            return
        assert time.monotonic() < end, results
        time.sleep(0.05)


def run(*command: str, home: Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home)}
    done = subprocess.run(
        [need(command[0]), *command[1:]],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_says_what_it_is_and_serves_nothing_else(registry: RunningHub) -> None:
    for path in ("/v1/_ping", "/_ping"):
        answer = ask(registry, "GET", path)
        assert (answer.status, answer.headers["X-Docker-Registry-Standalone"]) == (200, "True")
    assert ask(registry, "GET", "/v2/").status == 200
    for path in ("/healthz", "/readyz", "/metrics", "/"):
        assert ask(registry, "GET", path).status == 200
    for path in ("/token", "/api/user", "/accounts/login/", "/admin/", "/explore", "/a/b"):
        answer = ask(registry, "GET", path)
        assert (answer.status, answer.headers["Content-Type"]) == (404, "text/plain"), path
    assert ask(registry, "GET", "/v1/users/").status == 200
    account = json.dumps({"username": "eve", "email": "e@example.org", "password": "p" * 20})
    assert ask(registry, "POST", "/v1/users/", body=account).status == 401


def test_push_search_pull_and_delete_in_any_namespace(registry: RunningHub) -> None:
    client = Plain(registry)
    for name in ("library/one", "team/sub/two", "x-1/three"):
        made = image(name)
        client.push(name, made, "1.0")
        assert made.digest in client.pull(name, "1.0")
        assert ask(registry, "HEAD", f"/v2/{name}/manifests/1.0").headers[
            "Docker-Content-Digest"
        ] == (made.digest)
    searched(registry, "three", ["x-1/three"])
    tags = json.loads(ask(registry, "GET", "/v1/repositories/x-1/three/tags").data)
    assert list(tags) == ["1.0"]
    digest = image("x-1/three").digest
    assert ask(registry, "DELETE", f"/v2/x-1/three/manifests/{digest}").status == 202
    assert ask(registry, "GET", "/v2/x-1/three/manifests/1.0").status == 404
    assert ask(registry, "DELETE", "/v1/repositories/x-1/three/").status == 200
    searched(registry, "three", [])
    assert "x-1/three" not in json.loads(ask(registry, "GET", "/v2/_catalog").data)["repositories"]
    answer = ask(registry, "GET", "/v2/never/was/manifests/1.0")
    assert (answer.status, json.loads(answer.data)["errors"][0]["code"]) == (404, "NAME_UNKNOWN")


def test_skopeo(registry: RunningHub, tmp_path: Path) -> None:
    made = multi("skopeo")
    layout = write_layout(made, tmp_path / "layout", "1.0")
    there = f"docker://{registry.host}/ops/app:1.0"
    copy = ("skopeo", "--insecure-policy", "copy", "--all")
    run(*copy, "--dest-tls-verify=false", f"oci:{layout}:1.0", there, home=tmp_path)
    run(*copy, "--src-tls-verify=false", there, f"oci:{tmp_path}/back:1.0", home=tmp_path)
    inspected = run("skopeo", "inspect", "--raw", "--tls-verify=false", there, home=tmp_path)
    assert inspected.encode() == made.manifest
    run("skopeo", "delete", "--tls-verify=false", there, home=tmp_path)
    assert ask(registry, "GET", "/v2/ops/app/manifests/1.0").status == 404


def test_podman(registry: RunningHub, tmp_path: Path) -> None:
    folder = tempfile.mkdtemp(prefix="hub-images-")
    podman = ["podman", "--root", f"{folder}/images", "--runroot", f"{folder}/run"]
    podman += ["--storage-driver=vfs", "--cgroup-manager=cgroupfs"]
    layout = write_layout(image("podman"), tmp_path / "layout", "1.0")
    there, plain = f"{registry.host}/pod/man:1.0", "--tls-verify=false"
    try:
        (tmp_path / "policy").mkdir()
        image_id = run(*podman, "pull", "-q", f"oci:{layout}:1.0", home=tmp_path).strip()
        run(*podman, "push", plain, image_id, there, home=tmp_path)
        run(*podman, "rmi", "-f", image_id, home=tmp_path)
        assert run(*podman, "pull", "-q", plain, there, home=tmp_path).strip() == image_id
        searched(registry, "man", ["pod/man"])
        found = run(*podman, "search", plain, f"{registry.host}/man", home=tmp_path)
        assert f"{registry.host}/pod/man" in found
    finally:
        shutil.rmtree(folder)


def test_docker(registry: RunningHub, tmp_path: Path) -> None:
    engine = Engine()
    docker = ["docker", "--host", engine.address]
    try:
        there = f"{registry.host}/whale/app:1.0"
        write_docker_archive(image("docker"), there, tmp_path / "image.tar")
        run(*docker, "load", "-i", str(tmp_path / "image.tar"), home=tmp_path)
        run(*docker, "push", there, home=tmp_path)
        run(*docker, "rmi", there, home=tmp_path)
        run(*docker, "pull", there, home=tmp_path)
        searched(registry, "whale", ["whale/app"])
        found = run(*docker, "search", f"{registry.host}/whale", home=tmp_path)
        assert "whale/app" in found
    finally:
        engine.stop()


def test_the_conformance_program(registry: RunningHub, tmp_path: Path) -> None:
    bar = BARS[0]
    done = subprocess.run(
        [need(PROGRAM)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "OCI_REGISTRY": registry.host,
            "OCI_TLS": "disabled",
            "OCI_REPO1": "conformance/first",
            "OCI_REPO2": "conformance/second",
            "OCI_VERSION": bar.version,
            "OCI_RESULTS_DIR": str(tmp_path),
            "OCI_LOG": "warn",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    found = cases(tmp_path / "junit.xml")
    assert [case for case in found if case.status not in ("passed", "skipped")] == [], done.stdout
    assert len([case for case in found if case.status == "passed"]) > 600


def test_a_password_file_lets_in_who_is_in_it_and_a_change_counts_at_once(own_hub, tmp_path):
    file = tmp_path / "passwords"
    file.write_text(f"ann:{BCRYPT}\n")
    own_hub.environment |= {**STANDALONE, "HUB_STANDALONE_PASSWORDS": str(file)}
    own_hub.start()
    ann = urllib3.make_headers(basic_auth="ann:U*U")
    bob = urllib3.make_headers(basic_auth="bob:U*U*")
    paths = ("/v2/", "/v2/_catalog", "/v2/a/b/tags/list", "/v1/users/", "/v1/search?q=a")
    for path in paths:
        refused = ask(own_hub, "GET", path)
        assert refused.status == 401, path
        assert refused.headers["WWW-Authenticate"].startswith("Basic "), path
        assert ask(own_hub, "GET", path, headers=bob).status == 401, path
        assert ask(own_hub, "GET", path, headers=ann).status in (200, 404), path
    assert ask(own_hub, "GET", "/v1/_ping").status == 200
    assert ask(own_hub, "POST", "/v2/a/b/blobs/uploads/").status == 401
    assert ask(own_hub, "POST", "/v2/a/b/blobs/uploads/", headers=ann).status == 202

    layout = write_layout(image("passwords"), tmp_path / "layout", "1.0")
    there = f"docker://{own_hub.host}/ann/app:1.0"
    copy = ("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false")
    creds = "--dest-creds=ann:U*U"
    run(*copy, creds, f"oci:{layout}:1.0", there, home=tmp_path)

    file.write_text(f"ann:{OTHER}\nbob:{OTHER}\n")
    assert ask(own_hub, "GET", "/v2/ann/app/tags/list", headers=ann).status == 401
    answer = ask(own_hub, "GET", "/v2/ann/app/tags/list", headers=bob)
    assert json.loads(answer.data)["tags"] == ["1.0"]
    file.write_text("nonsense")
    assert ask(own_hub, "GET", "/v2/", headers=bob).status == 200


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"HUB_BIND": "0.0.0.0:5999"}, "HUB_ROLE: found 'standalone' without passwords"),
        ({"HUB_TRUSTED_PROXIES": "1"}, "HUB_ROLE: found 'standalone' without passwords"),
        ({"HUB_STANDALONE_PASSWORDS": "/none"}, "HUB_STANDALONE_PASSWORDS: /none: No such file"),
        ({"HUB_ROLE": "registry"}, "HUB_ROLE: found 'registry'"),
        ({"HUB_ROLE": "index"}, "HUB_ROLE: found 'index'"),
    ],
)
def test_what_is_not_safe_or_not_there_does_not_start(environment, line, tmp_path):
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("HUB_")}
    done = subprocess.run(
        [sys.executable, str(BASE_DIR / "manage.py"), "serve"],
        env={**inherited, "HUB_DATA_DIR": str(tmp_path / "data"), **STANDALONE, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    (said,) = (done.stdout + done.stderr).splitlines()
    assert said.startswith(line)
    assert not (tmp_path / "data").exists()
