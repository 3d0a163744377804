"""Access tokens: made once, shown once, kept as a hash, rotated and revoked."""

from __future__ import annotations

import re
import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import AccessToken, Namespace, User
from accounts.services.names import is_called
from accounts.types import TOKEN_ACTIONS, TokenScope
from core.crypto import same, token_hash
from core.errors import Denied, Invalid, NotFound
from events.services import audit
from events.types import Actor, origin

PREFIX = "hubp_"
ROBOT_PREFIX = "hubr_"
PREFIXES = (PREFIX, ROBOT_PREFIX)
MAX_TOKENS = 100  # of one person or robot
MAX_SCOPES = 50
MAX_GLOB_CHARS = 200
OLD_SECRET_KEPT = timedelta(hours=24)
LONGEST = timedelta(days=3650)  # of lives that end at all
UNUSED = timedelta(days=90)
_ALPHABET = string.digits + string.ascii_letters
_USE_NOTED_EVERY = timedelta(minutes=5)
_SHAPE = re.compile(r"hub[pr]_([0-9A-Za-z]{10})_([0-9A-Za-z]{43})_([0-9a-f]{8})")
_ROTATED = (
    *("secret_hash", "previous_hash", "previous_until"),
    *("rotated_at", "warned_at", "expires_at"),
)
_GLOB = re.compile(rf"[a-z0-9._/*-]{{1,{MAX_GLOB_CHARS}}}")


@dataclass(frozen=True, slots=True)
class NewToken:
    """The row and, this once, the secret that is handed to its owner."""

    row: AccessToken
    secret: str


def create_token(
    user: User,
    *,
    name: str,
    scopes: Sequence[str] = (),
    expires_at: datetime | None = None,
    actor: Actor | None = None,
    made_with: int | None = None,
) -> NewToken:
    """Make a token; `actor` is who asks if not its owner, `made_with` the id of the token that
    asks, with which the new one ends at the latest.

    Raises Invalid for a bad name, scope or date, or when there are too many, and Denied.
    """
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise Invalid("Give the token a name of up to 100 characters.")
    checked = [str(scope) for scope in parse_token_scopes(scopes)]
    _check_reach(user, checked)
    handle = _random(10)
    secret = _secret(user, handle)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True, of=("self",)).get(pk=user.pk)
        maker = _maker(made_with)
        expires_at = _expiry(expires_at, maker)
        if user.access_tokens.filter(revoked_at=None).count() >= MAX_TOKENS:
            raise Invalid(f"There are {MAX_TOKENS} tokens; revoke one first.")
        row = AccessToken.objects.create(
            user=user,
            name=name,
            prefix=handle,
            secret_hash=token_hash(secret),
            scopes=checked,
            expires_at=expires_at,
            made_by=maker,
        )
        _audit("token.created", row, actor)
    return NewToken(row, secret)


def rotate_token(
    token: AccessToken,
    *,
    keep_old: bool = False,
    actor: Actor | None = None,
    made_with: int | None = None,
) -> NewToken:
    """Give a token a new secret; name, scopes, beginning and length of life stay what they were.

    The old secret is dead at once, or, if kept, after a day. A token that asks for itself keeps
    its end. Raises NotFound for a revoked token and Denied if `made_with`, the token that asks,
    would be outlived.
    """
    with transaction.atomic():
        rows = AccessToken.objects.select_for_update(of=("self",)).select_related("user", "made_by")
        row = rows.filter(pk=token.pk, revoked_at=None).first()
        if row is None:
            raise NotFound("There is no such token.")
        now = timezone.now()
        if row.pk != made_with:
            row.expires_at = _renewed(row, now)
            _check_maker(row.expires_at, _maker(made_with))
        secret = _secret(row.user, row.prefix)
        row.previous_hash = row.secret_hash if keep_old else ""
        row.previous_until = now + OLD_SECRET_KEPT if keep_old else None
        row.secret_hash, row.rotated_at, row.warned_at = token_hash(secret), now, None
        row.save(update_fields=_ROTATED)
        _audit("token.rotated", row, actor, old_secret_until=_iso(row.previous_until))
    return NewToken(row, secret)


def revoke_token(token: AccessToken, *, actor: Actor | None = None) -> None:
    """Make a token useless from the next request on, and every token made with it; repeating it
    changes nothing."""
    actor = actor or Actor(token.user.pk, token.user.username)
    with transaction.atomic():
        rows = AccessToken.objects.filter(pk=token.pk, revoked_at=None)
        if rows.update(revoked_at=timezone.now()):
            _audit("token.revoked", token, actor)
        for made in token.made.filter(revoked_at=None).select_related("user"):
            revoke_token(made, actor=actor)


def beginning(token: AccessToken) -> str:
    """How the token's secret begins, for people who look for it."""
    return f"{_prefix(token.user)}{token.prefix}"


def looks_like_token(text: str) -> bool:
    """Whether the text has the shape and the checksum of an access token."""
    match = _SHAPE.fullmatch(text)
    return bool(match) and f"{zlib.crc32(text[:-9].encode()):08x}" == text[-8:]


def find_token(text: str, username: str = "") -> AccessToken | None:
    """The valid token with this secret and an active owner, who has this name if one is given;
    notes its use now and then."""
    if not looks_like_token(text):
        return None
    rows = AccessToken.objects.select_related("user__robot_namespace__user")
    token = rows.filter(prefix=text.split("_")[1]).first()
    if token is None or not accepts(token, mark_of(token_hash(text))):
        return None
    if username and not is_called(token.user, username):
        return None
    if not token.is_valid or not is_in_use(token.user):
        return None
    note_use(token)
    return token


