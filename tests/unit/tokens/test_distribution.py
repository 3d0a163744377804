"""The files for a registry of somebody else's: complete, the same as the sample, nothing secret."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
import yaml
from cryptography import x509
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError
from pydantic import ValidationError

from hubsite.config import BASE_DIR, Config
from tokens import services
from tokens.authority import root_pem
from tokens.distribution import config_text

pytestmark = pytest.mark.django_db
OTHER = "registry.example.org"


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command("registry_config", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_root_key_set_and_configuration_are_written(tmp_path, hub_settings):
    hub_settings(token_services=["first.example", OTHER])
    said = run(tmp_path / "new" / "out")
    folder = tmp_path / "new" / "out"
    names = ["root.pem", "jwks.json", "config.yml"]
    assert said.split() == [str(folder / name) for name in names]
    assert (folder / "root.pem").read_text() == root_pem()
    assert x509.load_pem_x509_certificates((folder / "root.pem").read_bytes())
    keys = json.loads((folder / "jwks.json").read_text())["keys"]
    assert [key["kid"] for key in keys] == [key.kid for key in services.current_keys()]
    document = yaml.safe_load((folder / "config.yml").read_text())
    assert document["auth"]["token"] == {
        "realm": f"{settings.HUB.external_url}/token",
        "service": "first.example",
        "issuer": settings.HUB.external_url,
        "rootcertbundle": str(folder / "root.pem"),
        "signingalgorithms": ["ES256"],
    }
    assert document["storage"]["delete"] == {"enabled": True}
    assert "notifications" not in document
    for name in names:
        assert "PRIVATE" not in (folder / name).read_text()


def test_writing_again_changes_nothing_but_what_changed(tmp_path, hub_settings):
    hub_settings(token_services=[OTHER])
    run(tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    services.rotate_keys()
    run(tmp_path)
    after = {path.name: path.read_text() for path in tmp_path.iterdir()}
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"jwks.json"}


def test_the_service_and_the_folder_there_can_be_named(tmp_path, hub_settings):
    hub_settings(token_services=["first.example"], data_dir=tmp_path)
    said = run("--service", OTHER, "--installed-in", "/etc/distribution/")
    token = yaml.safe_load((tmp_path / "distribution" / "config.yml").read_text())["auth"]["token"]
    assert token["service"] == OTHER
    assert token["rootcertbundle"] == "/etc/distribution/root.pem"
    assert """HUB_TOKEN_SERVICES='["first.example", "registry.example.org"]'""" in said


def test_the_hub_is_no_other_registry(tmp_path):
    with pytest.raises(CommandError, match="another name"):
        run(tmp_path, "--service", settings.EXTERNAL_HOST)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_done_is_told_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="Not a directory"):
        run(tmp_path / "file" / "out")

    def locked(*_, **__):
        raise OperationalError("database\nis locked")

    monkeypatch.setattr("tokens.distribution.root_pem", locked)
    with pytest.raises(CommandError, match="database is locked"):
        run(tmp_path)


def test_a_data_folder_that_no_hub_has_used_is_no_obstacle(tmp_path):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    done = subprocess.run(
        [sys.executable, "manage.py", "registry_config"],
        cwd=BASE_DIR,
        env={**inherited, "HUB_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "distribution" / "root.pem").exists()


def test_the_sample_is_what_the_command_writes(hub_settings):
    hub_settings(external_url="https://hub.example.org")
    sample = (BASE_DIR / "deploy" / "distribution" / "config.yml").read_text()
    assert sample == config_text(service=OTHER, folder="/etc/distribution")


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "a\\b", "a\nb", "é", "x" * 201])
def test_a_service_name_that_a_challenge_could_not_quote_stops_the_start(name):
    with pytest.raises(ValidationError, match="token_services"):
        Config(token_services=[name])
    assert Config(token_services=["registry.example.org:5001"])


def test_rotating_names_the_new_key_and_can_replace_the_authority():
    out = io.StringIO()
    before = root_pem()
    call_command("rotate_keys", stdout=out)
    assert services.current_keys()[0].kid in out.getvalue()
    assert root_pem() == before
    call_command("rotate_keys", "--authority", stdout=out)
    assert root_pem() != before
    assert "root.pem" in out.getvalue()
