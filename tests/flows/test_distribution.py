"""Unmodified CNCF distribution, 2.8 and 3.x, behind the hub: with the configuration we write."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
import urllib3

from tests.hub import Person, RunningHub, free_port
from tests.images import Image, multi, write_layout

pytestmark = pytest.mark.e2e
PROGRAMS = {"2.8": "docker-registry", "3": "registry"}
SERVICES = {version: f"registry-{version}.example.org" for version in PROGRAMS}


class OtherRegistry:
    """A registry that knows of the hub what `manage.py registry_config` wrote, and nothing else."""

    def __init__(self, hub: RunningHub, program: str, service: str, folder: Path) -> None:
        self.hub, self.program, self.service, self.folder = hub, program, service, folder
        self.port = free_port()
        self.host = f"localhost:{self.port}"
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write the configuration, start, wait until it answers."""
        self.hub.manage("registry_config", str(self.folder), "--service", self.service)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", str(self.folder / "config.yml")],
                env={
                    "PATH": os.environ["PATH"],
                    "REGISTRY_HTTP_ADDR": f"127.0.0.1:{self.port}",
                    "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(self.folder / "store"),
                    "OTEL_TRACES_EXPORTER": "none",  # 3.x sends traces somewhere by default
                },
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        end = time.monotonic() + 30
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                if self.send("GET", "/v2/").status == 401:
                    return
            time.sleep(0.1)
        raise AssertionError(self.log.read_text()[-4000:])

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)

    def send(self, method: str, path: str, token: str = "") -> Any:
        """One request, with a registry token if there is one."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.hub.http.request(method, f"http://{self.host}{path}", headers=headers)

    def token(self, person: Person | None, *scopes: str, service: str = "") -> str:
        """A registry token of the hub, for this registry unless another is named."""
        query = [("service", service or self.service), *(("scope", s) for s in scopes)]
        answer = self.hub.http.request(
            "GET",
            f"{self.hub.url}/token?{urlencode(query)}",
            headers=person.basic if person else {},
        )
        assert answer.status == 200, answer.data
        return str(json.loads(answer.data)["token"])

    def skopeo(self, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run skopeo without any login but the one in its arguments."""
        (home / "auth.json").write_text("{}")
        return subprocess.run(
            ["skopeo", "--insecure-policy", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "REGISTRY_AUTH_FILE": str(home / "auth.json"),
            },
        )

    def push(self, home: Path, person: Person | None, name: str) -> bool:
        login = ["--dest-creds", f"{person.name}:{person.token}"] if person else []
        target = f"docker://{self.host}/{name}"
        done = self.skopeo(
            home, "copy", "--all", "--dest-tls-verify=false", *login, "oci:layout:1", target
        )
        return allowed(done)

    def pull(self, home: Path, person: Person | None, name: str) -> bool:
        login = ["--src-creds", f"{person.name}:{person.token}"] if person else []
        shutil.rmtree(home / "back", ignore_errors=True)
        source = f"docker://{self.host}/{name}"
        done = self.skopeo(
            home, "copy", "--all", "--src-tls-verify=false", *login, source, "oci:back:1"
        )
        return allowed(done)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub that signs tokens for both registries."""
    services = json.dumps(list(SERVICES.values()))
    running = RunningHub(tmp_path_factory.mktemp("hub"), HUB_TOKEN_SERVICES=services)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module", params=PROGRAMS)
def registry(
    hub: RunningHub, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OtherRegistry]:
    """The other registry, running."""
    for program in (PROGRAMS[request.param], "skopeo"):
        if shutil.which(program) is None:
            assert not os.environ.get("HUB_TEST_REQUIRE_ALL"), f"{program} is missing"
            pytest.skip(f"{program} is not installed")
    made = OtherRegistry(
        hub,
        PROGRAMS[request.param],
        SERVICES[request.param],
        tmp_path_factory.mktemp("registry"),
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """An image for three platforms, on the disk too."""
    made = multi(str(tmp_path))
    write_layout(made, tmp_path / "layout", "1")
    return made


def allowed(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether it worked; fails if it failed for anything but a missing right."""
    refused = any(word in done.stderr for word in ("unauthorized", "denied"))
    assert done.returncode == 0 or refused, done.stderr
    return done.returncode == 0


