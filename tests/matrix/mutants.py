"""Every small lie the two modules that decide could tell, one at a time, inside this process.

A mutant is a module with one branch the other way round. It takes the place of the real one by
giving its functions other code, so that whoever imported them follows.
"""

from __future__ import annotations

import ast
import copy
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

MODULES = ("repos.permissions.decision", "repos.permissions.roles")
_OPPOSITE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.GtE, ast.LtE),
    ast.LtE: (ast.Gt, ast.Lt),
    ast.Gt: (ast.LtE, ast.GtE),
    ast.GtE: (ast.Lt, ast.Gt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OUTCOMES = ("allow", "deny", "invisible")
Change = Callable[[ast.AST], None]


@dataclass(frozen=True)
class Mutant:
    """One changed place of a module."""

    module: str
    line: int
    what: str
    tree: ast.Module

    def __str__(self) -> str:
        return f"{self.module.rpartition('.')[2]}.py:{self.line} {self.what}"


def mutants_of(module: str) -> Iterator[Mutant]:
    """Every mutant, in the order of the source."""
    source = Path(str(importlib.import_module(module).__file__)).read_text()
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    for number, node in enumerate(nodes):
        for what, change in _changes(node):
            changed = copy.deepcopy(tree)
            change(list(ast.walk(changed))[number])
            line = getattr(node, "lineno", 0)
            yield Mutant(module, line, what, ast.fix_missing_locations(changed))


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    if isinstance(node, ast.If | ast.IfExp):
        yield f"not ({_text(node.test)})", _negate("test")
    elif isinstance(node, ast.comprehension):
        for number, test in enumerate(node.ifs):
            yield f"not ({_text(test)}) in a comprehension", _negate_if(number)
    elif isinstance(node, ast.Compare):
        yield from _of_compare(node)
    elif isinstance(node, ast.BoolOp):
        yield f"{type(node.op).__name__} becomes the other in {_text(node)}", _other_bool
        for number, value in enumerate(node.values):
            yield f"without {_text(value)} in {_text(node)}", _drop_value(number)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield f"without not in {_text(node)}", _affirm
    elif isinstance(node, ast.Return) and node.value is not None:
        yield from _of_return(node.value)
    else:
        yield from _of_assignment(node)


def _of_assignment(node: ast.AST) -> Iterator[tuple[str, Change]]:
    if isinstance(node, ast.AugAssign):
        yield f"without {_text(node)}", _nothing_added
    elif isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
        for number, key in enumerate(node.value.keys):
            if _text(node.target) in ("_NEEDS", "_TOKEN_NEEDS"):
                yield f"another value for {_text(key)}", _next_value(number)


def _of_compare(node: ast.Compare) -> Iterator[tuple[str, Change]]:
    for number, op in enumerate(node.ops):
        for other in _OPPOSITE[type(op)]:
            name = f"{type(op).__name__} becomes {other.__name__} in {_text(node)}"
            yield name, _replace_op(number, other)


def _of_return(value: ast.expr) -> Iterator[tuple[str, Change]]:
    if isinstance(value, ast.Call) and _text(value.func) == "Decision":
        first = value.args[0]
        for outcome in _OUTCOMES:
            if isinstance(first, ast.Constant) and outcome != first.value:
                yield f"{first.value} becomes {outcome}", _set_outcome(outcome)
    elif isinstance(value, ast.Constant) and isinstance(value.value, bool):
        yield f"returns {not value.value}", _set_return(ast.Constant(not value.value))
    elif isinstance(value, ast.Compare | ast.BoolOp):
        yield f"returns not ({_text(value)})", _negate("value")
    elif isinstance(value, ast.List | ast.ListComp | ast.BinOp) and _text(value) != "[]":
        yield f"returns [] instead of {_text(value)}", _set_return(ast.List([], ast.Load()))
    if isinstance(value, ast.BinOp):
        yield f"only the left of {_text(value)}", _set_return(value.left)
        yield f"only the right of {_text(value)}", _set_return(value.right)


def _text(node: ast.AST | None) -> str:
    return " ".join(ast.unparse(node).split())[:70] if node is not None else ""


def _negate(name: str) -> Change:
    def change(node: ast.AST) -> None:
        setattr(node, name, ast.UnaryOp(ast.Not(), getattr(node, name)))

    return change


def _negate_if(number: int) -> Change:
    def change(node: Any) -> None:
        node.ifs[number] = ast.UnaryOp(ast.Not(), node.ifs[number])

    return change


def _replace_op(number: int, other: type[ast.cmpop]) -> Change:
    def change(node: Any) -> None:
        node.ops[number] = other()

    return change


def _other_bool(node: Any) -> None:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _drop_value(number: int) -> Change:
    def change(node: Any) -> None:
        del node.values[number]
        if len(node.values) == 1:
            node.values.append(node.values[0])

    return change


def _affirm(node: Any) -> None:
    node.operand = ast.UnaryOp(ast.Not(), node.operand)


def _set_return(value: ast.expr) -> Change:
    def change(node: Any) -> None:
        node.value = copy.deepcopy(value)

    return change


def _set_outcome(outcome: str) -> Change:
    def change(node: Any) -> None:
        node.value.args[0] = ast.Constant(outcome)

    return change


def _nothing_added(node: Any) -> None:
    node.value = ast.List([], ast.Load()) if isinstance(node.op, ast.Add) else node.target
    if not isinstance(node.op, ast.Add):
        node.value = ast.Name(node.target.id, ast.Load())


def _next_value(number: int) -> Change:
    """Another row's value: what differs is what the row says."""

    def change(node: Any) -> None:
        values = node.value.values
        texts = [ast.dump(v) for v in values]
        other = next(i for i, text in enumerate(texts) if text != texts[number])
        values[number] = copy.deepcopy(values[other])

    return change


# --- putting it in place of the real one


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """While the block runs, the real module behaves like the mutant."""
    real = importlib.import_module(mutant.module)
    code = compile(mutant.tree, str(real.__file__), "exec")
    fresh: dict[str, Any] = {"__name__": mutant.module, "__file__": real.__file__}
    exec(code, fresh)
    undo = list(_swap(real, fresh))
    try:
        yield
    finally:
        for back in undo:
            back()


def _swap(real: ModuleType, fresh: dict[str, Any]) -> Iterator[Callable[[], None]]:
    for name, theirs in fresh.items():
        ours = vars(real).get(name)
        if isinstance(ours, FunctionType) and ours.__module__ == real.__name__:
            yield _swap_code(ours, theirs)
        elif isinstance(ours, type) and ours.__module__ == real.__name__:
            for key, member in vars(ours).items():
                if isinstance(member, property):
                    yield _swap_code(member.fget, vars(theirs)[key].fget)
        elif isinstance(ours, dict) and name.startswith("_") and not name.startswith("__"):
            before = dict(ours)
            ours.update(theirs)
            yield lambda ours=ours, before=before: ours.update(before)  # type: ignore[misc]


def _swap_code(ours: Any, theirs: Any) -> Callable[[], None]:
    before = ours.__code__
    ours.__code__ = theirs.__code__

    def back() -> None:
        ours.__code__ = before

    return back
