"""From the settings of the registry of 2013 to 2015 to those of the hub."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from hubsite.config_file import FILE_NAMES, Leaf, first_set
from hubsite.config_old import (
    FLAVOURS,
    GONE_STORES,
    OLD_NAMES,
    PUBLIC_INDEX,
    STORES,
    Kind,
    OldName,
)

_LEVELS = {
    **{name: name for name in ("debug", "info", "warning", "error")},
    **{"notset": "debug", "warn": "warning", "critical": "error", "fatal": "error"},
}
_FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_FORMATS = {
    **{"boto.s3.connection.ordinarycallingformat": "path", "ordinarycallingformat": "path"},
    **{"boto.s3.connection.subdomaincallingformat": "virtual", "subdomaincallingformat": "virtual"},
}


@dataclass(frozen=True, slots=True)
class Used:
    """An old name that was found, and where: `STORAGE_PATH`, `storage_path (hub.yaml:3)`."""

    row: OldName
    value: Any
    where: str
    in_file: bool


@dataclass(slots=True)
class Translation:
    """Values by the field they are for, each with the old names they come from."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, list[Used]] = field(default_factory=dict)
    used: list[Used] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class _Found:
    """The old names at hand, read by key or variable; what cannot be read becomes an error."""

    def __init__(self, leaves: Mapping[str, Leaf], errors: list[str]) -> None:
        self.errors = errors
        self.all: dict[str, Used] = {}
        self._taken: list[Used] = []
        self.store = self._find_store(leaves)
        for row in OLD_NAMES:
            used = _look(row, leaves)
            if used is not None and (not row.stores or self.store in row.stores):
                self.all.setdefault(row.key or row.variable, used)

    def get(self, name: str) -> Any:
        """The checked value or None."""
        used = self.all.get(name)
        if used is None:
            return None
        try:
            value = _READERS[used.row.kind](used.value)
        except ValueError as error:
            shown = "…" if _is_secret(used) else repr(used.value)
            self.errors.append(f"{used.where}: found {shown}: {error}")
            return None
        self._taken.append(used)
        return value

    def taken(self) -> list[Used]:
        """What was got since the last time."""
        taken, self._taken = self._taken, []
        return taken

    def refuse(self, name: str, allowed: str) -> None:
        """Name a value that reads well and makes no sense here."""
        used = self.all[name]
        shown = "…" if _is_secret(used) else repr(used.value)
        self.errors.append(f"{used.where}: found {shown}: {allowed}")

    def _find_store(self, leaves: Mapping[str, Leaf]) -> str:
        """The store chosen in the file or, without one, by a flavour of the old sample file."""
        if "storage" in leaves:
            return str(leaves["storage"].value)
        if first_set(FILE_NAMES)[0]:
            return "local"
        flavour = os.environ.get("SETTINGS_FLAVOR", "")
        store = FLAVOURS.get(flavour, "local")
        if store != "local":
            row = next(row for row in OLD_NAMES if row.key == "storage")
            self.all["storage"] = Used(row, store, "SETTINGS_FLAVOR", in_file=False)
        return store


def translate(leaves: Mapping[str, Leaf]) -> Translation:
    """What old keys of the file and old variables ask for; the file's are asked first."""
    done = Translation()
    found = _Found(leaves, done.errors)
    for name, make in _MAKERS.items():
        value = make(found)
        taken = found.taken()
        if value not in (None, {}):
            done.values[name] = value
            done.sources[name] = taken
    done.used = list(found.all.values())
    return done


def _look(row: OldName, leaves: Mapping[str, Leaf]) -> Used | None:
    if row.key:
        if row.key in leaves:
            leaf = leaves[row.key]
            return Used(row, leaf.value, f"{row.key} ({leaf.place})", in_file=True)
        inside = [leaf for key, leaf in leaves.items() if key.startswith(f"{row.key}.")]
        if inside:
            return Used(row, "…", f"{row.key} ({inside[0].place})", in_file=True)
    text = os.environ.get(row.variable, "") if row.variable else ""
    return Used(row, text, row.variable, in_file=False) if text else None


