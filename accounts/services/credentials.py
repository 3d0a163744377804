"""Name and password, or token, to principal: the same for the token service, REST and v2."""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import replace
from threading import BoundedSemaphore, Lock

from django.conf import settings
from django.core.cache import cache
from django.db.models import BigIntegerField, CharField

from accounts.errors import BadCredential
from accounts.models import AccessToken, User
from accounts.services.failures import note_failed_signin
from accounts.services.tokens import (
    PREFIXES,
    accepts,
    find_token,
    is_in_use,
    is_old_secret,
    mark_of,
    parse_token_scopes,
)
from accounts.types import Credential, Principal
from core import memo
from core.crypto import same, token_hash
from core.db import alone
from core.errors import RateLimited, Unavailable
from core.prepared import Prepared

FAILURES_PER_ACCOUNT_AND_ADDRESS = (10, 300)  # how many, in how many seconds
FAILURES_PER_ADDRESS = (100, 3600)
_REMEMBERED_S = 60
_OWNER = "user__robot_namespace__user"  # a robot stops with the person whose it is
_token = Prepared(
    lambda key: AccessToken.objects.select_related(_OWNER).filter(pk=key)[:1], BigIntegerField()
)
_user = Prepared(lambda key: User.objects.filter(pk=key, is_active=True)[:1], BigIntegerField())
_user_of_name = Prepared(
    lambda name: User.objects.filter(username=name, is_active=True)[:1], CharField()
)
_hashing = BoundedSemaphore(2)  # each hash takes 19 MiB and a core
_remembered: dict[bytes, float] = {}
_lock = Lock()


def authenticate(username: str, secret: str, *, address: str) -> Principal:
    """Who this is; `secret` is a password or an access token, `address` where the caller sits.

    Raises BadCredential, the same for every cause but one: the right password of somebody who has
    a second factor. Raises RateLimited after too many failures from one address. A token must
    belong to the named account.
    """
    if secret.startswith(PREFIXES):
        # Looked up first: a good token is never refused because of somebody's bad ones.
        principal = _by_token(username, secret)
        if principal is None:
            check_rate(username, address)
    else:
        check_rate(username, address)
        principal = _by_password(username, secret)
    if principal is None:
        count_failure(username, address)
        is_token = secret.startswith(PREFIXES)
        note_failed_signin(username, address, credential="token" if is_token else "password")
        raise BadCredential("The user name, password or access token is not right.")
    return principal


def authenticate_bearer(secret: str, *, address: str) -> Principal:
    """The owner of an access token presented without a name; raises as `authenticate`."""
    return authenticate("", secret, address=address)


def principal_of(user: User) -> Principal:
    """A person who signed in in the browser."""
    return _principal(user, "session")


def principal_of_password(user: User) -> Principal:
    """A person whose client has their password, as long as it is the same."""
    return replace(_principal(user, "password"), token_mark=password_mark(user))


def password_mark(user: User) -> str:
    """Tells a password from those before and after it; tells nothing else about it."""
    return mark_of(token_hash(user.password))


def principal_of_token(token: AccessToken, mark: str = "") -> Principal:
    """A token's owner, limited to the token's scopes; `mark` is that of the secret that was
    presented, the present one if none is given."""
    return replace(
        _principal(token.user, "token"),
        is_superuser=token.user.is_superuser and not token.scopes,
        token_id=token.pk,
        token_name=f"{token.name} ({token.prefix})",
        token_mark=mark or mark_of(token.secret_hash),
        scopes=parse_token_scopes(token.scopes) if token.scopes else None,
    )


def _principal(user: User, credential: Credential) -> Principal:
    return Principal(
        user_id=user.pk,
        username=user.username,
        credential=credential,
        is_superuser=user.is_superuser,
        robot_of=user.robot_namespace_id,
        robot_role=user.robot_role,
        robot_creates=user.robot_creates,
        second_factor=user.second_factor,
        is_verified=user.is_verified,
    )


def refresh(principal: Principal) -> Principal:
    """The same principal as the database knows it now.

    Raises BadCredential if the account was deactivated, the token revoked or rotated, or the
    password changed or no longer taken since a second factor was set up.
    """
    if principal.is_anonymous:
        return principal
    if principal.token_id is not None:
        token = _token.first(principal.token_id)
        mark = principal.token_mark
        if token is not None and token.is_valid and is_in_use(token.user) and accepts(token, mark):
            _note_expiry(token, mark)
            return principal_of_token(token, mark)
    else:
        user = _user.first(principal.account_id)
        if user is not None and principal.credential != "password":
            return _principal(user, principal.credential)
        if user is not None and not user.second_factor:
            found = principal_of_password(user)
            if same(found.token_mark, principal.token_mark):
                return found
    raise BadCredential("This account or access token is no longer valid.")


def _by_token(username: str, secret: str) -> Principal | None:
    token = find_token(secret, username)
    if token is None:
        return None
    mark = mark_of(token_hash(secret))
    _note_expiry(token, mark)
    return principal_of_token(token, mark)


def _note_expiry(token: AccessToken, mark: str) -> None:
    if token.expires_at is not None:
        memo.until(token.expires_at.timestamp())
    if token.previous_until is not None and is_old_secret(token, mark):
        memo.until(token.previous_until.timestamp())


def _by_password(username: str, password: str) -> Principal | None:
    if not username or "\0" in username or len(password) > 1024:
        return None
    user = _user_of_name.first(username.lower())
    left_s = _remembered_for_s(user, password) if user is not None else 0.0
    if left_s > 0:
        memo.until(time.time() + left_s)
    else:
        memo.never()
        if not _check_password(user, password):
            return None
    if user is None or user.is_robot:
        return None
    if user.second_factor:
        page = f"{settings.HUB.external_url}/settings/tokens"
        raise BadCredential(
            "This account has a second factor, so its password signs in only in the browser. Use "
            f"an access token here; you make one at {page}",
            code="SECOND_FACTOR",
        )
    return principal_of_password(user)


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


def _remembered_for_s(user: User, password: str) -> float:
    return _remembered.get(_memory_key(user, password), 0.0) - time.monotonic()


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


def check_rate(username: str, address: str) -> None:
    """Raises RateLimited after too many failures from one address."""
    counters = _counters(username, address)
    counts = cache.get_many([key for key, _, _ in counters])
    for key, limit, window_s in counters:
        memo.until(time.time() // window_s * window_s + window_s)
        if counts.get(key, 0) >= limit:
            raise RateLimited(
                "Too many failed sign-ins from this address; wait a few minutes.",
                detail={"retry_after_s": window_s - int(time.time()) % window_s},
            )


def count_failure(username: str, address: str) -> None:
    """Remember that a credential was not good."""
    with alone(f"signin-failed:{address}"):  # else failures at one moment would count as one
        for key, _, window_s in _counters(username, address):
            if not cache.add(key, 1, window_s):
                # Not incr: that would give the key the cache's default lifetime.
                cache.set(key, cache.get(key, 0) + 1, window_s)
