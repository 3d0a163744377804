"""The YAML file of settings: flavours, `_env:NAME:default`, and the line each value stands in.

The rules are those of the registry of 2015, but for one: no YAML makes objects of code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

DEFAULT_FLAVOUR = "dev"
FILE_NAMES = ("HUB_CONFIG", "DOCKER_REGISTRY_CONFIG")
FLAVOUR_NAMES = ("HUB_CONFIG_FLAVOUR", "SETTINGS_FLAVOR")
_MARK = "_env:"


class ConfigError(SystemExit):
    """A value that stops the start; the message is one line a problem."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value of the file; `variable` is the one of the environment it came from, if it did."""

    value: Any
    file: str
    line: int
    flavour: str = ""
    variable: str = ""

    @property
    def place(self) -> str:
        """As people are told: `hub.yaml:3, flavour prod, from STORAGE_PATH`."""
        parts = [f"{self.file}:{self.line}"]
        parts += [f"flavour {self.flavour}"] if self.flavour else []
        parts += [f"from {self.variable}"] if self.variable else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Document:
    """The chosen part of a file by key; a key in a group has a dot: `cache.host`."""

    name: str = ""
    flavour: str = ""
    leaves: Mapping[str, Leaf] = field(default_factory=dict)


class _Map(dict[Any, Any]):
    """A map that knows the line of each key; a merged one's is where it was written."""

    lines: dict[Any, int]


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice; the last one would win in silence."""

    def construct_lined(self, node: yaml.MappingNode) -> Iterator[_Map]:
        """As SafeLoader makes maps, with lines."""
        made = _Map()
        inside = [key for key, _ in node.value if _within(key, node)]
        names = [key.value for key in inside if key.tag != "tag:yaml.org,2002:merge"]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"{twice!r} is there twice in the map of {node.start_mark}")
        yield made
        made.update(self.construct_mapping(node))
        made.lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_lined)


def _within(key: yaml.Node, node: yaml.Node) -> bool:
    return bool(node.start_mark.index <= key.start_mark.index < node.end_mark.index)


def first_set(names: Collection[str]) -> tuple[str, str]:
    """Name and value of the first variable that is set and not empty, or two empty texts."""
    return next(((name, os.environ[name]) for name in names if os.environ.get(name)), ("", ""))


def read(known: Collection[str], groups: Collection[str], texts: Callable[[str], bool]) -> Document:
    """What the file named by `HUB_CONFIG` or by its old name says; empty without one.

    `known` are the keys that settings have; a file whose keys are none of these and all hold maps
    has flavours. `groups` are taken apart into keys with dots. Of a key that `texts` says yes to, a
    variable's value is taken as it is, else read as YAML. Raises ConfigError.
    """
    variable, path = first_set(FILE_NAMES)
    if not path:
        return Document()
    root = _parse(variable, path)
    name = Path(path).name
    chosen, flavour = first_set(FLAVOUR_NAMES)
    flavoured = bool(root) and all(
        key not in known and (value is None or isinstance(value, dict))
        for key, value in root.items()
    )
    if not flavoured:
        if chosen:
            raise ConfigError(
                f"{chosen}: found {flavour!r}; {path} has no flavours, only settings; unset it"
            )
        return Document(name, "", _leaves(root, groups, texts, Leaf(None, name, 1)))
    flavour = flavour or DEFAULT_FLAVOUR
    if flavour not in root:
        raise ConfigError(
            f"{chosen or FLAVOUR_NAMES[0]}: found {flavour!r}; {path} has "
            + ", ".join(sorted(map(str, root)))
        )
    section = root[flavour] or {}
    leaf = Leaf(None, name, root.lines[flavour], flavour)
    return Document(name, flavour, _leaves(section, groups, texts, leaf))


def _parse(variable: str, path: str) -> _Map:
    try:
        document = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)  # noqa: S506 - is safe
    except OSError as error:
        raise ConfigError(f"{variable}: {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{variable}: {path} is not YAML: {reason}") from error
    if document is None:
        return _Map()
    if not isinstance(document, _Map):
        raise ConfigError(f"{variable}: {path}: expected a map of settings")
    return document


def _leaves(
    section: dict[Any, Any],
    groups: Collection[str],
    texts: Callable[[str], bool],
    about: Leaf,
    prefix: str = "",
) -> dict[str, Leaf]:
    """What the file leaves empty, or a variable that is not set, is not there."""
    found: dict[str, Leaf] = {}
    lines = getattr(section, "lines", {})
    for key, raw in section.items():
        name = f"{prefix}{key}"
        leaf = replace(about, line=lines.get(key, about.line))
        value, variable = _resolve(raw, texts(name), leaf)
        leaf = replace(leaf, value=value, variable=variable or about.variable)
        if name in groups and isinstance(value, dict):
            found |= _leaves(value, groups, texts, replace(leaf, value=None), f"{name}.")
        elif value is not None:
            found[name] = leaf
    return found


def _resolve(value: Any, text: bool, leaf: Leaf) -> tuple[Any, str]:
    """The value with what it names put in, and the variable that it is wholly taken from."""
    if isinstance(value, dict):
        made = _Map((key, _resolve(inner, False, leaf)[0]) for key, inner in value.items())
        made.lines = getattr(value, "lines", {})
        return made, ""
    if isinstance(value, list):
        return [_resolve(inner, False, leaf)[0] for inner in value], ""
    if not isinstance(value, str) or not value.startswith(_MARK):
        return value, ""
    name, _, default = value.removeprefix(_MARK).partition(":")
    given = os.environ.get(name)
    found = default if given is None else given
    if found == "":
        return None, ""
    if text:
        return found, name if given else ""
    try:
        return yaml.safe_load(found), name if given else ""
    except yaml.YAMLError as error:
        # Neither the text nor the reason, which quotes it: it may be a secret.
        where = name if given else f"the default of {name}"
        raise ConfigError(f"{where}: is not YAML ({leaf.place}); put quotes around it") from error
