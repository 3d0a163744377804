"""`Authorization` text to grant: who acts, and what their registry token reaches at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.services.credentials import authenticate, authenticate_bearer, refresh
from accounts.services.tokens import PREFIXES
from accounts.types import ANONYMOUS, Principal
from core import memo
from core.basic import decode_basic
from tokens.jwt import LEEWAY_S, TokenInvalid
from tokens.services import verify


@dataclass(frozen=True, slots=True)
class Grant:
    """A verified credential. `access` is None when it sets no limit of its own (Basic)."""

    principal: Principal
    presented: bool
    access: Mapping[tuple[str, str], frozenset[str]] | None = None
    repositories: Mapping[str, int] = field(default_factory=dict)

    def covers(self, name: str, action: str, kind: str = "repository") -> bool:
        """Whether the credential itself reaches this action; the role is asked separately."""
        if self.access is None:
            return True
        actions = self.access.get((kind, name), frozenset())
        return action in actions or "*" in actions

    def means(self, path: str, key: int) -> bool:
        """Whether a repository is the one that had this name when the token was signed."""
        return self.repositories.get(path, key) == key


NOBODY = Grant(ANONYMOUS, presented=False)


def read_authorization(header: str, *, address: str) -> Grant:
    """The grant of an `Authorization` header; none, or empty Basic, is anonymous.

    Raises Unauthenticated (TokenInvalid, BadCredential) or RateLimited for a credential that is not
    good: it never falls back to anonymous.
    """
    scheme, _, value = header.partition(" ")
    value = value.strip()
    match scheme.lower():
        case "":
            return NOBODY
        case "basic":
            username, secret = decode_basic(value)
            if not username and not secret:
                return NOBODY
            return Grant(authenticate(username, secret, address=address), presented=True)
        case "bearer" if value.startswith(PREFIXES):
            return Grant(authenticate_bearer(value, address=address), presented=True)
        case "bearer":
            return _from_registry_token(value)
        case _:
            raise TokenInvalid("Use Basic or Bearer authentication.")


def _from_registry_token(token: str) -> Grant:
    claims = verify(token)
    memo.until(claims["exp"] + LEEWAY_S)
    hub, granted = claims.get("hub"), _granted(claims.get("access"))
    if not isinstance(hub, dict) or granted is None or not _are_keys(hub):
        raise TokenInvalid("The token is not a registry token.")
    principal = refresh(
        Principal(
            user_id=hub.get("user"),
            username=str(claims["sub"]),
            credential=hub.get("credential", "none"),
            token_id=hub.get("token"),
            token_mark=str(hub.get("mark", "")),
        )
    )
    repositories = hub.get("repositories")
    if not isinstance(repositories, dict):
        raise TokenInvalid("The token is not a registry token.")
    return Grant(principal, presented=True, access=granted, repositories=repositories)


def _granted(access: object) -> dict[tuple[str, str], frozenset[str]] | None:
    """The `access` claim as a map, or None if it has another shape."""
    granted: dict[tuple[str, str], frozenset[str]] = {}
    for entry in access if isinstance(access, list) else [None]:
        match entry:
            case {"type": str(kind), "name": str(name), "actions": [*actions]} if all(
                isinstance(action, str) for action in actions
            ):
                granted[kind, name] = frozenset(actions)
            case _:
                return None
    return granted


def _are_keys(hub: dict[str, Any]) -> bool:
    keys = (hub.get("user"), hub.get("token"))
    return all(key is None or (type(key) is int and 0 < key < 2**63) for key in keys)
