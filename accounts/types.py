"""Principals: who acts, and how far their credential reaches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from events.types import Actor

Credential = Literal["none", "session", "password", "token"]
TOKEN_ACTIONS = ("pull", "push", "delete")


@dataclass(frozen=True, slots=True)
class TokenScope:
    """What an access token may do with the repositories a glob names (`*` crosses slashes)."""

    glob: str
    actions: frozenset[str]

    def covers(self, path: str) -> bool:
        """Whether the glob names this repository path."""
        return _pattern(self.glob).fullmatch(path) is not None

    def __str__(self) -> str:
        return f"repository:{self.glob}:{','.join(a for a in TOKEN_ACTIONS if a in self.actions)}"


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in glob.split("*")))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts. `scopes` is None when the credential itself sets no limit."""

    user_id: int | None = None
    username: str = ""
    credential: Credential = "none"
    is_superuser: bool = False
    token_id: int | None = None
    scopes: tuple[TokenScope, ...] | None = None

    @property
    def is_anonymous(self) -> bool:
        """Nobody in particular."""
        return self.user_id is None

    @property
    def account_id(self) -> int:
        """The account's id for look-ups; 0, which no row has, for nobody."""
        return self.user_id or 0

    @property
    def is_limited(self) -> bool:
        """Acting with a token that reaches only some repositories or actions."""
        return self.scopes is not None

    @property
    def actor(self) -> Actor:
        """The same person as events and history keep them."""
        return Actor(self.user_id, self.username)

    def token_actions(self, path: str) -> frozenset[str]:
        """Actions the credential's scopes grant on a path; all of them without a limit."""
        if self.scopes is None:
            return frozenset(TOKEN_ACTIONS)
        return frozenset(a for s in self.scopes if s.covers(path) for a in s.actions)


ANONYMOUS = Principal()
