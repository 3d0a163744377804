"""`manage.py config`, as its reader sees it: a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hubsite.config import BASE_DIR, Config


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("HUB_")}
    return subprocess.run(
        [sys.executable, str(BASE_DIR / "manage.py"), "config", *arguments],
        env={**inherited, "HUB_DATA_DIR": str(folder / "data"), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def settings_of_all_kinds(tmp_path: Path) -> dict[str, str]:
    file, secret = tmp_path / "hub.yaml", tmp_path / "secret"
    file.write_text("one:\n  email_url: smtp://me:s3cret@mail\n  signup: closed\n")
    secret.write_text("s3cret")
    return {
        "HUB_CONFIG": str(file),
        "HUB_CONFIG_FLAVOUR": "one",
        "HUB_SECRET_KEY_FILE": str(secret),
        "HUB_STORAGE_OPTIONS": '{"root": "/x", "secret_key": "s3cret"}',
        "HUB_WEB_WORKERS": "3",
        "SQLALCHEMY_INDEX_DATABASE": "postgresql://me:s3cret@db/hub",
    }


def test_each_setting_has_its_line_with_its_source_and_no_secret(tmp_path, settings_of_all_kinds):
    found = run(tmp_path, **settings_of_all_kinds)
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert len(lines) == len(Config.model_fields)
    for line in (
        "HUB_WEB_WORKERS = 3  # environment: HUB_WEB_WORKERS",
        "HUB_SIGNUP = closed  # file: hub.yaml:3, flavour one",
        "HUB_WEB_THREADS = 16  # default",
        "HUB_EMAIL_URL = smtp://••••••@mail  # file: hub.yaml:2, flavour one",
        f"HUB_SECRET_KEY = ••••••  # secret file: {tmp_path / 'secret'}",
        "HUB_DATABASE_URL = postgres://••••••@db/hub  # old name: SQLALCHEMY_INDEX_DATABASE",
    ):
        assert line in lines
    assert "s3cret" not in found.stdout + found.stderr
    assert "SQLALCHEMY_INDEX_DATABASE is understood" in found.stderr


def test_programs_get_json(tmp_path, settings_of_all_kinds):
    found = run(tmp_path, "--json", "--set", **settings_of_all_kinds)
    document = json.loads(found.stdout)
    assert "s3cret" not in found.stdout
    assert document["settings"]["HUB_WEB_WORKERS"] == {
        "value": 3,
        "source": "environment",
        "where": "HUB_WEB_WORKERS",
    }
    assert set(document["settings"]) == {
        *("HUB_DATA_DIR", "HUB_WEB_WORKERS", "HUB_SIGNUP", "HUB_EMAIL_URL", "HUB_SECRET_KEY"),
        *("HUB_DATABASE_URL", "HUB_STORAGE_OPTIONS"),
    }
    assert len(document["notes"]) == 1


def test_a_bad_value_is_one_line_and_nothing_else(tmp_path):
    found = run(tmp_path, HUB_WEB_WORKERS="no")
    assert (found.returncode, found.stdout) == (1, "")
    assert len(found.stderr.splitlines()) == 1
    assert found.stderr.startswith("HUB_WEB_WORKERS: found 'no': ")