def _is_secret(used: Used) -> bool:
    name = f"{used.row.key} {used.row.variable}".lower()
    return any(word in name for word in ("secret", "password", "key", "database"))


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        raise ValueError("must be a text")
    return str(value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() not in _FLAGS:
        raise ValueError("must be true or false")
    return _FLAGS[str(value).lower()]


def _number(value: Any, least: int = 0, most: int = 2**31) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise ValueError(f"must be a whole number from {least} on")
    return int(text)


def _port(value: Any) -> int:
    try:
        return _number(value, 1, 65535)
    except ValueError as error:
        raise ValueError("must be a port, from 1 to 65535") from error


def _level(value: Any) -> str:
    if str(value).lower() not in _LEVELS:
        raise ValueError("must be debug, info, warning, error or critical")
    return _LEVELS[str(value).lower()]


def _store(value: Any) -> str:
    if str(value) in GONE_STORES:
        raise ValueError(f"there is no such store any more; {GONE_STORES[str(value)]}")
    if str(value) not in STORES:
        raise ValueError(f"must be one of {', '.join(STORES)}")
    return str(value)


_READERS: dict[Kind, Callable[[Any], Any]] = {
    **{"text": _text, "flag": _flag, "number": _number, "port": _port},
    **{"level": _level, "store": _store, "any": lambda value: value},
}


def _role(found: _Found) -> str | None:
    flag = found.get("standalone")
    return None if flag is None else ("standalone" if flag else "hub")


def _external_url(found: _Found) -> str | None:
    """Where people signed in; a standalone registry asked no index."""
    used = found.all.get("index_endpoint")
    if used is None or found.all.get("standalone") is None:
        return None
    try:
        if _flag(found.all["standalone"].value):
            return None
    except ValueError:
        return None  # is complained of as the role
    address = str(found.get("index_endpoint")).rstrip("/")
    host = urlsplit(address).hostname or ""
    if not address.startswith(("http://", "https://")) or not host:
        found.refuse("index_endpoint", "must begin with http:// or https://")
        return None
    return None if host in PUBLIC_INDEX else address.removesuffix("/v1")


def _database_url(found: _Found) -> str | None:
    url: str | None = found.get("sqlalchemy_index_database")
    if url is None:
        return None
    scheme, separator, rest = url.partition("://")
    known = {"sqlite": "sqlite", "postgresql": "postgres", "postgres": "postgres"}
    name = known.get(scheme.partition("+")[0])
    if name is None or not separator or (name == "sqlite" and not rest.strip("/")):
        found.refuse(
            "sqlalchemy_index_database", "must be sqlite:///path or postgresql://user@host/name"
        )
        return None
    return f"{name}://{rest}"


def _storage(found: _Found) -> str | None:
    store = found.get("storage")
    return None if store is None else STORES[store]


def _storage_options(found: _Found) -> dict[str, Any] | None:
    path = found.get("storage_path")
    if STORES.get(found.store, "local") == "local":
        return {"root": path} if path else None
    names = {
        "bucket_name": ("s3_bucket", "boto_bucket", "gs_bucket", "oss_bucket"),
        "region_name": ("s3_region",),
        "access_key": ("s3_access_key", "gs_access_key", "oss_accessid"),
        "secret_key": ("s3_secret_key", "gs_secret_key", "oss_accesskey"),
        "use_ssl": ("s3_secure", "gs_secure"),
    }
    options: dict[str, Any] = {}
    for option, keys in names.items():
        values = [value for key in keys if (value := found.get(key)) is not None]
        options |= {option: values[0]} if values else {}
    options |= {"location": path.strip("/")} if path and path.strip("/") else {}
    options |= _endpoint(found, secure=options.get("use_ssl", found.store != "ceph-s3"))
    encrypt = found.get("s3_encrypt")
    if encrypt if encrypt is not None else found.store in ("s3", "cloudfronts3"):
        options["object_parameters"] = {"ServerSideEncryption": "AES256"}
    return options


def _endpoint(found: _Found, *, secure: bool) -> dict[str, Any]:
    host, port = found.get("boto_host"), found.get("boto_port")
    if found.store == "gcs":
        host = "storage.googleapis.com"  # takes the keys the old driver used, as S3's
    elif found.store == "oss":
        host = found.get("oss_host")
    made: dict[str, Any] = {}
    if host:
        made["endpoint_url"] = f"http{'s' if secure else ''}://{host}{f':{port}' if port else ''}"
    calling = found.get("boto_calling_format")
    if calling is not None:
        style = _FORMATS.get(calling.lower())
        if style is None:
            found.refuse("boto_calling_format", "must be OrdinaryCallingFormat or Subdomain…")
        else:
            made["addressing_style"] = style
    return made


def _broker_url(found: _Found) -> str | None:
    host, port, db = found.get("cache.host"), found.get("cache.port"), found.get("cache.db")
    password = found.get("cache.password")
    if not host:
        return None
    login = f":{quote(password, safe='')}@" if password else ""
    return f"redis://{login}{host}:{port or 6379}/{db or 0}"


def _email_url(found: _Found) -> str | None:
    prefix = "email_exceptions.smtp_"
    host, port, user = (found.get(prefix + name) for name in ("host", "port", "login"))
    password, secure = found.get(f"{prefix}password"), found.get(f"{prefix}secure")
    if not host:
        return None
    login = f"{quote(user, safe='')}:{quote(password or '', safe='')}@" if user else ""
    return f"smtp{'+starttls' if secure else ''}://{login}{host}:{port or 25}"


def _bind(found: _Found) -> str | None:
    host, port = found.all.get("REGISTRY_HOST"), found.all.get("REGISTRY_PORT")
    if port is not None and str(port.value).startswith("tcp://"):
        # Kubernetes sets it so for a service called `registry`.
        del found.all["REGISTRY_PORT"]
        port = None
    if host is None and port is None:
        return None
    name, number = found.get("REGISTRY_HOST") or "127.0.0.1", found.get("REGISTRY_PORT") or 5000
    return f"[{name}]:{number}" if ":" in name else f"{name}:{number}"


def _error_mail_to(found: _Found) -> list[str] | None:
    text = found.get("email_exceptions.to_addr")
    return [part.strip() for part in text.split(",") if part.strip()] if text else None


_MAKERS: dict[str, Callable[[_Found], Any]] = {
    "role": _role,
    "external_url": _external_url,
    "log_level": lambda found: found.get("loglevel"),
    "secret_key": lambda found: found.get("secret_key"),
    "database_url": _database_url,
    "storage": _storage,
    "storage_options": _storage_options,
    "broker_url": _broker_url,
    "email_url": _email_url,
    "email_from": lambda found: found.get("email_exceptions.from_addr"),
    "error_mail_to": _error_mail_to,
    "bind": _bind,
    "web_workers": lambda found: found.get("GUNICORN_WORKERS"),
}
