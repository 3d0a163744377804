"""Fetch the fonts and icons under static/vendor/ and write their manifest.

    python scripts/vendor.py           fetch with `npm pack`, copy, write MANIFEST.json
    python scripts/vendor.py --check   recompute the hashes of what is there; no network

Only the named files of each package and its licence are kept. Versions are exact. Where the
packages come from is the business of the local npm client; nothing about it is written here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
MANIFEST = VENDOR / "MANIFEST.json"

ICONS = """
    activity arrow-left arrow-right bell book-open box building-2 check chevron-down chevron-left
    chevron-right circle-alert circle-check circle-help circle-x clock container copy cpu download
    ellipsis external-link eye file-text git-compare globe hard-drive history info key-round layers
    link lock log-in log-out mail menu message-square monitor moon package pencil play plus
    refresh-cw search send settings shield-check star sun tag terminal trash-2 triangle-alert
    upload user users webhook x
"""


@dataclass(frozen=True)
class Package:
    """One npm package and the part of it that is kept."""

    name: str
    version: str
    folder: str
    licence: str
    files: tuple[str, ...] = ()
    sprite: tuple[str, ...] = ()

    @property
    def target(self) -> Path:
        """Where the kept files live."""
        return VENDOR / self.folder / self.version


PACKAGES = (
    Package(
        "@fontsource-variable/geist",
        "5.3.0",
        "geist",
        "OFL-1.1",
        files=("files/geist-latin-wght-normal.woff2",),
    ),
    Package(
        "@fontsource-variable/geist-mono",
        "5.3.0",
        "geist-mono",
        "OFL-1.1",
        files=("files/geist-mono-latin-wght-normal.woff2",),
    ),
    Package("lucide-static", "1.62.0", "lucide", "ISC AND MIT", sprite=tuple(ICONS.split())),
)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetch(package: Package, folder: Path) -> Path:
    """Download one package with npm and return the folder with its contents."""
    folder.mkdir()
    subprocess.run(
        ["npm", "pack", "--silent", f"{package.name}@{package.version}"],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "package"


def sprite(icons: Path, names: Sequence[str]) -> str:
    """Merge single SVG files into one sprite of symbols named like the files."""
    symbols = []
    for name in names:
        text = (icons / f"{name}.svg").read_text(encoding="utf-8")
        match = re.search(r"<svg\b[^>]*>(.*)</svg>", text, re.DOTALL)
        if match is None:
            raise SystemExit(f"{name}.svg: no <svg> element")
        body = re.sub(r"\s*\n\s*", "", match[1].strip())
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{body}</symbol>')
    lines = ['<svg xmlns="http://www.w3.org/2000/svg">', *symbols, "</svg>", ""]
    return "\n".join(lines)


def install(package: Package, source: Path) -> dict[str, object]:
    """Copy what is kept of a package and return its manifest entry."""
    shutil.rmtree(VENDOR / package.folder, ignore_errors=True)
    package.target.mkdir(parents=True)
    shutil.copyfile(source / "LICENSE", package.target / "LICENSE")
    for name in package.files:
        shutil.copyfile(source / name, package.target / Path(name).name)
    if package.sprite:
        text = sprite(source / "icons", package.sprite)
        (package.target / "icons.svg").write_text(text, encoding="utf-8")
    return {
        "package": package.name,
        "version": package.version,
        "licence": package.licence,
        "files": {
            path.relative_to(VENDOR).as_posix(): sha256(path)
            for path in sorted(package.target.iterdir())
        },
    }


def check() -> list[str]:
    """Compare the vendored files with the manifest; return what differs."""
    problems: list[str] = []
    listed = {MANIFEST}
    for entry in json.loads(MANIFEST.read_text(encoding="utf-8"))["packages"]:
        if not any(Path(name).name == "LICENSE" for name in entry["files"]):
            problems.append(f"{entry['package']}: no licence file")
        for name, digest in entry["files"].items():
            path = VENDOR / name
            listed.add(path)
            if not path.is_file():
                problems.append(f"{name}: missing")
            elif sha256(path) != digest:
                problems.append(f"{name}: changed")
    found = {path for path in VENDOR.rglob("*") if path.is_file()}
    problems += [f"{path.relative_to(VENDOR)}: not in the manifest" for path in found - listed]
    return sorted(problems)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Vendor fonts and icons.")
    parser.add_argument("--check", action="store_true", help="only verify the files")
    if parser.parse_args(arguments).check:
        problems = check()
        print("\n".join(problems) or "vendored files match the manifest")
        return 1 if problems else 0
    with tempfile.TemporaryDirectory() as name:
        entries = [
            install(package, fetch(package, Path(name) / str(index)))
            for index, package in enumerate(PACKAGES)
        ]
    text = json.dumps({"packages": entries}, indent=2) + "\n"
    MANIFEST.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
