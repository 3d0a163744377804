"""What services are told about who acts; never a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody by id and name; `SYSTEM` for the hub itself."""

    id: int | None
    name: str


SYSTEM = Actor(None, "hub")
