"""Every setting of the hub: environment `HUB_*` > YAML file named by `HUB_CONFIG` > defaults.

A secret may come from a file named by `HUB_…_FILE`. The names of the 2015 registry are understood
and reported by `notes`.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

BASE_DIR = Path(__file__).resolve().parent.parent


class ConfigError(SystemExit):
    """A value that stops the start; the message is one line a problem."""


class Config(BaseSettings):
    """The typed tree. Units are in the names: `_s` seconds, `_bytes` bytes."""

    model_config = SettingsConfigDict(
        env_prefix="HUB_", extra="forbid", env_ignore_empty=True, validate_default=True
    )

    role: Literal["hub"] = "hub"
    bind: str = "127.0.0.1:5000"
    external_url: str = "http://localhost:5000"
    data_dir: Path = BASE_DIR / "data"
    debug: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    secret_key: SecretStr | None = None
    encryption_keys: list[SecretStr] = []
    allowed_hosts: list[str] = []
    trusted_proxies: int = Field(default=0, ge=0, le=10)

    admin_username: str = ""
    admin_password: SecretStr | None = None
    admin_email: str = ""
    signup: Literal["open", "closed"] = "open"
    email_url: str = "console:"
    email_from: str = "hub@localhost"

    database_url: str = ""
    broker_url: str = "embedded"
    storage: Literal["local", "memory"] = "local"
    storage_options: dict[str, Any] = {}

    web_workers: int = Field(default=2, ge=1, le=64)
    web_threads: int = Field(default=16, ge=1, le=256)
    task_slots: int = Field(default=4, ge=1, le=64)
    task_lease_s: float = Field(default=60, ge=1, le=3600)

    token_lifetime_s: int = Field(default=300, ge=60, le=900)
    max_blob_bytes: int = Field(default=20 * 1024**3, ge=1)
    upload_lifetime_s: int = Field(default=24 * 3600, ge=1)
    push_grace_s: int = Field(default=24 * 3600, ge=0)
    untag_grace_s: int = Field(default=24 * 3600, ge=0)
    discard_grace_s: int = Field(default=2 * 3600, ge=0)
    collect_interval_s: int = Field(default=60, ge=1)

    webhook_allow_networks: list[str] = []
    webhook_show_private_responses: bool = False
    webhook_retry_delays_s: list[float] = [5, 30, 120, 600, 3600, 3 * 3600, 8 * 3600]
    webhook_timeout_s: float = Field(default=15, gt=0, le=60)

    @field_validator("external_url")
    @classmethod
    def _outer(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("webhook_allow_networks")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for text in value:
            ipaddress.ip_network(text)
        return value

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, value: str) -> str:
        if value != "embedded" and not value.startswith(
            ("redis://", "rediss://", "amqp://", "amqps://")
        ):
            raise ValueError("must be embedded, redis://… or amqp://…")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment, `…_FILE` secrets, YAML file, names of the 2015 registry; first one wins."""
        return (
            init_settings,
            env_settings,
            _Values(settings_cls, _from_secret_files()),
            _Values(settings_cls, _from_yaml()),
            _Values(settings_cls, _from_legacy()),
        )


class _Values(PydanticBaseSettingsSource):
    """A source whose values are at hand."""

    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


LEGACY = {
    "STORAGE_PATH": ("HUB_STORAGE_OPTIONS", "storage_options", lambda v: {"root": v}),
    "SQLALCHEMY_INDEX_DATABASE": ("HUB_DATABASE_URL", "database_url", lambda v: v),
}
LEGACY_IGNORED = {
    "SETTINGS_FLAVOR": "one file holds one set of values; name another file with HUB_CONFIG",
    "SEARCH_BACKEND": "search is built in and uses the hub's own database",
    "STANDALONE": "roles are chosen with HUB_ROLE",
    "STORAGE_REDIRECT": "redirects follow from the store",
}


def notes() -> list[str]:
    """One line for each name of the 2015 registry, or unknown name, found in the environment."""
    lines = [
        f"{old} is understood; its name today is {new}"
        for old, (new, _, _) in LEGACY.items()
        if os.environ.get(old)
    ]
    lines += [f"{name}: no such setting, see docs/settings.md" for name in _unknown_names()]
    lines += [
        f"{old} has no effect: {why}" for old, why in LEGACY_IGNORED.items() if old in os.environ
    ]
    if os.environ.get("DOCKER_REGISTRY_CONFIG"):
        lines.append("DOCKER_REGISTRY_CONFIG is understood; its name today is HUB_CONFIG")
    return lines


def _from_legacy() -> dict[str, Any]:
    return {
        key: change(os.environ[old])
        for old, (_, key, change) in LEGACY.items()
        if os.environ.get(old)
    }


def _from_secret_files() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("secret_key", "encryption_keys", "admin_password", "database_url", "broker_url"):
        path = os.environ.get(f"HUB_{name.upper()}_FILE")
        if not path:
            continue
        try:
            text = Path(path).read_text().strip()
        except OSError as error:
            raise ConfigError(f"HUB_{name.upper()}_FILE: {path}: {error.strerror}") from error
        found[name] = text.splitlines() if name == "encryption_keys" else text
    return found


def _from_yaml() -> dict[str, Any]:
    path = os.environ.get("HUB_CONFIG") or os.environ.get("DOCKER_REGISTRY_CONFIG")
    if not path:
        return {}
    try:
        document = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise ConfigError(f"HUB_CONFIG: {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"HUB_CONFIG: {path} is not YAML: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"HUB_CONFIG: {path}: expected a map of settings")
    return document


def _unknown_names() -> list[str]:
    known = {f"HUB_{name.upper()}" for name in Config.model_fields} | {"HUB_CONFIG"}
    known |= {f"{name}_FILE" for name in known}
    return [name for name in os.environ if name.startswith("HUB_") and name not in known]


def load() -> Config:
    """Read and check everything; raises ConfigError: which key, what was found, what is allowed."""
    try:
        return Config()
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            key = "HUB_" + "__".join(str(part) for part in problem["loc"]).upper()
            shown = (
                "…"
                if any(w in key for w in ("SECRET", "PASSWORD", "KEYS"))
                else repr(problem["input"])
            )
            lines.append(f"{key}: found {shown}: {problem['msg']}")
        raise ConfigError("\n".join(lines)) from error
    except ValueError as error:  # a JSON value that does not parse
        raise ConfigError(f"configuration: {error}") from error


def main() -> None:
    """Print each problem; for `python -m hubsite.config` in scripts."""
    load()
    for note in notes():
        print(note, file=sys.stderr)


if __name__ == "__main__":
    main()