def mark_of(secret_hash: str) -> str:
    """Enough of a secret's hash to tell it from those before and after a rotation."""
    return secret_hash[:32]


def accepts(token: AccessToken, mark: str) -> bool:
    """Whether a secret with this mark is the token's, or was and is still good."""
    return same(mark, mark_of(token.secret_hash)) or is_old_secret(token, mark)


def is_old_secret(token: AccessToken, mark: str) -> bool:
    """Whether this is the secret of before the last rotation, kept good for a while."""
    return (
        token.previous_until is not None
        and token.previous_until > timezone.now()
        and same(mark, mark_of(token.previous_hash))
    )


def note_use(token: AccessToken) -> None:
    """Note when, from where and with which client a token was used, every few minutes at most."""
    now, source = timezone.now(), origin.get()
    if token.last_used_at is not None and token.last_used_at >= now - _USE_NOTED_EVERY:
        return
    rows = AccessToken.objects.filter(pk=token.pk, last_used_at=token.last_used_at)
    with transaction.atomic():
        noted = rows.update(
            last_used_at=now,
            last_used_address=source.address[:45],
            last_used_client=source.client[:200],
        )
        if noted and token.last_used_at is None:
            owner = token.user
            credential = f"token {token.name} ({token.prefix})"
            _audit("token.first_used", token, Actor(owner.pk, owner.username, credential))


def is_unused(token: AccessToken) -> bool:
    """Whether nobody has used the token for so long that it had better be revoked."""
    return (token.last_used_at or token.created_at) < timezone.now() - UNUSED


def is_in_use(user: User) -> bool:
    """Whether the account is active, and for a robot also the person whose namespace it is of."""
    namespace = user.robot_namespace
    person = namespace.user if namespace is not None else None
    return user.is_active and (person is None or person.is_active)


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


def _check_reach(user: User, scopes: Sequence[str]) -> None:
    """A robot's token names nothing outside the robot's namespace."""
    namespace = user.robot_namespace
    if namespace is None:
        return
    for scope in scopes:
        if not scope.startswith(f"repository:{namespace.name}/"):
            raise Invalid(
                f"Scope {scope!r} reaches outside {namespace.name}: name {namespace.name}/* or "
                "one of its repositories.",
                code="SCOPE_ELSEWHERE",
            )


def _longest() -> datetime | None:
    """The latest expiry this hub allows; None for any."""
    days = settings.HUB.token_max_days
    return timezone.now() + timedelta(days=days) if days else None


def _expiry(wanted: datetime | None, maker: AccessToken | None) -> datetime | None:
    """The expiry of a new token; no date becomes the latest there may be."""
    longest = _longest()
    if wanted is None:
        ends = [e for e in (longest, maker.expires_at if maker else None) if e is not None]
        return min(ends, default=None)
    if wanted <= timezone.now():
        raise Invalid("The expiry date must lie in the future.")
    if longest is not None and wanted > longest:
        raise Invalid(
            f"Tokens of this hub last {settings.HUB.token_max_days} days at most; its operator "
            "sets the limit.",
            code="TOKEN_LIFE",
        )
    _check_maker(wanted, maker)
    if wanted > timezone.now() + LONGEST:
        raise Invalid(
            f"A token lasts {LONGEST.days} days at most; leave the date out for one without end.",
            code="TOKEN_LIFE",
        )
    return wanted


def _renewed(token: AccessToken, now: datetime) -> datetime | None:
    """The expiry after a rotation: as long a life as before, within this hub's limit and that of
    the token it was made with."""
    maker = token.made_by
    ends = [_longest(), maker.expires_at if maker else None]
    if token.expires_at is not None:
        life = token.expires_at - (token.rotated_at or token.created_at)
        ends.append(now + min(life, LONGEST))
    return min((end for end in ends if end is not None), default=None)


def _check_maker(expires_at: datetime | None, maker: AccessToken | None) -> None:
    if maker is None or maker.expires_at is None:
        return
    if expires_at is None or expires_at > maker.expires_at:
        raise Denied(
            "An access token cannot make one that lasts longer than itself; ask for less, or make "
            "it on the tokens page or with your password.",
            code="TOKEN_CANNOT",
        )


def _maker(made_with: int | None) -> AccessToken | None:
    """The token that asks, held so that it is not revoked meanwhile."""
    if made_with is None:
        return None
    rows = AccessToken.objects.select_for_update(no_key=True).filter(pk=made_with, revoked_at=None)
    maker = rows.first()
    if maker is None:
        raise NotFound("There is no such token.")
    return maker


def _audit(kind: str, token: AccessToken, actor: Actor | None, **more: Any) -> None:
    owner = token.user
    place = owner.robot_namespace_id
    if place is None:
        place = Namespace.objects.filter(user=owner).values_list("pk", flat=True).first()
    audit(
        kind,
        actor=actor or Actor(owner.pk, owner.username),
        namespace_id=place,
        payload={
            "token": token.name,
            "prefix": beginning(token),
            "owner": owner.username,
            "scopes": token.scopes,
            "expires_at": _iso(token.expires_at),
            **more,
        },
    )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _prefix(user: User) -> str:
    return ROBOT_PREFIX if user.is_robot else PREFIX


def _secret(user: User, handle: str) -> str:
    body = f"{_prefix(user)}{handle}_{_random(43)}"
    return f"{body}_{zlib.crc32(body.encode()):08x}"


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
