"""Small files, small functions, and a tree without surprises."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

from tests.architecture.sources import APPS, ROOT, Source, sources

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 50
# Each with its reason.
LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
FOLDERS = {
    ".ci": "what a build machine runs",
    "bench": "what is measured",
    "deploy": "how it is put on a server",
    "docs": "for people",
    "locale": "translations",
    "scripts": "what `make` calls",
    "static": "styles, scripts, fonts",
    "templates": "pages",
    "tests": "proof",
}
MADE_HERE = {".git", ".venv", ".cache", "data", "staticfiles", "htmlcov"}
MADE_HERE |= {".hypothesis", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__"}
ABSOLUTE = re.compile(
    rb"""(?<![\w.$}~:/%-])/(?:home|root|Users|work|workspace|mnt|media|private)/[\w.-]+"""
)
# Files that name such a path on purpose, each with its reason.
ABSOLUTE_ALLOWED: dict[str, str] = {}


def written() -> list[Source]:
    return [source for source in sources() if "/migrations/" not in source.name]


def test_modules_are_short():
    long = {s.name: s.lines for s in written() if s.lines > MAX_MODULE_LINES}
    assert set(long) == set(LONG_MODULES), long


def test_functions_are_short():
    long = {
        f"{source.name}:{node.name}": node.end_lineno - node.lineno + 1
        for source in written()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    }
    assert set(long) == set(LONG_FUNCTIONS), long


def test_every_module_says_what_it_answers():
    silent = [s.name for s in written() if s.tree.body and not ast.get_docstring(s.tree)]
    assert silent == []


def test_every_top_level_folder_has_a_purpose():
    there = {path.name for path in ROOT.iterdir() if path.is_dir()} - MADE_HERE
    assert there - APPS - set(FOLDERS) == set()


def tracked() -> list[Path]:
    """What is in the repository or about to be; every file when there is no repository."""
    try:
        names = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]
    except (OSError, subprocess.CalledProcessError):
        return [
            path
            for path in ROOT.rglob("*")
            if path.is_file() and not MADE_HERE & set(path.relative_to(ROOT).parts)
        ]


def test_no_file_names_a_place_of_one_machine():
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in tracked()
        if path.relative_to(ROOT).as_posix() not in ABSOLUTE_ALLOWED
        for match in ABSOLUTE.finditer(path.read_bytes())
    ]
    assert not found, "\n".join(found)
    assert len(tracked()) > 100


def test_an_absolute_path_is_told_from_an_address():
    for start, folder in ((b'"', b"home"), (b"cd ", b"work"), (b"=", b"root"), (b"(", b"Users")):
        assert ABSOLUTE.search(start + b"/" + folder + b"/x")
    for text in (
        b"/v2/home/x",
        b"https://host/home/x",
        b"{root}/root/x",
        b"/homepage",
        b"a/work/b",
    ):
        assert not ABSOLUTE.search(text), text
