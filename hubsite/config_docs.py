"""docs/settings.md, made from the settings themselves and from the table of old names."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic.fields import FieldInfo

from hubsite.config_old import FLAVOURS, GONE_STORES, OLD_NAMES, S3_LIKE, OldName
from hubsite.config_sources import FROM_FILES

_TOP = """\
# Settings

Environment variables win over files of secrets, these over the YAML file named by `HUB_CONFIG`
(same names in lower case without `HUB_`), this over the old names at the end of this page, and
these over the defaults. Lists and maps in the environment are JSON. A bad value stops the start
with one line: which key, what was found, where, what is allowed. `_s` is seconds, `_bytes` is
bytes.

`manage.py config` prints the settings in force, each with where it comes from, secrets masked;
`manage.py config --json` the same for programs.

These may come from a file named by the same name with `_FILE` at the end: {files}.

"""
_FILE = """
## The file

```yaml
common: &common
  external_url: _env:OUTER_URL:https://hub.example
  database_url: _env:DB_URL
prod:
  <<: *common
  web_workers: _env:WORKERS:8
dev:
  <<: *common
  log_level: debug
```

- A value that is wholly `_env:NAME` or `_env:NAME:default` is that variable, or the default (which
  may contain colons). Both are read as YAML, so that `8` is a number and `[a, b]` a list, save
  where the setting is a text: there they are taken as they are. A variable that is empty, or is not
  set and has no default, leaves the setting at its own default.
- A file whose keys all hold maps and are no settings has *flavours*: `HUB_CONFIG_FLAVOUR` (once
  `SETTINGS_FLAVOR`) names the one to use, `dev` if it is not set. One takes over from another by
  YAML's own anchors and `<<`. Other flavours are not looked at. One that the file does not have
  stops the start.
- An unknown key, a key that is there twice, and YAML that would make objects of code stop the
  start.
- Paths are as seen from where the hub is started.

"""
_OLD = """
## Names of the registry of 2013 to 2015

Its file (as `HUB_CONFIG` or `DOCKER_REGISTRY_CONFIG`) and its variables are understood, and each
that is found is noted at the start. Keys of a store count only where that store is chosen. Without
a file, `SETTINGS_FLAVOR` chooses the store its sample file had under that name: {flavours}.
In a file named by its old name, or beside any other old key, `debug`, `secret_key` and `storage`
have their old meaning. `REGISTRY_PORT` as Kubernetes sets it for a service called `registry`
(`tcp://…`) is passed over.

| old key | old variable | today | |
|---|---|---|---|
| | `DOCKER_REGISTRY_CONFIG` | `HUB_CONFIG` | |
| | `SETTINGS_FLAVOR` | `HUB_CONFIG_FLAVOUR` | |
"""
_STORES = """
Stores: {s3} become `HUB_STORAGE=s3` with `HUB_STORAGE_OPTIONS` for it, which this version does not
have yet and refuses. A start with one of these is refused for good, because bytes would be looked
for where they are not: {gone}.
"""


def settings_page(fields: Mapping[str, FieldInfo], *, last: Collection[str]) -> str:
    """The page; the settings in `last` come at the end of their table."""
    names = ", ".join(f"`HUB_{name.upper()}`" for name in FROM_FILES)
    lines = [_TOP.format(files=names) + "| name | default | what it does |", "|---|---|---|"]
    lines.append("| `HUB_CONFIG` |  | A YAML file of settings. |")
    lines.append("| `HUB_CONFIG_FLAVOUR` |  | The part of that file to use, if it has parts. |")
    for name in sorted(fields, key=last.__contains__):
        field = fields[name]
        default = "./data" if name == "data_dir" else field.default
        shown = "" if default in ("", None) else f"`{default}`"
        meaning = " ".join((field.description or "").split())
        lines.append(f"| `HUB_{name.upper()}` | {shown} | {meaning} |")
    stores = sorted({store for store in FLAVOURS.values() if store != "local"})
    old = _OLD.format(flavours=", ".join(f"`{s}`" for s in ["local", *stores]))
    gone = "; ".join(f"`{name}`: {why}" for name, why in GONE_STORES.items())
    return (
        "\n".join(lines)
        + "\n"
        + _FILE
        + old.lstrip("\n")
        + "".join(_row(row) for row in OLD_NAMES)
        + _STORES.format(s3=", ".join(f"`{name}`" for name in S3_LIKE), gone=gone)
    )


def _row(row: OldName) -> str:
    cells = [
        f"`{row.key}`" if row.key else "",
        f"`{row.variable}`" if row.variable else "",
        f"`{row.new}`" if row.new else "no effect",
        row.note,
    ]
    return f"| {' | '.join(cells)} |\n"
