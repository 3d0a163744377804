"""One person's clients, in a home folder of their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from tests.hub import Person, RunningHub
from tests.images import Image

ARCHITECTURES = ("amd64", "arm64", "arm")
PLATFORMS = [f"linux/{architecture}" for architecture in ARCHITECTURES]


class ClientFailed(Exception):
    """A client ended with an error; the text is what it said."""


class Shop:
    """Runs programs as one person; nothing of the machine's own configuration is read.

    `host` is what the clients are told: the hub's own, or that of a relay in front of it.
    """

    def __init__(self, hub: RunningHub, person: Person, home: Path) -> None:
        self.hub, self.person, self.home = hub, person, home
        self.host = hub.host
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "DOCKER_CONFIG": str(home / "docker"),
            "REGISTRY_AUTH_FILE": str(home / "auth.json"),
            "TMPDIR": str(home),
        }
        (home / "auth.json").write_text("{}")  # or buildah says that it is no JSON

    @property
    def name(self) -> str:
        """The repository of this test."""
        return f"{self.person.name}/app"

    def run(self, *command: str, given: str = "") -> str:
        """What a program prints; ClientFailed with both outputs if it fails."""
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            cwd=self.home,
            env=self.environment,
        )
        if done.returncode:
            raise ClientFailed(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def login(self, *command: str) -> str:
        """The same, with the access token on the standard input, as each `login` reads it."""
        return self.run(*command, given=self.person.token)

    def tags(self, name: str | None = None) -> dict[str, list[str]]:
        """Platforms by tag, as the hub's own API tells them."""
        status, answer = self.hub.api(
            "GET", f"repositories/{name or self.name}/tags", token=self.person.token
        )
        assert status == 200, answer
        return {tag["name"]: tag["platforms"] for tag in answer["results"]}

    def drop(self, tag: str) -> None:
        """Delete a tag through the API, for clients that cannot."""
        path = f"repositories/{self.name}/tags/{tag}"
        assert self.hub.api("DELETE", path, token=self.person.token)[0] == 204


def need(program: str) -> str:
    """The path of a program; without it the test is skipped, or fails where nothing may lack."""
    path = shutil.which(program)
    if path is None:
        lacking(f"{program} is not installed")
    return path


def lacking(reason: str) -> NoReturn:
    """Skip, or fail with HUB_TEST_REQUIRE_ALL."""
    if os.environ.get("HUB_TEST_REQUIRE_ALL"):
        pytest.fail(reason)
    pytest.skip(reason)


def write_flat(image: Image, layout: Path, flat: Path) -> Path:
    """The layout `crane push --index` wants: the children in index.json itself."""
    shutil.copytree(layout, flat)
    (flat / "index.json").write_bytes(image.manifest)
    return flat


def assert_same_blobs(layout: Path, back: Path) -> None:
    """Everything that was pushed came back, and hashes to its name."""
    for blob in (layout / "blobs" / "sha256").iterdir():
        pulled = (back / "blobs" / "sha256" / blob.name).read_bytes()
        assert hashlib.sha256(pulled).hexdigest() == blob.name
