"""Name and password, or token, to principal: the same for the token service, REST and v2."""

from __future__ import annotations

import hashlib
import hmac
import time
from threading import BoundedSemaphore, Lock

from django.conf import settings
from django.core.cache import cache

from accounts.errors import BadCredential
from accounts.models import AccessToken, User
from accounts.services.tokens import PREFIX, find_token, parse_token_scopes
from accounts.types import Principal
from core.errors import RateLimited, Unavailable

FAILURES_PER_ACCOUNT_AND_ADDRESS = (10, 300)  # how many, in how many seconds
FAILURES_PER_ADDRESS = (100, 3600)
_REMEMBERED_S = 60
_hashing = BoundedSemaphore(2)  # each hash takes 19 MiB and a core
_remembered: dict[bytes, float] = {}
_lock = Lock()


def authenticate(username: str, secret: str, *, address: str) -> Principal:
    """Who this is; `secret` is a password or an access token, `address` where the caller sits.

    Raises BadCredential, the same for every cause, and RateLimited after too many failures from
    one address. A token must belong to the named account.
    """
    if secret.startswith(PREFIX):
        # Looked up first: a good token is never refused because of somebody's bad ones.
        principal = _by_token(username, secret)
        if principal is None:
            _check_rate(username, address)
    else:
        _check_rate(username, address)
        principal = _by_password(username, secret)
    if principal is None:
        _count_failure(username, address)
        raise BadCredential("The user name, password or access token is not right.")
    return principal


def authenticate_bearer(secret: str, *, address: str) -> Principal:
    """The owner of an access token presented without a name; raises as `authenticate`."""
    return authenticate("", secret, address=address)


def principal_of(user: User) -> Principal:
    """A person who signed in in the browser."""
    return Principal(
        user_id=user.pk,
        username=user.username,
        credential="session",
        is_superuser=user.is_superuser,
    )


def principal_of_token(token: AccessToken) -> Principal:
    """A token's owner, limited to the token's scopes."""
    return Principal(
        user_id=token.user_id,
        username=token.user.username,
        credential="token",
        is_superuser=token.user.is_superuser and not token.scopes,
        token_id=token.pk,
        scopes=parse_token_scopes(token.scopes) if token.scopes else None,
    )


def refresh(principal: Principal) -> Principal:
    """The same principal as the database knows it now.

    Raises BadCredential if the account was deactivated or the token revoked meanwhile.
    """
    if principal.is_anonymous:
        return principal
    if principal.token_id is not None:
        token = AccessToken.objects.select_related("user").filter(pk=principal.token_id).first()
        if token is not None and token.is_valid and token.user.is_active:
            return principal_of_token(token)
    else:
        user = User.objects.filter(pk=principal.account_id, is_active=True).first()
        if user is not None:
            return Principal(user.pk, user.username, principal.credential, user.is_superuser)
    raise BadCredential("This account or access token is no longer valid.")


def _by_token(username: str, secret: str) -> Principal | None:
    token = find_token(secret)
    if token is None or (username and token.user.username != username.lower()):
        return None
    return principal_of_token(token)


def _by_password(username: str, password: str) -> Principal | None:
    if not username or "\0" in username or len(password) > 1024:
        return None
    user = User.objects.filter(username=username.lower(), is_active=True).first()
    if user is not None and _is_remembered(user, password):
        good = True
    else:
        good = _check_password(user, password)
    if not good or user is None:
        return None
    return Principal(user.pk, user.username, "password", user.is_superuser)


def _check_password(user: User | None, password: str) -> bool:
    """An absent account costs as much as a present one."""
    if not _hashing.acquire(timeout=5):
        raise Unavailable("Too many sign-ins at once; try again in a few seconds.")
    try:
        if user is None:
            User().set_password(password)
            return False
        good = user.check_password(password)
    finally:
        _hashing.release()
    if good:
        with _lock:
            if len(_remembered) > 1000:
                _remembered.clear()
            _remembered[_memory_key(user, password)] = time.monotonic() + _REMEMBERED_S
    return good


def _is_remembered(user: User, password: str) -> bool:
    return _remembered.get(_memory_key(user, password), 0) > time.monotonic()


def _memory_key(user: User, password: str) -> bytes:
    text = f"{user.pk}\0{user.password}\0{password}"
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).digest()


def _counters(username: str, address: str) -> list[tuple[str, int, int]]:
    """Key, limit and length of each window; a window is a fixed piece of the clock."""
    pair = hashlib.sha256(f"{username.lower()}\0{address}".encode()).hexdigest()
    now = int(time.time())
    return [
        (f"signin-failed:{who}:{now // window_s}", limit, window_s)
        for who, (limit, window_s) in (
            (pair, FAILURES_PER_ACCOUNT_AND_ADDRESS),
            (f"address:{address}", FAILURES_PER_ADDRESS),
        )
    ]


def _check_rate(username: str, address: str) -> None:
    counters = _counters(username, address)
    counts = cache.get_many([key for key, _, _ in counters])
    for key, limit, window_s in counters:
        if counts.get(key, 0) >= limit:
            raise RateLimited(
                "Too many failed sign-ins from this address; wait a few minutes.",
                detail={"retry_after_s": window_s - int(time.time()) % window_s},
            )


def _count_failure(username: str, address: str) -> None:
    for key, _, window_s in _counters(username, address):
        if not cache.add(key, 1, window_s):
            # Not incr: that would give the key the cache's default lifetime.
            cache.set(key, cache.get(key, 0) + 1, window_s)
