"""`docker login` keeps an identity token instead of the password; other clients go on from it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.hub import PASSWORD, Person, RunningHub
from tests.images import image, write_layout

pytestmark = pytest.mark.e2e


class Home:
    """The home folder of somebody who uses several clients with one login file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.login_file = folder / "config.json"

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a client."""
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "DOCKER_CONFIG": str(self.folder),
                "REGISTRY_AUTH_FILE": str(self.login_file),
            },
        )

    def docker_login(self, hub: RunningHub, name: str, secret: str) -> bool:
        """Sign in; the login file then holds what docker keeps."""
        login = ["docker", "login", "--password-stdin", "-u", name, hub.host]
        done = self.run(*login, stdin=secret)
        assert done.returncode == 0 or "unauthorized" in done.stderr, done.stderr
        return done.returncode == 0

    def identity(self, hub: RunningHub) -> str:
        return str(json.loads(self.login_file.read_text())["auths"][hub.host]["identitytoken"])


def ask_identity(hub: RunningHub, person: Person) -> str:
    """What docker would be given, for the clients alone."""
    query = f"account={person.name}&client_id=docker&offline_token=true&service={hub.host}"
    answer = hub.http.request("GET", f"{hub.url}/token?{query}", headers=person.basic)
    return str(json.loads(answer.data)["refresh_token"])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    write_layout(image(str(tmp_path)), tmp_path / "layout", "1")
    return Home(tmp_path)


def push_with_crane(home: Home, hub: RunningHub, name: str) -> subprocess.CompletedProcess[str]:
    return home.run("crane", "push", "layout", f"{hub.host}/{name}:1")


def push_with_skopeo(home: Home, hub: RunningHub, name: str) -> subprocess.CompletedProcess[str]:
    copy = ["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false"]
    return home.run(*copy, "oci:layout:1", f"docker://{hub.host}/{name}:1")


CLIENTS = {"crane": push_with_crane, "skopeo": push_with_skopeo}


def test_docker_keeps_an_identity_token_and_no_password(live: RunningHub, home: Home) -> None:
    person = live.person("docker")
    assert not home.docker_login(live, person.name, "not it")
    assert home.docker_login(live, person.name, PASSWORD)
    kept = home.login_file.read_text()
    assert home.identity(live).startswith("hubi_")
    assert PASSWORD not in kept
    assert push_with_crane(home, live, f"{person.name}/app").returncode == 0


@pytest.mark.parametrize("client", CLIENTS)
def test_an_identity_token_pushes_until_what_it_stems_from_is_revoked(
    live: RunningHub, home: Home, client: str
) -> None:
    person = live.person(client)
    _, made = live.api("POST", "tokens", {"name": "x", "scopes": []}, token=person.token)
    identity = ask_identity(live, Person(person.name, made["token"]))
    kept = {
        "auth": base64.b64encode(f"{person.name}:".encode()).decode(),
        "identitytoken": identity,
    }
    home.login_file.write_text(json.dumps({"auths": {live.host: kept}}))
    done = CLIENTS[client](home, live, f"{person.name}/app")
    assert done.returncode == 0, done.stderr
    assert live.api("GET", f"repositories/{person.name}/app/tags/1", token=person.token)[0] == 200
    assert live.api("DELETE", f"tokens/{made['id']}", token=person.token)[0] == 204
    refused = CLIENTS[client](home, live, f"{person.name}/app")
    assert refused.returncode != 0
    assert "no longer; log in again" in refused.stderr
