"""Who is let in, by the role of this process: the accounts of a hub, or what stands for them.

The choice is made once, in `hubsite/roles.py`; code that asks here does not know which it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from accounts import selectors
from accounts.models import Namespace
from tokens import verify
from tokens.challenge import bearer
from tokens.verify import Grant


class Gate(Protocol):
    """One way to let people in."""

    has_accounts: bool

    def read(self, header: str, *, address: str) -> Grant:
        """As `tokens.verify.read_authorization`."""

    def challenge(self, scopes: Sequence[str], error: str) -> str:
        """`WWW-Authenticate` of /v2, as `tokens.challenge.bearer`."""

    def find_namespace(self, name: str, *, make: bool) -> Namespace | None:
        """The namespace a first push would go to; with `make` it is there afterwards."""


class AccountGate:
    """Accounts and their tokens."""

    has_accounts = True

    def read(self, header: str, *, address: str) -> Grant:
        """See Gate."""
        return verify.read_authorization(header, address=address)

    def challenge(self, scopes: Sequence[str], error: str) -> str:
        """See Gate."""
        return bearer(scopes, error)

    def find_namespace(self, name: str, *, make: bool) -> Namespace | None:
        """See Gate. Namespaces come with accounts, never with a push."""
        return selectors.find_namespace(name)


def has_accounts() -> bool:
    """Whether people have accounts here and sign in for tokens."""
    return _gate(settings.ROLE.gate).has_accounts


def read_authorization(header: str, *, address: str) -> Grant:
    """The grant of an `Authorization` header; raises as `tokens.verify.read_authorization`."""
    return _gate(settings.ROLE.gate).read(header, address=address)


def challenge(scopes: Sequence[str] = (), error: str = "") -> str:
    """How a client is told to say who it is."""
    return _gate(settings.ROLE.gate).challenge(scopes, error)


def find_namespace(name: str, *, make: bool = False) -> Namespace | None:
    """The namespace a first push would go to; with `make` it is there afterwards."""
    return _gate(settings.ROLE.gate).find_namespace(name, make=make)


@cache
def _gate(path: str) -> Gate:
    return cast(Gate, import_string(path)())
