"""Principals: who acts, and how far their credential reaches."""

from __future__ import annotations

from dataclasses import dataclass
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
        return _matches(self.glob, path)

    def __str__(self) -> str:
        return f"repository:{self.glob}:{','.join(a for a in TOKEN_ACTIONS if a in self.actions)}"


def _matches(glob: str, path: str) -> bool:
    """Without backtracking, whose cost grows with a power of the stars: each piece is taken where
    it comes first, which leaves the most for those after it."""
    first, *rest = glob.split("*")
    if not rest:
        return path == first
    *pieces, last = rest
    at, end = len(first), len(path) - len(last)
    if at > end or not (path.startswith(first) and path.endswith(last)):
        return False
    for piece in pieces:
        found = path.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts. `scopes` is None when the credential itself sets no limit; `token_mark` tells the
    secret of a token, or a password, from those before.

    A robot has the id of its namespace, and the role it holds on all of it, if any. Whoever lacks
    the second factor has no role where an organization demands one; whoever has not confirmed
    their address reads at most.
    """

    user_id: int | None = None
    username: str = ""
    credential: Credential = "none"
    is_superuser: bool = False
    token_id: int | None = None
    scopes: tuple[TokenScope, ...] | None = None
    token_name: str = ""
    token_mark: str = ""
    robot_of: int | None = None
    robot_role: str = ""
    robot_creates: bool = False
    second_factor: bool = False
    is_verified: bool = True

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
    def is_robot(self) -> bool:
        """An account for machines."""
        return self.robot_of is not None

    @property
    def actor(self) -> Actor:
        """The same person as events and history keep them."""
        credential = f"token {self.token_name}" if self.token_name else self.credential
        return Actor(self.user_id, self.username, credential)

    def token_actions(self, path: str) -> frozenset[str]:
        """Actions the credential's scopes grant on a path; all of them without a limit."""
        if self.scopes is None:
            return frozenset(TOKEN_ACTIONS)
        return frozenset(a for s in self.scopes if s.covers(path) for a in s.actions)


ANONYMOUS = Principal()
