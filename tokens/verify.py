"""`Authorization` text to grant: who acts, and what their registry token reaches at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accounts.services.credentials import authenticate, authenticate_bearer, refresh
from accounts.services.tokens import PREFIX
from accounts.types import ANONYMOUS, Principal
from core.basic import decode_basic
from tokens.jwt import TokenInvalid
from tokens.services import verify


@dataclass(frozen=True, slots=True)
class Grant:
    """A verified credential. `access` is None when it sets no limit of its own (Basic)."""

    principal: Principal
    presented: bool
    access: Mapping[tuple[str, str], frozenset[str]] | None = None

    def covers(self, name: str, action: str, kind: str = "repository") -> bool:
        """Whether the credential itself reaches this action; the role is asked separately."""
        if self.access is None:
            return True
        actions = self.access.get((kind, name), frozenset())
        return action in actions or "*" in actions


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
        case "bearer" if value.startswith(PREFIX):
            return Grant(authenticate_bearer(value, address=address), presented=True)
        case "bearer":
            return _from_registry_token(value)
        case _:
            raise TokenInvalid("Use Basic or Bearer authentication.")


def _from_registry_token(token: str) -> Grant:
    claims = verify(token)
    hub = claims.get("hub")
    access = claims.get("access")
    if not isinstance(hub, dict) or not isinstance(access, list):
        raise TokenInvalid("The token is not a registry token.")
    principal = refresh(
        Principal(
            user_id=hub.get("user"),
            username=str(claims["sub"]),
            credential=hub.get("credential", "none"),
            token_id=hub.get("token"),
        )
    )
    granted: dict[tuple[str, str], frozenset[str]] = {
        (str(entry["type"]), str(entry["name"])): frozenset(entry["actions"]) for entry in access
    }
    return Grant(principal, presented=True, access=granted)
