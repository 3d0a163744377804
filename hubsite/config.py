"""Every setting of the hub: environment `HUB_*` > YAML file named by `HUB_CONFIG` > defaults.

A secret may come from a file named by `HUB_…_FILE`. The names of the 2015 registry are understood
and reported by `notes`.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from hubsite.config_signin import SignInConfig

BASE_DIR = Path(__file__).resolve().parent.parent


class ConfigError(SystemExit):
    """A value that stops the start; the message is one line a problem."""


class Config(SignInConfig, BaseSettings):
    """The typed tree. Units are in the names: `_s` seconds, `_bytes` bytes."""

    model_config = SettingsConfigDict(
        env_prefix="HUB_",
        extra="forbid",
        env_ignore_empty=True,
        validate_default=True,
        use_attribute_docstrings=True,
    )

    role: Literal["hub"] = "hub"
    """What this process is; only the whole hub for now."""
    bind: str = "127.0.0.1:5000"
    """Address and port to listen on."""
    external_url: str = "http://localhost:5000"
    """The outer URL, as clients see it; never guessed from a request."""
    data_dir: Path = BASE_DIR / "data"
    """Folder of the database, the store and the installation's keys; made with mode 0700."""
    debug: bool = False
    """Error pages with details, static files straight from the sources. Not for real use."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe messages that are logged."""
    secret_key: SecretStr | None = None
    """Signs sessions; made on first start if not given."""
    encryption_keys: list[SecretStr] = []
    """Encrypt secrets at rest: the first encrypts, all decrypt; made on first start if none."""
    allowed_hosts: list[str] = []
    """Host names to answer to, besides that of the outer URL and localhost."""
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    """How many of your own proxies stand in front: hops of X-Forwarded-For to believe."""

    admin_username: str = ""
    """A superuser to make, or keep, at start."""
    admin_password: SecretStr | None = None
    """The password of that superuser when it is made."""
    admin_email: str = ""
    """The mail address of that superuser when it is made."""
    signup: Literal["open", "closed"] = "open"
    """Whether people may sign up by themselves."""
    signups_per_hour: int = Field(default=100, ge=1)
    """How many accounts one address may ask for in an hour, on the page and by the API each."""
    repositories_per_hour: int = Field(default=30, ge=1)
    """How many repositories one person may make by hand in an hour; pushes make any number."""
    email_url: str = "console:"
    """Where mail goes: `console:` prints it, `smtp://user:password@host:port` sends it."""
    email_from: str = "hub@localhost"
    """The sender of mail."""

    database_url: str = ""
    """`sqlite:///path` (default, under the data folder) or `postgres://user:password@host/name`."""
    broker_url: str = "embedded"
    """The Celery broker: `embedded` (in the database), `redis://…` or `amqp://…`."""
    storage: Literal["local"] = "local"
    """Where bytes lie; only local files for now."""
    storage_options: dict[str, Any] = {}
    """Options of the store as JSON; `root` moves the local store out of the data folder."""

    web_workers: int = Field(default=2, ge=1, le=64)
    """Web server processes."""
    web_threads: int = Field(default=16, ge=1, le=256)
    """Requests a web server process handles at once."""
    web_memory_mib: int = Field(default=32, ge=0, le=4096)
    """Memory, in MiB, in which each web server process keeps answers of the registry to give them
    again while nothing they depend on has changed; 0 has every request answered anew."""
    task_slots: int = Field(default=4, ge=1, le=64)
    """Background tasks that run at once."""
    task_lease_s: float = Field(default=60, ge=1, le=3600)
    """After how long the task of a worker that died is given to another one."""

    token_lifetime_s: int = Field(default=300, ge=60, le=900)
    """Life of a registry token."""
    refresh_token_lifetime_s: int = Field(default=90 * 24 * 3600, ge=60)
    """How long a client that was signed in for good may rest before it has to sign in again."""
    token_max_days: int = Field(default=0, ge=0)
    """The longest life of an access token in days, also of one that asks for no end; 0 for none."""
    token_services: list[str] = []
    """Other registries to sign tokens for, by the `service` name in their configuration."""
    v1: Literal["search", "images"] = "images"
    """How much of the registry API of 2013 is served under /v1: `search` for `docker search` and
    signing in only, `images` for pulling and changing tags as well."""
    max_blob_bytes: int = Field(default=20 * 1024**3, ge=1)
    """The largest blob."""
    upload_lifetime_s: int = Field(default=24 * 3600, ge=1)
    """How long an upload may rest before it is dropped."""
    push_grace_s: int = Field(default=24 * 3600, ge=0)
    """How long an uploaded blob waits for a manifest that names it."""
    untag_grace_s: int = Field(default=24 * 3600, ge=0)
    """How long a manifest that lost its last tag is left alone."""
    discard_grace_s: int = Field(default=2 * 3600, ge=0)
    """How long bytes outlive the row that named them; at least the longest download."""
    trash_days: int = Field(default=7, ge=0, le=365)
    """How many days a deleted repository or tag can be restored; 0 deletes for good at once."""
    collect_interval_s: int = Field(default=60, ge=1)
    """How often the collector looks for work."""

    webhook_allow_networks: list[str] = []
    """Private networks webhooks may reach, as `["10.1.0.0/16"]`; `make run` allows loopback."""
    webhook_show_private_responses: bool = False
    """Show what receivers in those networks answer."""
    webhook_retry_delays_s: list[float] = [10, 60, 300, 1200, 3600, 10800, 21600, 43200, 28800]
    """How long to wait after each failed delivery, ±20 %; after the last one the hub gives up."""
    webhook_timeout_s: float = Field(default=15, gt=0, le=60)
    """How long a receiver may take to answer."""
    webhook_slots: int = Field(default=16, ge=2, le=256)
    """Deliveries a worker has under way at once, half of them at most to hosts that failed last."""
    webhook_slots_per_host: int = Field(default=2, ge=1, le=64)
    """How many deliveries go to one host at once; one that failed last gets one."""
    webhook_breaker_failures: int = Field(default=5, ge=1, le=1000)
    """After how many failures in a row (no answer, or 5xx) a host is left alone for a while."""
    webhook_breaker_s: float = Field(default=10, gt=0, le=300)
    """How long that is at first; then one delivery is tried, and its failure doubles the time."""
    webhook_pause_after_days: int = Field(default=5, ge=0, le=365)
    """After how many days of nothing but failures a webhook is paused; 0 for never."""
    delivery_days: int = Field(default=90, ge=0, le=36500)
    """How many days the log of webhook deliveries goes back; 0 keeps it for ever."""

    audit_days: int = Field(default=365, ge=0, le=36500)
    """How many days the audit log goes back, further where a delivery is; 0 keeps it for ever."""
    notice_days: int = Field(default=90, ge=1, le=36500)
    """How many days people find what they were told on their notifications page."""
    digest_hour: int = Field(default=6, ge=0, le=23)
    """The hour of the day, in UTC, at which people get the daily mail of what they watch."""

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

    @field_validator("token_services")
    @classmethod
    def _services(cls, value: list[str]) -> list[str]:
        for text in value:
            if not re.fullmatch(r"[!#-\[\]-~]{1,200}", text):  # a challenge quotes it
                raise ValueError("a name has 1 to 200 ASCII characters, no space, quote, backslash")
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


