"""Every setting of the hub: environment `HUB_*` > YAML file named by `HUB_CONFIG` > defaults.

A secret may come from a file named by `HUB_…_FILE`. The names of the 2015 registry are understood
and reported by `notes`.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from hubsite import config_docs, config_sources
from hubsite.config_file import ConfigError
from hubsite.config_signin import MAIL_SCHEMES, SignInConfig
from hubsite.config_sources import Origin

BASE_DIR = Path(__file__).resolve().parent.parent
__all__ = ["BASE_DIR", "Config", "ConfigError", "Origin", "load", "notes", "origins", "reference"]


class Config(SignInConfig, BaseSettings):
    """The typed tree. Units are in the names: `_s` seconds, `_bytes` bytes."""

    model_config = SettingsConfigDict(
        env_prefix="HUB_",
        extra="forbid",
        env_ignore_empty=True,
        validate_default=True,
        use_attribute_docstrings=True,
    )

    role: Literal["hub", "standalone"] = "hub"
    """What this process is: `hub` is everything; `standalone` is a registry (`/v1`, `/v2`) without
    accounts, pages and REST API, see docs/scenarios.md."""
    standalone_passwords: Path | None = None
    """Who may use a `standalone` registry: a file as `htpasswd -B` makes it (bcrypt or Argon2). A
    change of the file counts at once."""
    standalone_open: bool = False
    """Let everybody push, pull and delete in a `standalone` registry that has no passwords and that
    other machines can reach."""
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
    """Where mail goes: `console:` prints it, `smtp://user:password@host:port` sends it;
    `smtp+starttls://` encrypts the connection once it stands, `smtps://` from the start."""
    email_from: str = "hub@localhost"
    """The sender of mail."""
    error_mail_to: list[str] = []
    """Addresses that are told of unexpected errors by mail, at most one in a minute."""

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
    v1: Literal["search", "images", "push"] = "images"
    """How much of the registry API of 2013 is served under /v1: `search` for `docker search` and
    signing in only, `images` for pulling and changing tags as well, `push` for pushing too."""
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

    @field_validator("email_url")
    @classmethod
    def _mail(cls, value: str) -> str:
        if value != "console:" and not value.startswith(MAIL_SCHEMES):
            raise ValueError("must be console:, smtp://…, smtp+starttls://… or smtps://…")
        return value

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
        gathered = config_sources.gather(cls.model_fields)
        return (
            init_settings,
            env_settings,
            _Values(settings_cls, gathered.secrets),
            _Values(settings_cls, gathered.file_values),
            _Values(settings_cls, gathered.old.values),
        )


_SECRET = (
    *("SECRET", "PASSWORD", "KEY", "DATABASE_URL", "BROKER_URL", "EMAIL_URL", "OIDC"),
    "STORAGE_OPTIONS",
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


def notes() -> list[str]:
    """One line for each name of the 2015 registry, or unknown name, that was found."""
    fields = Config.model_fields
    return config_sources.notes(fields, config_sources.gather(fields))


def origins() -> dict[str, Origin]:
    """Where the value of each setting comes from."""
    fields = Config.model_fields
    return config_sources.origins(fields, config_sources.gather(fields))


def load() -> Config:
    """Read and check everything; raises ConfigError: which key, what was found, what is allowed."""
    try:
        return Config()
    except ValidationError as error:
        where = origins()
        raise ConfigError("\n".join(_line(one, where) for one in error.errors())) from error
    except SettingsError as error:
        raise ConfigError(_not_json(str(error))) from error


def _line(problem: Any, where: dict[str, Origin]) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:  # two settings that do not go together
        return str(message)
    key = "HUB_" + "__".join(str(part) for part in problem["loc"]).upper()
    origin = where.get(str(problem["loc"][0]))
    place = f" ({origin.detail})" if origin and origin.kind in ("file", "old name") else ""
    if problem["type"] == "extra_forbidden":
        message = "no such setting, see docs/settings.md"
    return f"{key}: found {_shown(key, problem['input'])}{place}: {message}"


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
    """docs/settings.md: every setting with its default and meaning, and every old name."""
    return config_docs.settings_page(Config.model_fields, last=SignInConfig.model_fields)


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
