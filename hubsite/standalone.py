"""A registry without accounts: who is let in may do everything, in any namespace.

Everybody acts as one account that nobody can sign in to. It keeps the library; and so does it keep
every namespace here, because all are of that kind.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import BoundedSemaphore, Lock

from django.conf import settings
from django.db.models import CharField

from accounts.models import Namespace, User
from accounts.selectors import find_namespace
from accounts.services.credentials import check_rate, count_failure, principal_of
from accounts.types import Principal
from core import memo
from core.basic import decode_basic
from core.errors import Unauthenticated
from core.prepared import Prepared
from hubsite import htpasswd
from hubsite.config_file import ConfigError
from tokens.challenge import BASIC
from tokens.verify import Grant

OPERATOR = "~standalone"  # no name that somebody could sign up with
MAX_NAMESPACE_CHARS = 60
_REMEMBERED_S = 60
_MOST_REMEMBERED = 1000
_operator = Prepared(lambda name: User.objects.filter(username=name)[:1], CharField())
log = logging.getLogger(__name__)


class OpenGate:
    """Lets everybody in, or with a password file those who are in it."""

    has_accounts = False

    def __init__(self) -> None:
        path = settings.HUB.standalone_passwords
        self._passwords = None if path is None else Passwords(path)

    def read(self, header: str, *, address: str) -> Grant:
        """See tokens.gate.Gate. Without a file any credential does, and none does too."""
        if self._passwords is None:
            return Grant(_principal("anybody"), presented=True)
        scheme, _, value = header.partition(" ")
        if scheme.lower() != "basic":
            raise Unauthenticated("Name and password are needed here.")
        name, password = decode_basic(value.strip())
        self._passwords.require(name, password, address=address)
        return Grant(_principal(name), presented=True)

    def challenge(self, scopes: Sequence[str], error: str) -> str:
        """See tokens.gate.Gate: there is no token to get."""
        return BASIC

    def find_namespace(self, name: str, *, make: bool) -> Namespace | None:
        """See tokens.gate.Gate: every name is free to push to."""
        found = find_namespace(name)
        if found is not None or len(name) > MAX_NAMESPACE_CHARS:
            return found
        kind = Namespace.Kind.LIBRARY
        if not make:
            return Namespace(name=name, kind=kind)
        return Namespace.objects.get_or_create(name=name, defaults={"kind": kind})[0]


class Passwords:
    """A password file as it is now: a change counts from the next request on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._hashes: dict[str, str] = {}
        self._good: dict[bytes, float] = {}
        self._salt = secrets.token_bytes(32)
        self._lock = Lock()
        self._hashing = BoundedSemaphore(2)  # each takes a core
        self._renew()

    def require(self, name: str, password: str, *, address: str) -> None:
        """Raises Unauthenticated, the same for every cause, or RateLimited."""
        self._renew()
        stamp = self._stamp
        memo.while_holds(lambda: self._stamp_now() == stamp)
        hashed = self._hashes.get(name)
        if hashed is not None and self._is_remembered(name, password, hashed):
            return
        check_rate(name, address)
        with self._hashing:
            # A name that is not there takes as long as one that is.
            right = htpasswd.is_right(password, hashed or next(iter(self._hashes.values())))
        if hashed is None or not right:
            count_failure(name, address)
            raise Unauthenticated("The name or password is not right.")
        with self._lock:
            if len(self._good) >= _MOST_REMEMBERED:
                self._good.clear()
            self._good[self._key(name, password, hashed)] = time.monotonic() + _REMEMBERED_S

    def _is_remembered(self, name: str, password: str, hashed: str) -> bool:
        return self._good.get(self._key(name, password, hashed), 0) > time.monotonic()

    def _key(self, name: str, password: str, hashed: str) -> bytes:
        text = "\0".join((name, password, hashed)).encode()
        return hashlib.blake2b(text, digest_size=32, key=self._salt).digest()

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size

    def _renew(self) -> None:
        """A file that became unreadable or wrong lets in whom it let in before."""
        stamp = self._stamp_now()
        if stamp == self._stamp and self._hashes:
            return
        try:
            hashes = htpasswd.read(self._path)
        except ConfigError as error:
            if not self._hashes:
                raise
            log.warning("%s; the passwords read before stay in use", error)
        else:
            self._hashes = hashes
        self._stamp = stamp


def ensure_operator() -> User:
    """The one account; nobody can sign in to it."""
    user, made = User.objects.get_or_create(username=OPERATOR, defaults={"is_superuser": True})
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def _principal(name: str) -> Principal:
    """Everybody is the same account; the name is for logs."""
    user = _operator.first(OPERATOR) or ensure_operator()
    return replace(principal_of(user), username=name)