def blobs(folder: Path) -> set[str]:
    return {path.name for path in (folder / "blobs" / "sha256").iterdir()}


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_owner_pushes_and_pulls_and_others_do_not(
    hub: RunningHub, registry: OtherRegistry, image: Image, tmp_path: Path
) -> None:
    owner, stranger = hub.person("owner"), hub.person("stranger")
    name = f"{owner.name}/app"
    for nobody in (None, stranger):
        assert not registry.push(tmp_path, nobody, name)
    assert registry.push(tmp_path, owner, name)
    for nobody in (None, stranger):
        assert not registry.pull(tmp_path, nobody, name)
    assert registry.pull(tmp_path, owner, name)
    assert blobs(tmp_path / "back") == blobs(tmp_path / "layout")
    assert hub.api("GET", f"repositories/{name}", token=owner.token)[0] == 404


def test_a_role_at_the_hub_is_a_role_there(
    hub: RunningHub, registry: OtherRegistry, image: Image, tmp_path: Path
) -> None:
    owner, reader = hub.person("owner"), hub.person("reader")
    name = f"{owner.name}/app"
    body = {"namespace": owner.name, "name": "app", "visibility": "private"}
    assert hub.api("POST", "repositories", body, token=owner.token)[0] == 201
    assert registry.push(tmp_path, owner, name)
    path = f"repositories/{name}"
    role = f"{path}/collaborators/{reader.name}"
    assert hub.api("PUT", role, {"role": "read"}, token=owner.token)[0] in (200, 201, 204)
    assert registry.pull(tmp_path, reader, name)
    assert not registry.push(tmp_path, reader, name)
    assert not registry.pull(tmp_path, None, name)
    hub.api("PATCH", path, {"visibility": "public"}, token=owner.token)
    assert registry.pull(tmp_path, None, name)
    assert not registry.push(tmp_path, None, name)


def test_the_owner_deletes_there(
    hub: RunningHub, registry: OtherRegistry, image: Image, tmp_path: Path
) -> None:
    owner = hub.person("owner")
    name = f"{owner.name}/gone"
    assert registry.push(tmp_path, owner, name)
    path = f"/v2/{name}/manifests/{image.digest}"
    reader = registry.token(owner, f"repository:{name}:pull")
    assert registry.send("DELETE", path, reader).status == 401
    deleter = registry.token(owner, f"repository:{name}:delete")
    assert registry.send("DELETE", path, deleter).status == 202
    assert registry.send("GET", path, reader).status == 404


def test_a_token_is_good_at_the_registry_it_was_made_for_only(
    hub: RunningHub, registry: OtherRegistry, image: Image, tmp_path: Path
) -> None:
    owner = hub.person("owner")
    scope = f"repository:{owner.name}/app:pull,push"
    for_hub = registry.token(owner, scope, service=hub.host)
    for_it = registry.token(owner, scope)
    (neighbour,) = set(SERVICES.values()) - {registry.service}
    for_neighbour = registry.token(owner, scope, service=neighbour)

    def at_hub(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return int(hub.http.request("GET", f"{hub.url}/v2/", headers=headers).status)

    assert registry.send("GET", "/v2/", for_it).status == 200
    assert at_hub(for_hub) == 200
    assert registry.send("GET", "/v2/", for_hub).status == 401
    assert registry.send("GET", "/v2/", for_neighbour).status == 401
    assert "audience" in registry.log.read_text()
    assert at_hub(for_it) == 401
    unknown = hub.http.request("GET", f"{hub.url}/token?service=elsewhere.example.org")
    assert unknown.status == 400


def test_the_catalogue_there_is_not_for_everybody(hub: RunningHub, registry: OtherRegistry) -> None:
    token = registry.token(hub.person(), "registry:catalog:*")
    assert registry.send("GET", "/v2/_catalog", token).status == 401


def test_a_new_key_needs_no_restart_there(
    hub: RunningHub, registry: OtherRegistry, image: Image, tmp_path: Path
) -> None:
    owner = hub.person("owner")
    name = f"{owner.name}/app"
    scope = f"repository:{name}:pull,push"
    old = registry.token(owner, scope)
    hub.manage("rotate_keys")
    end = time.monotonic() + 60
    asked = 0
    while asked < 20:  # in a row, so that no server process still signs with the old key
        asked = asked + 1 if kid(registry.token(owner, scope)) != kid(old) else 0
        assert time.monotonic() < end
    assert registry.process is not None
    assert registry.process.poll() is None
    assert registry.push(tmp_path, owner, name)
    assert registry.pull(tmp_path, owner, name)
    assert registry.send("GET", f"/v2/{name}/tags/list", old).status == 200
