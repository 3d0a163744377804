"""Which words may be the name of a person or an organization."""

from __future__ import annotations

from core.errors import Invalid
from oci.names import is_component

MAX_LENGTH = 40
# First words of addresses, and names that would let somebody speak for the hub.
RESERVED = frozenset(
    [
        "-",
        "_",
        "r",
        "u",
        "api",
        "v1",
        "v2",
        "v3",
        "token",
        "tokens",
        "accounts",
        "admin",
        "site",
        "static",
        "media",
        "explore",
        "search",
        "new",
        "settings",
        "organizations",
        "invitations",
        "notifications",
        "stars",
        "help",
        "healthz",
        "readyz",
        "metrics",
        "login",
        "logout",
        "signup",
        "signin",
        "about",
        "terms",
        "privacy",
        "security",
        "status",
        "support",
        "docs",
        "hub",
        "root",
        "system",
        "library",
        "official",
        "anonymous",
        "robots.txt",
        "favicon.ico",
        ".well-known",
    ]
)


def check_name(name: str) -> str:
    """The name unchanged; raises Invalid with a sentence that says what is wrong."""
    if not is_component(name):
        raise Invalid(
            "Use lower-case letters and digits; single . _ - may stand between them.",
            code="NAME_INVALID",
        )
    if not 2 <= len(name) <= MAX_LENGTH:
        raise Invalid(f"Use 2 to {MAX_LENGTH} characters.", code="NAME_INVALID")
    if name in RESERVED:
        raise Invalid("This name is reserved; please choose another one.", code="NAME_RESERVED")
    return name
