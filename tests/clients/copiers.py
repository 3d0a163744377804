"""Programs that copy image layouts, each behind the same few words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Protocol

import oras.client
import oras.layout
import urllib3

from tests.clients.shop import ClientFailed, Shop, need, write_flat
from tests.images import OCI_INDEX, Image, write_layout

BLOB_CHUNK = 20_000


class Copier(Protocol):
    """Works on the repository of a shop; `delete` takes a tag, or all tags of its manifest."""

    takes_all_tags: ClassVar[bool]

    def login(self) -> None: ...
    def push(self, tag: str) -> None: ...
    def tags(self) -> list[str]: ...
    def architecture(self, tag: str) -> str:
        """Of the image the client picks for linux/arm64."""
        ...

    def pull(self, tag: str) -> Path: ...
    def delete(self, tag: str) -> None: ...
    def logout(self) -> None: ...


class _Copier:
    program: ClassVar[str]
    takes_all_tags: ClassVar[bool] = False

    def __init__(self, shop: Shop, image: Image) -> None:
        need(self.program)
        self.shop, self.image = shop, image
        self.layout = write_layout(image, shop.home / "layout", "1")
        self.repository = f"{shop.host}/{shop.name}"

    def run(self, *arguments: str) -> str:
        return self.shop.run(self.program, *arguments)


class Skopeo(_Copier):
    program = "skopeo"
    takes_all_tags = True
    plain = "--tls-verify=false"

    def login(self) -> None:
        user = self.shop.person.name
        self.shop.login(
            "skopeo", "login", self.plain, "-u", user, "--password-stdin", self.shop.host
        )

    def push(self, tag: str) -> None:
        target = f"docker://{self.repository}:{tag}"
        self._copy("--dest-tls-verify=false", "oci:layout:1", target)

    def tags(self) -> list[str]:
        answer = self.run("list-tags", self.plain, f"docker://{self.repository}")
        return list(json.loads(answer)["Tags"])

    def architecture(self, tag: str) -> str:
        pick = ["--override-os", "linux", "--override-arch", "arm64"]
        said = self.run(
            *pick, "inspect", "--config", self.plain, f"docker://{self.repository}:{tag}"
        )
        return str(json.loads(said)["architecture"])

    def pull(self, tag: str) -> Path:
        self._copy("--src-tls-verify=false", f"docker://{self.repository}:{tag}", "oci:back:1")
        return self.shop.home / "back"

    def delete(self, tag: str) -> None:
        self.run("delete", self.plain, f"docker://{self.repository}:{tag}")

    def logout(self) -> None:
        self.run("logout", self.plain, self.shop.host)

    def _copy(self, *arguments: str) -> None:
        self.run("--insecure-policy", "copy", "--all", *arguments)


class Crane(_Copier):
    program = "crane"

    def login(self) -> None:
        user = self.shop.person.name
        self.shop.login("crane", "auth", "login", self.shop.host, "-u", user, "--password-stdin")

    def push(self, tag: str) -> None:
        flat = self.shop.home / "flat"
        if not flat.exists():
            write_flat(self.image, self.layout, flat)
        self.run("push", "--index", str(flat), f"{self.repository}:{tag}")
        self.run("validate", "--remote", f"{self.repository}:{tag}")

    def tags(self) -> list[str]:
        return self.run("ls", self.repository).split()

    def architecture(self, tag: str) -> str:
        said = self.run("config", "--platform", "linux/arm64", f"{self.repository}:{tag}")
        return str(json.loads(said)["architecture"])

    def pull(self, tag: str) -> Path:
        self.run("pull", "--format=oci", f"{self.repository}:{tag}", "back")
        return self.shop.home / "back"

    def delete(self, tag: str) -> None:
        self.run("delete", f"{self.repository}:{tag}")

    def logout(self) -> None:
        self.run("auth", "logout", self.shop.host)


class Oras(_Copier):
    program = "oras"
    takes_all_tags = True

    def login(self) -> None:
        user = self.shop.person.name
        login = ["login", "--plain-http", "-u", user, "--password-stdin", self.shop.host]
        self.shop.login("oras", *login)

    def push(self, tag: str) -> None:
        target = ["--to-plain-http", f"{self.repository}:{tag}"]
        self.run("cp", "--from-oci-layout", "layout:1", *target)

    def tags(self) -> list[str]:
        return self.run("repo", "tags", "--plain-http", self.repository).split()

    def architecture(self, tag: str) -> str:
        pick = ["--plain-http", "--platform", "linux/arm64", f"{self.repository}:{tag}"]
        return str(json.loads(self.run("manifest", "fetch-config", *pick))["architecture"])

    def pull(self, tag: str) -> Path:
        source = ["--from-plain-http", f"{self.repository}:{tag}"]
        self.run("cp", *source, "--to-oci-layout", "back:1")
        return self.shop.home / "back"

    def delete(self, tag: str) -> None:
        self.run("manifest", "delete", "--plain-http", "--force", f"{self.repository}:{tag}")

    def logout(self) -> None:
        self.run("logout", self.shop.host)


class Regctl(_Copier):
    """Sends everything over one piece in pieces, each with its Content-Range."""

    program = "regctl"

    def login(self) -> None:
        chunks = ["--blob-chunk", str(BLOB_CHUNK), "--blob-max", str(BLOB_CHUNK)]
        set_up = [*chunks, "--req-concurrent", "2", "--tls", "disabled", "--skip-check"]
        self.run("registry", "set", *set_up, self.shop.host)
        login = ["registry", "login", "-u", self.shop.person.name, "--pass-stdin", self.shop.host]
        self.shop.login("regctl", *login)

    def push(self, tag: str) -> None:
        self.run("image", "copy", "ocidir://layout:1", f"{self.repository}:{tag}")

    def tags(self) -> list[str]:
        return self.run("tag", "ls", self.repository).split()

    def architecture(self, tag: str) -> str:
        pick = ["--platform", "linux/arm64", "--format", "{{.GetConfig.Architecture}}"]
        return self.run("image", "inspect", *pick, f"{self.repository}:{tag}").strip()

    def pull(self, tag: str) -> Path:
        self.run("image", "copy", f"{self.repository}:{tag}", "ocidir://back:1")
        return self.shop.home / "back"

    def delete(self, tag: str) -> None:
        self.run("tag", "rm", f"{self.repository}:{tag}")

    def logout(self) -> None:
        self.run("registry", "logout", self.shop.host)


class PythonOras:
    """The library. It keeps its first token, whatever that one is for, so it is given each."""

    takes_all_tags: ClassVar[bool] = True

    def __init__(self, shop: Shop, image: Image) -> None:
        self.shop = shop
        self.layout = write_layout(image, shop.home / "layout", "1")
        self.repository = f"{shop.host}/{shop.name}"
        self.client = oras.client.OrasClient(shop.host, insecure=True, auth_backend="token")

    def login(self) -> None:
        person, file = self.shop.person, str(self.shop.home / "oras.json")
        self.client.login(person.name, person.token, hostname=self.shop.host, config_path=file)

    def push(self, tag: str) -> None:
        self._allow("pull,push")
        layout = oras.layout.NewLayout(str(self.layout))
        target = f"{self.repository}:{tag}"
        chunks = {"do_chunked": True, "chunk_size": BLOB_CHUNK}
        layout.push_to_registry(self.client, target, tag="1", **chunks)

    def tags(self) -> list[str]:
        return _failing(lambda: list(self.client.get_tags(self.repository)))

    def architecture(self, tag: str) -> str:
        index = self.client.get_manifest(f"{self.repository}:{tag}", [OCI_INDEX])
        (child,) = (
            entry for entry in index["manifests"] if entry["platform"]["architecture"] == "arm64"
        )
        manifest = self.client.get_manifest(f"{self.repository}@{child['digest']}")
        config = self.client.get_blob(self.repository, manifest["config"]["digest"])
        return str(config.json()["architecture"])

    def pull(self, tag: str) -> Path:
        back = self.shop.home / "back"
        oras.layout.NewLayoutFromRegistry(str(back), self.client, f"{self.repository}:{tag}")
        return back

    def delete(self, tag: str) -> None:
        self._allow("pull,push,delete")
        assert self.client.delete_tags(self.repository, [tag]) == [tag]

    def logout(self) -> None:
        self.client = oras.client.OrasClient(self.shop.host, insecure=True, auth_backend="token")

    def _allow(self, actions: str) -> None:
        query = {"service": self.shop.hub.host, "scope": f"repository:{self.shop.name}:{actions}"}
        url, headers = f"{self.shop.hub.url}/token", self.shop.person.basic
        answer = urllib3.request("GET", url, fields=query, headers=headers)
        self.client.auth.set_token_auth(answer.json()["token"])


def _failing(call: Callable[[], list[str]]) -> list[str]:
    try:
        return call()
    except ValueError as error:
        raise ClientFailed(str(error)) from error


COPIERS: dict[str, Callable[[Shop, Image], Copier]] = {
    "skopeo": Skopeo,
    "crane": Crane,
    "oras": Oras,
    "regctl": Regctl,
    "python-oras": PythonOras,
}
