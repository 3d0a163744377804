"""Scopes: the text that asks for actions on a resource (token specification, *Scope*)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ACTIONS = ("pull", "push", "delete")
MAX_SCOPES = 50


@dataclass(frozen=True, slots=True)
class Scope:
    """`type:name:action,action`; actions keep the order in which they were asked for."""

    type: str
    name: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"

    def only(self, allowed: Iterable[str]) -> Scope:
        """The actions of this scope that are also in `allowed`; `*` asks for all of them."""
        held = set(allowed)
        wanted = _expand(self.actions)
        return Scope(self.type, self.name, tuple(a for a in wanted if a in held))


def parse_scope(text: str) -> Scope | None:
    """One scope, or None if ill-formed. A name may hold a colon (host:port)."""
    kind, _, rest = text.partition(":")
    kind = kind.partition("(")[0]  # repository(plugin): the class is deprecated and ignored
    name, _, actions = rest.rpartition(":")
    if not (kind and name):
        return None
    return Scope(kind, name, tuple(a for a in actions.split(",") if a))


def parse_scopes(values: Iterable[str]) -> list[Scope]:
    """Scopes of repeated parameters, each of which may hold several parted by spaces.

    Ill-formed ones are dropped, the same resource is merged, at most MAX_SCOPES are kept.
    """
    merged: dict[tuple[str, str], dict[str, None]] = {}
    for text in (part for value in values for part in value.split()):
        scope = parse_scope(text)
        if scope is None:
            continue
        key = (scope.type, scope.name)
        if key in merged or len(merged) < MAX_SCOPES:
            merged.setdefault(key, {}).update(dict.fromkeys(scope.actions))
    return [Scope(kind, name, tuple(actions)) for (kind, name), actions in merged.items()]


def _expand(actions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(b for a in actions for b in (ACTIONS if a == "*" else (a,))))
