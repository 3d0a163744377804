"""The vendored fonts and icons are the listed ones, each with its licence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"


def test_files_match_the_manifest() -> None:
    packages = json.loads((VENDOR / "MANIFEST.json").read_text(encoding="utf-8"))["packages"]
    listed = {"MANIFEST.json"}
    for package in packages:
        names = [Path(name).name for name in package["files"]]
        assert "LICENSE" in names, package["package"]
        for name, digest in package["files"].items():
            assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name
            assert package["version"] in Path(name).parts
            listed.add(name)
    found = {p.relative_to(VENDOR).as_posix() for p in VENDOR.rglob("*") if p.is_file()}
    assert found == listed
