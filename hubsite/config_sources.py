"""Where the value of each setting comes from: environment, secret files, YAML file, old names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from hubsite import config_file, config_old
from hubsite.config_file import FILE_NAMES, ConfigError, Leaf, first_set
from hubsite.config_translate import Translation, Used, translate

FROM_FILES = (
    *("secret_key", "encryption_keys", "admin_password", "database_url", "broker_url", "oidc"),
    *("github_client_secret", "gitlab_client_secret", "google_client_secret"),
    *("bitbucket_client_secret", "ldap_bind_password"),
)
Fields = Mapping[str, FieldInfo]


@dataclass(frozen=True, slots=True)
class Origin:
    """The kind of a source, and which variable, file and line, or old name it was."""

    kind: Literal["default", "environment", "secret file", "file", "old name"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything but the environment's own names, each by field; the first that has one wins."""

    secrets: dict[str, Any]
    document: config_file.Document
    file: dict[str, Leaf]
    old: Translation

    @property
    def file_values(self) -> dict[str, Any]:
        """What the file says under today's names."""
        return {name: leaf.value for name, leaf in self.file.items()}


def gather(fields: Fields) -> Gathered:
    """Read the files; raises ConfigError, one line a problem."""
    document = config_file.read(
        {*fields, *config_old.BY_KEY, *config_old.GROUPS},
        config_old.GROUPS,
        lambda key: _is_text(fields.get(key), key),
    )
    is_old = first_set(FILE_NAMES)[0] == "DOCKER_REGISTRY_CONFIG" or any(
        key in config_old.BY_KEY and key not in config_old.BOTH_OLD_AND_NEW
        for key in _row_keys(document.leaves)
    )
    old: dict[str, Leaf] = {}
    new: dict[str, Leaf] = {}
    for (key, leaf), row in zip(document.leaves.items(), _row_keys(document.leaves), strict=True):
        both = key in config_old.BOTH_OLD_AND_NEW
        (old if row in config_old.BY_KEY and (is_old or not both) else new)[key] = leaf
    found = translate(old)
    if found.errors:
        raise ConfigError("\n".join(found.errors))
    return Gathered(_secret_files(), document, new, found)


def origins(fields: Fields, gathered: Gathered) -> dict[str, Origin]:
    """For each setting the source that wins."""
    found = {name: Origin("default") for name in fields}
    for name, used in gathered.old.sources.items():
        found[name] = Origin("old name", ", ".join(one.where for one in used))
    for name, leaf in gathered.file.items():
        found[name] = Origin("file", leaf.place)
    for name in gathered.secrets:
        path = os.environ[f"HUB_{name.upper()}_FILE"]
        found[name] = Origin("secret file", path)
    for name in fields:
        if os.environ.get(f"HUB_{name.upper()}"):
            found[name] = Origin("environment", f"HUB_{name.upper()}")
    return found


def notes(fields: Fields, gathered: Gathered) -> list[str]:
    """One line for each old or unknown name that was found."""
    winners = origins(fields, gathered)
    lines = [_note(used, winners) for used in gathered.old.used]
    lines += [f"{name}: no such setting, see docs/settings.md" for name in _unknown(fields)]
    if first_set(FILE_NAMES)[0] == "DOCKER_REGISTRY_CONFIG":
        lines.append("DOCKER_REGISTRY_CONFIG is understood; its name today is HUB_CONFIG")
    if os.environ.get("SETTINGS_FLAVOR"):
        if gathered.document.flavour:
            lines.append("SETTINGS_FLAVOR is understood; its name today is HUB_CONFIG_FLAVOUR")
        elif "storage" not in gathered.old.sources:
            lines.append("SETTINGS_FLAVOR has no effect: HUB_CONFIG names no file with flavours")
    return lines


def _note(used: Used, winners: Mapping[str, Origin]) -> str:
    row = used.row
    if not row.new:
        return f"{used.where} has no effect: {row.note}"
    winner = winners[row.new.removeprefix("HUB_").lower()]
    if winner.kind == "old name" and used.where in winner.detail:
        text = f"{used.where} is understood; its name today is {row.new}"
        return f"{text} ({row.note})" if row.note else text
    if winner.kind in ("default", "old name"):
        return f"{used.where} has no effect: {row.note or 'nothing else of it is set'}"
    return f"{used.where} has no effect: {row.new} is set ({winner.detail})"


def _row_keys(leaves: Iterable[str]) -> list[str]:
    """The key each stands for in the table of old names: add-ons had keys of their own."""
    return [
        "extensions"
        if key.startswith("extensions.")
        else key.partition(".")[0]
        if key.startswith("bugsnag.")
        else key
        for key in leaves
    ]


def _is_text(field: FieldInfo | None, key: str) -> bool:
    """Whether a variable's value is taken as it is: `007` as a password is no number."""
    row = config_old.BY_KEY.get(key)
    if row is not None:
        return row.kind == "text"
    if field is None:
        return False
    annotation = field.annotation
    kinds = get_args(annotation) if get_origin(annotation) is UnionType else (annotation,)
    return any(kind in (str, SecretStr, Path) for kind in kinds)


def _secret_files() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in FROM_FILES:
        path = os.environ.get(f"HUB_{name.upper()}_FILE")
        if not path:
            continue
        try:
            text = Path(path).read_text().strip()
        except OSError as error:
            raise ConfigError(f"HUB_{name.upper()}_FILE: {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"HUB_{name.upper()}_FILE: {path}: not UTF-8 text") from error
        found[name] = _parsed(name, text)
    return found


def _parsed(name: str, text: str) -> Any:
    """A list of keys has one a line; what is JSON in the environment is JSON in a file."""
    if name == "encryption_keys":
        return text.splitlines()
    if name != "oidc":
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError("HUB_OIDC_FILE: must hold JSON") from error


def _unknown(fields: Fields) -> list[str]:
    known = {f"HUB_{name.upper()}" for name in fields} | {"HUB_CONFIG", "HUB_CONFIG_FLAVOUR"}
    known |= {f"HUB_{name.upper()}_FILE" for name in FROM_FILES}
    return [
        name
        for name in os.environ
        if name.startswith("HUB_") and name not in known and not name.startswith("HUB_TEST_")
    ]
