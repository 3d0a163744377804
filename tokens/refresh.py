"""Refresh tokens: what `docker login` keeps instead of the password (token specification, OAuth2).

One is good for one registry, as long as the person, their password and the access token they
signed in with are what they were. It is never a password: only the token service takes it.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.errors import BadCredential
from accounts.models import AccessToken, User
from accounts.services.credentials import (
    check_rate,
    count_failure,
    principal_of_password,
    principal_of_token,
)
from accounts.services.tokens import is_in_use, is_old_secret, note_use
from accounts.types import Principal
from core.crypto import same, token_hash
from tokens.models import RefreshToken

PREFIX = "hubi_"
MAX_REFRESH_TOKENS = 50  # of one person with one password or access token
_ALPHABET = string.digits + string.ascii_letters
_USE_NOTED_EVERY = timedelta(minutes=5)
# So long a dead one is still told from one made up: clients that present it guess nothing, and do
# not use up the failures their address is allowed.
_DEAD_KEPT = timedelta(days=30)
_SHAPE = re.compile(r"hubi_([0-9A-Za-z]{10})_[0-9A-Za-z]{43}_([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Whom a refresh token stands for, and the registry it was made for."""

    principal: Principal
    service: str


def create_refresh_token(principal: Principal, *, service: str, client_id: str = "") -> str:
    """The secret of a new one, for somebody who signed in with a password or an access token.

    The one that rested longest makes room when there are too many. Empty, which is none, for the
    old secret of a token that was rotated: what is made with it must not outlive it.
    """
    user = User.objects.get(pk=principal.account_id)
    token = AccessToken.objects.filter(pk=principal.token_id or 0).first()
    if token is not None and is_old_secret(token, principal.token_mark):
        return ""
    handle = _random(10)
    body = f"{PREFIX}{handle}_{_random(43)}"
    secret = f"{body}_{_checksum(body)}"
    now = timezone.now()
    with transaction.atomic():
        _make_room(user, principal.token_id)
        RefreshToken.objects.create(
            user=user,
            access_token_id=principal.token_id,
            service=service,
            client_id="".join(c for c in client_id if c.isprintable())[:100],
            prefix=handle,
            secret_hash=token_hash(secret),
            password_mark=_password_mark(user),
            last_used_at=now,
            expires_at=_rests_until(now),
        )
    return secret


def redeem(secret: str, *, service: str = "", address: str) -> Redeemed:
    """Who acts with this refresh token; notes its use now and then.

    Raises BadCredential, the same for every cause: unknown, revoked, at rest for too long, made for
    another registry, account deactivated, password changed or no longer taken, access token no
    longer valid or rotated. Raises RateLimited after too many unknown ones from one address.
    """
    row = _find(secret)
    if row is None:
        check_rate("", address)
        count_failure("", address)
    if row is None or not _is_good(row) or (service and service != row.service):
        raise BadCredential("The refresh token is not valid, or no longer; log in again.")
    _note_use(row)
    if row.access_token is not None:
        return Redeemed(principal_of_token(row.access_token), row.service)
    return Redeemed(principal_of_password(row.user), row.service)


def list_refresh_tokens(user_id: int) -> list[RefreshToken]:
    """A person's clients that can still ask for tokens, the one used last first."""
    rows = RefreshToken.objects.filter(user_id=user_id).select_related(
        "user__robot_namespace__user", "access_token"
    )
    return [row for row in rows.order_by("-last_used_at", "-id") if _is_good(row)]


def revoke_refresh_token(row: RefreshToken) -> None:
    """Make it useless from the next request on; repeating it changes nothing."""
    RefreshToken.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now())


def sweep() -> int:
    """Delete what has been dead for long; returns how many."""
    long_ago = timezone.now() - _DEAD_KEPT
    dead = (
        Q(expires_at__lt=long_ago)
        | Q(revoked_at__lt=long_ago)
        | Q(access_token__revoked_at__lt=long_ago)
        | Q(access_token__expires_at__lt=long_ago)
    )
    return RefreshToken.objects.filter(dead).delete()[0]


def _find(secret: str) -> RefreshToken | None:
    match = _SHAPE.fullmatch(secret)
    if match is None or _checksum(secret[:-9]) != match[2]:
        return None
    rows = RefreshToken.objects.select_related(
        "user__robot_namespace__user", "access_token__user__robot_namespace__user"
    )
    row = rows.filter(prefix=match[1]).first()
    return row if row is not None and same(row.secret_hash, token_hash(secret)) else None


def _is_good(row: RefreshToken) -> bool:
    return (
        row.revoked_at is None
        and row.expires_at > timezone.now()
        and is_in_use(row.user)
        and same(row.password_mark, _password_mark(row.user))
        and (
            not row.user.second_factor
            if row.access_token is None
            else row.access_token.is_valid and _is_of_this_secret(row, row.access_token)
        )
    )


def _is_of_this_secret(row: RefreshToken, token: AccessToken) -> bool:
    """What was made before a rotation ends together with the old secret."""
    if token.rotated_at is None or row.created_at >= token.rotated_at:
        return True
    return token.previous_until is not None and token.previous_until > timezone.now()


def _note_use(row: RefreshToken) -> None:
    now = timezone.now()
    if row.last_used_at > now - _USE_NOTED_EVERY:
        return
    RefreshToken.objects.filter(pk=row.pk).update(last_used_at=now, expires_at=_rests_until(now))
    if row.access_token is not None:  # or its owner would take it for one that nobody needs
        note_use(row.access_token)


def _make_room(user: User, access_token_id: int | None) -> None:
    alike = RefreshToken.objects.filter(user=user, access_token_id=access_token_id)
    newest_first = alike.order_by("-last_used_at", "-id").values_list("pk", flat=True)
    surplus = list(newest_first[MAX_REFRESH_TOKENS - 1 :])
    RefreshToken.objects.filter(pk__in=surplus).delete()


def _rests_until(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.HUB.refresh_token_lifetime_s)


def _password_mark(user: User) -> str:
    return token_hash(user.password)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
