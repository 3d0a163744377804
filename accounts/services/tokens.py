"""Access tokens: made once, shown once, kept as a hash."""

from __future__ import annotations

import re
import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.models import AccessToken, User
from accounts.types import TOKEN_ACTIONS, TokenScope
from core.crypto import same, token_hash
from core.errors import Invalid

PREFIX = "hubp_"
MAX_TOKENS = 100
MAX_SCOPES = 50
_ALPHABET = string.digits + string.ascii_letters
_USE_NOTED_EVERY = timedelta(minutes=5)
_SHAPE = re.compile(r"hubp_([0-9A-Za-z]{10})_([0-9A-Za-z]{43})_([0-9a-f]{8})")
_GLOB = re.compile(r"[a-z0-9._/*-]{1,200}")


@dataclass(frozen=True, slots=True)
class NewToken:
    """The row and, this once, the secret that is handed to its owner."""

    row: AccessToken
    secret: str


def create_token(
    user: User, *, name: str, scopes: Sequence[str] = (), expires_at: datetime | None = None
) -> NewToken:
    """Make a token; raises Invalid for a bad name, scope or date, or when there are too many."""
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise Invalid("Give the token a name of up to 100 characters.")
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("The expiry date must lie in the future.")
    if user.access_tokens.filter(revoked_at=None).count() >= MAX_TOKENS:
        raise Invalid(f"You have {MAX_TOKENS} tokens; revoke one first.")
    checked = [str(scope) for scope in parse_token_scopes(scopes)]
    handle, secret = _random(10), _random(43)
    body = f"{PREFIX}{handle}_{secret}"
    text = f"{body}_{zlib.crc32(body.encode()):08x}"
    row = AccessToken.objects.create(
        user=user,
        name=name,
        prefix=handle,
        secret_hash=token_hash(text),
        scopes=checked,
        expires_at=expires_at,
    )
    return NewToken(row, text)


def revoke_token(token: AccessToken) -> None:
    """Make a token useless from the next request on; repeating it changes nothing."""
    AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


def looks_like_token(text: str) -> bool:
    """Whether the text has the shape and the checksum of an access token."""
    match = _SHAPE.fullmatch(text)
    return bool(match) and f"{zlib.crc32(text[:-9].encode()):08x}" == text[-8:]


def find_token(text: str) -> AccessToken | None:
    """The valid token with this secret and an active owner; notes its use now and then."""
    if not looks_like_token(text):
        return None
    token = AccessToken.objects.select_related("user").filter(prefix=text.split("_")[1]).first()
    if token is None or not same(token.secret_hash, token_hash(text)):
        return None
    if not token.is_valid or not token.user.is_active:
        return None
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - _USE_NOTED_EVERY:
        AccessToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def parse_token_scopes(scopes: Sequence[str]) -> tuple[TokenScope, ...]:
    """Scopes as values; raises Invalid naming the one that is wrong."""
    if len(scopes) > MAX_SCOPES:
        raise Invalid(f"A token has at most {MAX_SCOPES} scopes.")
    return tuple(_parse_token_scope(text) for text in scopes)


def _parse_token_scope(text: str) -> TokenScope:
    parts = text.split(":") if isinstance(text, str) else []
    if len(parts) == 3 and parts[0] == "repository" and _GLOB.fullmatch(parts[1]):
        actions = frozenset(TOKEN_ACTIONS if parts[2] == "*" else parts[2].split(","))
        if actions <= set(TOKEN_ACTIONS):
            return TokenScope(parts[1], actions)
    raise Invalid(
        f"Scope {str(text)[:100]!r} is not repository:NAME:ACTIONS with actions out of "
        f"{', '.join(TOKEN_ACTIONS)}; NAME may hold *.",
        code="SCOPE_INVALID",
    )


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
