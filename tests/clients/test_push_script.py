"""deploy/push_images.sh with the tools that are here, against a running hub."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from tests.clients.engine import write_docker_archive
from tests.clients.shop import PLATFORMS, Shop, need
from tests.hub import ROOT
from tests.images import digest_of, image, multi, write_layout

pytestmark = pytest.mark.e2e
SCRIPT = ROOT / "deploy" / "push_images.sh"


def push(shop: Shop, *arguments: str, given: str = "", **environment: str) -> tuple[int, str]:
    """Exit code, and all that it said."""
    done = subprocess.run(
        ["bash", str(SCRIPT), *arguments],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
        cwd=shop.home,
        env={**shop.environment, **environment},
    )
    return done.returncode, done.stdout


@pytest.fixture
def here(shop: Shop) -> Shop:
    """Signed in, for skopeo and podman alike."""
    need("skopeo")
    user = shop.person.name
    shop.login("skopeo", "login", "--tls-verify=false", "-u", user, "--password-stdin", shop.host)
    return shop


def names(shop: Shop, *words: str) -> list[str]:
    return ["--to", f"{shop.host}/{shop.person.name}", "--plain-http", *words]


def test_tars_layouts_and_lists(here: Shop) -> None:
    """All of one call; the layout keeps its platforms, the tar its config."""
    plain, many = image(f"{here.name} tar"), multi(here.name)
    write_docker_archive(plain, "example.org/team/first:1.0", here.home / "first.tar")
    write_layout(many, here.home / "second", "2.0")
    (here.home / "list").write_text("# what there is\n\n  first.tar  # a tar\nsecond\n")
    code, said = push(here, *names(here, "--list", "list", "second=other:latest"))
    assert code == 0, said
    assert "3 of 3 pushed" in said
    user = here.person.name
    assert [*here.tags(f"{user}/first")] == ["1.0"]
    assert here.tags(f"{user}/second") == {"2.0": PLATFORMS}
    assert here.tags(f"{user}/other") == {"latest": PLATFORMS}
    target = f"docker://{here.host}/{user}/first:1.0"
    config = here.run("skopeo", "inspect", "--tls-verify=false", "--config", "--raw", target)
    assert digest_of(config.encode()) == digest_of(plain.blobs[0])


def test_gzip_and_a_list_from_the_input(here: Shop) -> None:
    write_docker_archive(image(here.name), "app:3", here.home / "app.tar")
    here.run("gzip", "app.tar")
    code, said = push(here, *names(here, "--list", "-"), given="app.tar.gz\n")
    assert code == 0, said
    assert [*here.tags()] == ["3"]


def test_from_one_registry_to_another(here: Shop) -> None:
    """Names, with skopeo; here the hub is both."""
    write_layout(image(here.name), here.home / "layout", "1")
    copy = ["--insecure-policy", "copy", "--dest-tls-verify=false", "--src-tls-verify=false"]
    source = f"{here.host}/{here.person.name}/source"
    here.run("skopeo", *copy, "oci:layout:1", f"docker://{source}:1")
    call = names(here, "--tool", "skopeo", "--plain-http-source")
    code, said = push(here, *call, f"{source}:1={here.person.name}/copy:7")
    assert code == 0, said
    assert [*here.tags(f"{here.person.name}/copy")] == ["7"]


def test_what_is_refused_is_told_and_the_rest_is_pushed(here: Shop) -> None:
    write_docker_archive(image(here.name), "app:1", here.home / "app.tar")
    there = ["--to", here.host, "--plain-http"]
    code, said = push(here, *there, f"app.tar=nobodys-{here.name}", f"app.tar={here.name}:ok")
    assert code == 1
    assert "FAILED" in said
    assert "1 of 2 pushed" in said
    assert f"Not pushed:\n  {here.host}/nobodys-{here.name}:latest\n" in said
    assert "again in" not in said
    assert [*here.tags()] == ["ok"]


def test_what_fails_is_tried_again(here: Shop) -> None:
    """A tool that fails twice before it works."""
    write_docker_archive(image(here.name), "app:1", here.home / "app.tar")
    folder = here.home / "bin"
    folder.mkdir()
    wrapper = folder / "skopeo"
    wrapper.write_text(
        '#!/bin/sh\n[ -e once ] && [ -e twice ] && exec "$REAL" "$@"\n'
        "[ -e once ] && touch twice\ntouch once\necho connection reset by peer >&2\nexit 1\n"
    )
    wrapper.chmod(0o755)
    path = f"{folder}:{here.environment['PATH']}"
    code, said = push(here, *names(here, "app.tar"), PATH=path, REAL=need("skopeo"))
    assert code == 0, said
    assert "again in 1 s" in said
    assert "again in 2 s" in said
    for mark in ("once", "twice"):
        (here.home / mark).unlink()
    call = names(here, "--retries", "1", "app.tar")
    code, said = push(here, *call, PATH=path, REAL=need("skopeo"))
    assert code == 1
    assert "connection reset by peer" in said


@pytest.fixture
def podman(here: Shop) -> Iterator[Shop]:
    """Images of its own."""
    need("podman")
    folder = tempfile.mkdtemp(prefix="hub-images-")
    (here.home / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/images"\nrunroot = "{folder}/run"\n'
    )
    (here.home / "containers.conf").write_text('[engine]\ncgroup_manager = "cgroupfs"\n')
    here.environment["CONTAINERS_STORAGE_CONF"] = str(here.home / "storage.conf")
    here.environment["CONTAINERS_CONF"] = str(here.home / "containers.conf")
    yield here
    here.run("podman", "rmi", "--all", "--force")
    shutil.rmtree(folder)


def test_with_podman(podman: Shop) -> None:
    """A tar, a layout, and then an image that podman has by name."""
    write_docker_archive(image(podman.name), "example.org/app:1", podman.home / "app.tar")
    write_layout(image(f"{podman.name} 2"), podman.home / "other", "2")
    call = names(podman, "--tool", "podman")
    code, said = push(podman, *call, "app.tar", "other", "example.org/app:1=again:9")
    assert code == 0, said
    user = podman.person.name
    for name, tag in (("app", "1"), ("other", "2"), ("again", "9")):
        assert [*podman.tags(f"{user}/{name}")] == [tag]


def test_calls_that_are_wrong(shop: Shop) -> None:
    for arguments, part in (
        ((), "--to HUB/NAMESPACE"),
        (("--to", "h"), "name at least one image"),
        (("--to",), "needs a value"),
        (("--to", "h", "--bogus", "x"), "is no option"),
        (("--to", "h", "absent.tar"), "there is no file absent.tar"),
        (("--to", "h", "--list", "absent"), "cannot be read"),
        (("--to", "h", "--tool", "ftp", "x"), "--tool is"),
        (("--to", "h", "--retries", "many", "x"), "--retries is a number"),
    ):
        code, said = push(shop, *arguments)
        assert code == 2, said
        assert part in said


def test_what_things_are_called(shop: Shop) -> None:
    """Hosts are left out; with a namespace all but the last part is."""
    given = (
        "app",
        "team/app:1",
        "reg.example:5000/team/app:1",
        "localhost/x",
        "a/b@sha256:00=c/d:e",
    )
    for to, wanted in (
        ("hub.example", ["app:latest", "team/app:1", "team/app:1", "x:latest", "c/d:e"]),
        ("hub.example/me/", ["me/app:latest", "me/app:1", "me/app:1", "me/x:latest", "me/d:e"]),
    ):
        code, said = push(shop, "--to", to, "--dry-run", *given)
        assert code == 0
        found = [line.split()[1] for line in said.splitlines()]
        assert found == [f"hub.example/{name}" for name in wanted]
    (shop.home / "Odd Name!.tar").write_bytes(b"")
    code, said = push(shop, "--to", "h", "--dry-run", "Odd Name!.tar")
    assert said.split()[1] == "h/odd-name:latest"
