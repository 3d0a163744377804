"""What a process is, by `HUB_ROLE`: which addresses it serves and who is let in. Nothing else asks
for the role."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from hubsite import htpasswd
from hubsite.config import Config
from hubsite.config_file import ConfigError

_PLAIN = (
    "hubsite.middleware.RequestIdMiddleware",
    "hubsite.middleware.RegistryLane",
    "hubsite.middleware.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "allauth.account.middleware.AccountMiddleware",  # the app is there and demands it
)


@dataclass(frozen=True, slots=True)
class Role:
    """`prefixes` are answered by the patterns of `registry`, everything else by those of `rest`.

    `middleware` is empty where all of it is needed; `gate` names a `tokens.gate.Gate`; `silenced`
    are system checks of parts that are not mounted.
    """

    name: str
    prefixes: tuple[str, ...]
    registry: str
    rest: str
    gate: str
    middleware: tuple[str, ...] = ()
    silenced: tuple[str, ...] = ()


HUB = Role(
    "hub",
    prefixes=("/v1", "/v2", "/token", "/_ping"),
    registry="hubsite.registry_urls",
    rest="hubsite.urls",
    gate="tokens.gate.AccountGate",
)
STANDALONE = Role(
    "standalone",
    prefixes=("/v1", "/v2", "/_ping"),
    registry="hubsite.standalone_registry_urls",
    rest="hubsite.standalone_urls",
    gate="hubsite.standalone.OpenGate",
    middleware=_PLAIN,
    silenced=("admin.E408", "admin.E409", "admin.E410"),
)
ROLES = {role.name: role for role in (HUB, STANDALONE)}


def choose(config: Config) -> Role:
    """The role a configuration asks for; raises ConfigError for one that is not safe as it is."""
    role = ROLES[config.role]
    if role is STANDALONE:
        _check_standalone(config)
    return role


def _check_standalone(config: Config) -> None:
    if config.standalone_passwords is not None:
        htpasswd.read(config.standalone_passwords)
        return
    if config.standalone_open:
        return
    if not _is_loopback(config.bind) or config.trusted_proxies:
        where = config.bind if not config.trusted_proxies else "a proxy"
        raise ConfigError(
            f"HUB_ROLE: found 'standalone' without passwords, reached through {where}: anybody "
            "could push and delete; name a file with HUB_STANDALONE_PASSWORDS, bind to 127.0.0.1, "
            "or set HUB_STANDALONE_OPEN=true"
        )


def _is_loopback(bind: str) -> bool:
    host = bind.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
