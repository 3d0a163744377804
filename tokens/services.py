"""Issuing registry tokens: what was asked for, cut down to what the person may do now."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.selectors import find_namespace
from accounts.types import Principal
from oci.names import RepositoryName, is_path
from oci.scope import ACTIONS, Scope
from repos.permissions import allowed_actions as may_do
from repos.permissions import find_visible, may_create
from tokens.jwt import (
    KeyUnknown,
    LoadedKey,
    TokenSigner,
    TokenVerifier,
    generate_pem,
    load_pem,
)
from tokens.models import SigningKey

_THUMBPRINT = re.compile(r"[0-9A-Za-z_-]{43}")
_KEYS_READ_EVERY_S = 30.0
_keys: list[LoadedKey] = []
_keys_read_at = 0.0


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A signed token, what it grants, and its life in seconds."""

    token: str
    granted: tuple[Scope, ...]
    expires_in_s: int


def issue(principal: Principal, scopes: Sequence[Scope]) -> IssuedToken:
    """Sign a token; scopes the principal may not have are left out, never refused."""
    granted = tuple(s for s in (_grant(principal, scope) for scope in scopes) if s.actions)
    claims = {
        "access": [{"type": s.type, "name": s.name, "actions": list(s.actions)} for s in granted],
        "hub": {
            "user": principal.user_id,
            "token": principal.token_id,
            "credential": principal.credential,
        },
    }
    lifetime_s = settings.HUB.token_lifetime_s
    return IssuedToken(
        signer().sign(principal.username, claims, lifetime_s=lifetime_s), granted, lifetime_s
    )


def signer() -> TokenSigner:
    """Signs with the newest key."""
    return TokenSigner(current_keys()[0], settings.HUB.external_url, settings.EXTERNAL_HOST)


def verifier() -> TokenVerifier:
    """Accepts every key that is not retired."""
    return TokenVerifier(
        {key.kid: key.private.public_key() for key in current_keys()},
        settings.HUB.external_url,
        settings.EXTERNAL_HOST,
    )


def verify(token: str) -> dict[str, Any]:
    """The claims of a registry token; raises TokenInvalid.

    A key made by another process since the keys were last read is found too.
    """
    try:
        return verifier().verify(token)
    except KeyUnknown as error:
        if not _THUMBPRINT.fullmatch(error.kid):
            raise
        if not SigningKey.objects.filter(kid=error.kid, retired_at=None).exists():
            raise
        forget_keys()
        return verifier().verify(token)


def current_keys() -> list[LoadedKey]:
    """The keys in use, newest first; the first one is made when there is none."""
    global _keys, _keys_read_at
    keys = _keys  # another thread may forget them meanwhile
    if not keys or time.monotonic() - _keys_read_at > _KEYS_READ_EVERY_S:
        keys = _keys = _read_keys()
        _keys_read_at = time.monotonic()
    return keys


def forget_keys() -> None:
    """Read the keys again at the next use."""
    global _keys
    _keys = []


def rotate_keys() -> SigningKey:
    """Sign with a new key from now on; the old ones stay good until their tokens are dead."""
    pem = generate_pem()
    with transaction.atomic():
        row = SigningKey.objects.create(kid=load_pem(pem).kid, private_key=pem)
        SigningKey.objects.exclude(pk=row.pk).filter(retired_at=None).update(
            retired_at=timezone.now() + timedelta(seconds=settings.HUB.token_lifetime_s)
        )
    forget_keys()
    return row


def _read_keys() -> list[LoadedKey]:
    rows = _live_keys()
    if not rows:
        with transaction.atomic():
            rows = _live_keys() or [_first_key()]
    return [load_pem(row.private_key) for row in rows]


def _live_keys() -> list[SigningKey]:
    rows = SigningKey.objects.order_by("-id")
    return [row for row in rows if row.retired_at is None or row.retired_at > timezone.now()]


def _first_key() -> SigningKey:
    pem = generate_pem()
    return SigningKey.objects.create(kid=load_pem(pem).kid, private_key=pem)


def _grant(principal: Principal, scope: Scope) -> Scope:
    if scope.type == "registry" and scope.name == "catalog" and not principal.is_anonymous:
        return Scope(scope.type, scope.name, ("*",)) if "*" in scope.actions else scope.only(())
    if scope.type != "repository":
        return scope.only(())
    return scope.only(allowed_actions(principal, scope.name))


def allowed_actions(principal: Principal, path: str) -> set[str]:
    """What the principal may do now with a repository path, also one that a push would make."""
    if not is_path(path):
        return set()
    name = RepositoryName.parse(path)
    repository = find_visible(principal, str(name))
    if repository is not None:
        return {str(action) for action in may_do(principal, repository)} & set(ACTIONS)
    namespace = find_namespace(name.namespace)
    if namespace is None or not may_create(principal, namespace):
        return set()
    return set(principal.token_actions(str(name))) & {"pull", "push"}