FROM_FILES = (
    *("secret_key", "encryption_keys", "admin_password", "database_url", "broker_url", "oidc"),
    *("github_client_secret", "gitlab_client_secret", "google_client_secret"),
    *("bitbucket_client_secret", "ldap_bind_password"),
)
_SECRET = ("SECRET", "PASSWORD", "KEYS", "DATABASE_URL", "BROKER_URL", "EMAIL_URL", "OIDC")


class _Values(PydanticBaseSettingsSource):
    """A source whose values are at hand."""

    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


LEGACY: dict[str, tuple[str, str, Callable[[str], Any]]] = {
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
    old_ones = ((old, why) for old, why in LEGACY_IGNORED.items() if old in os.environ)
    lines += [f"{old} has no effect: {why}" for old, why in old_ones]
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


def _from_yaml() -> dict[str, Any]:
    path = os.environ.get("HUB_CONFIG") or os.environ.get("DOCKER_REGISTRY_CONFIG")
    if not path:
        return {}
    try:
        document = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise ConfigError(f"HUB_CONFIG: {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"HUB_CONFIG: {path} is not YAML: {reason}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"HUB_CONFIG: {path}: expected a map of settings")
    return document


def sources() -> dict[str, str]:
    """Where the value of each field comes from: the first that has one wins."""
    found = dict.fromkeys(Config.model_fields, "default")
    found |= dict.fromkeys(_from_legacy(), "old name")
    found |= dict.fromkeys(_from_yaml(), "file")
    found |= {n: "secret file" for n in FROM_FILES if os.environ.get(f"HUB_{n.upper()}_FILE")}
    return found | {n: "environment" for n in found if os.environ.get(f"HUB_{n.upper()}")}


def _unknown_names() -> list[str]:
    known = {f"HUB_{name.upper()}" for name in Config.model_fields} | {"HUB_CONFIG"}
    known |= {f"HUB_{name.upper()}_FILE" for name in FROM_FILES}
    names = [name for name in os.environ if name.startswith("HUB_") and name not in known]
    return [name for name in names if not name.startswith("HUB_TEST_")]


def load() -> Config:
    """Read and check everything; raises ConfigError: which key, what was found, what is allowed."""
    try:
        return Config()
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            if not problem["loc"]:  # two settings that do not go together
                lines.append(problem["msg"].removeprefix("Value error, "))
                continue
            key = "HUB_" + "__".join(str(part) for part in problem["loc"]).upper()
            shown = _shown(key, problem["input"])
            lines.append(f"{key}: found {shown}: {problem['msg']}")
        raise ConfigError("\n".join(lines)) from error
    except SettingsError as error:
        raise ConfigError(_not_json(str(error))) from error


def _not_json(message: str) -> str:
    """Which variable the library means; its message names only the field."""
    match = re.search(r'field "(\w+)"', message)
    if match is None:
        return f"configuration: {message}"
    name = f"HUB_{match[1].upper()}"
    return f"{name}: found {_shown(name, os.environ.get(name))}: must be JSON"


def _shown(key: str, value: object) -> str:
    """A value as an error may show it: of what may hold a secret, no more than the scheme."""
    if not any(word in key for word in _SECRET):
        return repr(value)
    scheme, separator, _ = str(value).partition("://")
    return f"{scheme}{separator}…" if separator else "…"


def reference() -> str:
    """docs/settings.md: every setting with its default and meaning."""
    lines = [
        "# Settings",
        "",
        "Environment variables win over the YAML file named by `HUB_CONFIG` (same names in lower",
        "case without `HUB_`), which wins over the defaults. Lists and maps in the environment",
        "are JSON. `HUB_SECRET_KEY`, `HUB_ENCRYPTION_KEYS`, `HUB_ADMIN_PASSWORD`,",
        "`HUB_DATABASE_URL`, `HUB_BROKER_URL`, `HUB_OIDC`, `HUB_LDAP_BIND_PASSWORD` and each",
        "`HUB_…_CLIENT_SECRET` may come from a file named by the same name with `_FILE` at the",
        "end. A bad value stops the start with one line. `_s` is seconds, `_bytes` is bytes.",
        "",
        "| name | default | what it does |",
        "|---|---|---|",
    ]
    # Signing in last, the longest part.
    for name in sorted(Config.model_fields, key=SignInConfig.model_fields.__contains__):
        field = Config.model_fields[name]
        default = "./data" if name == "data_dir" else field.default
        shown = "" if default in ("", None) else f"`{default}`"
        meaning = " ".join((field.description or "").split())
        lines.append(f"| `HUB_{name.upper()}` | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Check the configuration, or print its reference: `python -m hubsite.config [--docs]`."""
    if "--docs" in sys.argv[1:]:
        sys.stdout.write(reference())
        return
    load()
    for note in notes():
        print(note, file=sys.stderr)


if __name__ == "__main__":
    main()
