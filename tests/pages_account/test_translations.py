"""Simplified Chinese is complete, agrees with the sources, and is what browsers get."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
CATALOG = ROOT / "locale/zh_Hans/LC_MESSAGES/django.po"
APPS = [p.parent.name for p in ROOT.glob("*/__init__.py") if p.parent.name != "tests"]
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z](?![a-z])")
TAG = re.compile(r"</?\w+[^>]*>")


@pytest.fixture(scope="module")
def catalog() -> polib.POFile:
    return polib.pofile(str(CATALOG))


def translations(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def test_everything_is_translated(catalog: polib.POFile) -> None:
    assert len(catalog) > 500
    assert [entry.msgid for entry in catalog.untranslated_entries()] == []
    assert [entry.msgid for entry in catalog.fuzzy_entries()] == []
    assert catalog.obsolete_entries() == []


def test_placeholders_and_markup_agree(catalog: polib.POFile) -> None:
    for entry in catalog:
        source = entry.msgid_plural or entry.msgid
        for text in translations(entry):
            for pattern in (PLACEHOLDER, TAG):
                assert sorted(set(pattern.findall(source))) == sorted(set(pattern.findall(text))), (
                    entry.msgid
                )


def test_compiled_catalog_is_current(catalog: polib.POFile) -> None:
    compiled = polib.mofile(str(CATALOG.with_suffix(".mo")))
    shipped = {(e.msgctxt, e.msgid): translations(e) for e in compiled}
    assert shipped == {(e.msgctxt, e.msgid): translations(e) for e in catalog}


@pytest.mark.skipif(not shutil.which("xgettext"), reason="gettext is not installed")
def test_catalog_has_exactly_the_messages_of_the_sources(
    catalog: polib.POFile, tmp_path: Path
) -> None:
    (tmp_path / "locale").mkdir()
    for app in [*APPS, "templates"]:
        (tmp_path / app).symlink_to(ROOT / app)
    command = [sys.executable, str(ROOT / "manage.py"), "makemessages", "-l", "zh_Hans"]
    subprocess.run([*command, "--symlinks"], cwd=tmp_path, check=True, capture_output=True)
    found = polib.pofile(str(tmp_path / "locale/zh_Hans/LC_MESSAGES/django.po"))
    sources = {(e.msgctxt, e.msgid) for e in found}
    known = {(e.msgctxt, e.msgid) for e in catalog}
    hint = "run: manage.py makemessages -l zh_Hans --no-location, translate, compilemessages"
    assert known == sources, hint


@pytest.mark.django_db
def test_browsers_get_their_language(client: Client) -> None:
    page = client.get("/accounts/login/", headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.5"})
    assert '<html lang="zh-hans">' in page.content.decode()
    assert "忘记密码？" in page.content.decode()
    page = client.get("/accounts/login/", headers={"accept-language": "de"})
    assert "Forgot the password?" in page.content.decode()
