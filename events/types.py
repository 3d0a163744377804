"""What services are told about who acts; never a request."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody by id and name; `SYSTEM` for the hub itself.

    `credential` says what they came with, in words for the audit log: `password`, `session`,
    `token ci (hubp_1a2b…)`.
    """

    id: int | None
    name: str
    credential: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from: the caller's address and what their client calls itself."""

    address: str = ""
    client: str = ""


SYSTEM = Actor(None, "hub")
NOWHERE = Origin()
origin: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)
