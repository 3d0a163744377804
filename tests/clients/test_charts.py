"""helm: charts in the registry."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.clients.shop import ClientFailed, Shop, need

pytestmark = pytest.mark.e2e
# An OCI tag has no plus: helm writes an underscore for it, and reads it back.
VERSIONS = {"1.2.0": "1.2.0", "1.3.0+build.7": "1.3.0_build.7"}


def write_chart(home: Path, version: str) -> None:
    (home / "app" / "templates").mkdir(parents=True, exist_ok=True)
    chart = {"apiVersion": "v2", "name": "app", "version": version, "description": "a chart"}
    (home / "app" / "Chart.yaml").write_text(yaml.safe_dump(chart))
    (home / "app" / "templates" / "map.yaml").write_text("kind: ConfigMap\n")


def test_push_pull_and_find_a_version(shop: Shop) -> None:
    helm, plain = need("helm"), "--plain-http"
    charts = f"oci://{shop.host}/{shop.person.name}"
    login = ["registry", "login", "-u", shop.person.name, "--password-stdin", plain, shop.host]
    shop.login(helm, *login)
    for version in VERSIONS:
        write_chart(shop.home, version)
        shop.run(helm, "package", "app")
        shop.run(helm, "push", f"app-{version}.tgz", charts, plain)
    assert set(shop.tags()) == set(VERSIONS.values())

    (shop.home / "back").mkdir()
    for version in VERSIONS:
        exactly = ["--version", version, plain]
        shop.run(helm, "pull", f"{charts}/app", *exactly, "--destination", "back")
        name = f"app-{version}.tgz"
        pulled = (shop.home / "back" / name).read_bytes()
        assert pulled == (shop.home / name).read_bytes()
        shown = yaml.safe_load(shop.run(helm, "show", "chart", f"{charts}/app", *exactly))
        assert (shown["name"], shown["version"]) == ("app", version)
    for wanted, found in {"~1.2": "1.2.0", ">=1": "1.3.0+build.7"}.items():  # lists the tags
        fitting = ["--version", wanted, plain]
        shown = yaml.safe_load(shop.run(helm, "show", "chart", f"{charts}/app", *fitting))
        assert shown["version"] == found

    shop.drop("1.2.0")
    with pytest.raises(ClientFailed, match="not found"):
        shop.run(helm, "pull", f"{charts}/app", "--version", "1.2.0", plain)
    shop.run(helm, "registry", "logout", shop.host)
    with pytest.raises(ClientFailed, match=r"401|unauthorized"):
        shop.run(helm, "pull", f"{charts}/app", "--version", "1.3.0+build.7", plain)
