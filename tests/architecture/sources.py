"""The Python files of the project, parsed once."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = {
    path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name not in {"tests"}
}


@dataclass(frozen=True)
class Source:
    """One file; `name` is relative to the root, with slashes."""

    name: str
    tree: ast.Module
    lines: int

    @property
    def app(self) -> str:
        """The top-level folder, or nothing for a file of the root."""
        return self.name.partition("/")[0] if "/" in self.name else ""

    @property
    def inside(self) -> str:
        """The path below the app, without the suffix: `services/uploads`."""
        return self.name.partition("/")[2].removesuffix(".py")


@cache
def sources() -> tuple[Source, ...]:
    """Every file of every app, and manage.py; tests and tools are not the product."""
    files = [ROOT / "manage.py"]
    for app in sorted(APPS):
        files += sorted((ROOT / app).rglob("*.py"))
    return tuple(
        Source(f.relative_to(ROOT).as_posix(), ast.parse(text), len(text.splitlines()))
        for f in files
        for text in [f.read_text(encoding="utf-8")]
    )


@dataclass(frozen=True)
class Import:
    """One imported module; `names` are what `from module import …` takes out of it."""

    source: Source
    line: int
    module: str
    names: tuple[str, ...]
    late: bool
    typing_only: bool

    @property
    def targets(self) -> tuple[str, ...]:
        """`a.b` and `a.b.c` for `from a.b import c`: c may be a module."""
        return (self.module, *(f"{self.module}.{name}" for name in self.names))

    def __str__(self) -> str:
        taken = f" import {', '.join(self.names)}" if self.names else ""
        return f"{self.source.name}:{self.line}: {self.module}{taken}"


def imports(source: Source) -> list[Import]:
    """Every import of a file, those inside functions and TYPE_CHECKING blocks included."""
    found: list[Import] = []
    _visit(source, source.tree, found, late=False, typing_only=False)
    return found


def _visit(
    source: Source, node: ast.AST, found: list[Import], *, late: bool, typing_only: bool
) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                found.append(Import(source, child.lineno, alias.name, (), late, typing_only))
        elif isinstance(child, ast.ImportFrom):
            names = tuple(alias.name for alias in child.names)
            module = "." * child.level + (child.module or "")
            found.append(Import(source, child.lineno, module, names, late, typing_only))
        else:
            inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            _visit(source, child, found, late=late or inner, typing_only=typing_only or typing)
