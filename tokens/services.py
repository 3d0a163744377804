"""Issuing registry tokens: what was asked for, cut down to what the person may do now."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.selectors import find_namespace
from accounts.types import Principal
from core.errors import Invalid
from oci.names import RepositoryName, is_path
from oci.scope import ACTIONS, Scope
from repos.models import Repository
from repos.permissions import allowed_actions as may_do
from repos.permissions import find_moved, find_visible, may_create
from tokens.authority import chain
from tokens.jwt import (
    LEEWAY_S,
    KeyUnknown,
    LoadedKey,
    TokenSigner,
    TokenVerifier,
    generate_pem,
    load_pem,
)
from tokens.models import SigningKey

_THUMBPRINT = re.compile(r"[0-9A-Za-z_-]{43}")
_KEYS_READ_EVERY_S = 5.0
MAX_SCOPES = 20  # further ones are left out
_keys: list[LoadedKey] = []
_keys_read_at = 0.0


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A signed token, what it grants, when it was signed, and its life in seconds."""

    token: str
    granted: tuple[Scope, ...]
    issued_at: datetime
    expires_in_s: int


def check_service(name: str) -> str:
    """The audience a client asked for; raises Invalid for a registry we sign nothing for."""
    if not name:
        return str(settings.EXTERNAL_HOST)
    if name != settings.EXTERNAL_HOST and name not in settings.HUB.token_services:
        raise Invalid("This token service does not serve the registry that was named.")
    return name


def issue(principal: Principal, scopes: Sequence[Scope], *, service: str = "") -> IssuedToken:
    """Sign a token; scopes the principal may not have are left out, never refused.

    `service` is the registry it is for, this one if empty; raises Invalid for one unknown.
    """
    audience = check_service(service)
    ours = audience == settings.EXTERNAL_HOST
    reach = _grant if ours else _grant_elsewhere
    wanted = scopes[:MAX_SCOPES]
    granted = tuple(s for s in (reach(principal, scope) for scope in wanted) if s.actions)
    claims: dict[str, Any] = {
        "access": [{"type": s.type, "name": s.name, "actions": list(s.actions)} for s in granted]
    }
    if ours:
        claims["hub"] = {
            "user": principal.user_id,
            "token": principal.token_id,
            "mark": principal.token_mark,
            "credential": principal.credential,
            "repositories": _keys_of(principal, granted),
        }
    now = int(timezone.now().timestamp())
    lifetime_s = settings.HUB.token_lifetime_s
    token = signer(audience).sign(principal.username, claims, lifetime_s=lifetime_s, now=now)
    return IssuedToken(token, granted, datetime.fromtimestamp(now, UTC), lifetime_s)


def _keys_of(principal: Principal, granted: Sequence[Scope]) -> dict[str, int]:
    """Which repositories the names stand for now; a token is not for what has a name later."""
    paths = [str(RepositoryName.parse(s.name)) for s in granted if s.type == "repository"]
    rows = Repository.objects.filter(path__in=paths, state=Repository.State.ACTIVE)
    keys = dict(rows.values_list("path", "pk")) if paths else {}
    for path in paths:
        moved = None if path in keys else find_moved(principal, path, bare=True)
        if moved is not None:
            keys[path] = moved.pk
    return keys


def signer(audience: str = "") -> TokenSigner:
    """Signs with the newest key, for another registry with the certificate that it goes by."""
    key = current_keys()[0]
    if audience in ("", settings.EXTERNAL_HOST):
        return TokenSigner(key, settings.HUB.external_url, settings.EXTERNAL_HOST)
    return TokenSigner(key, settings.HUB.external_url, audience, chain(key))


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
        if not _in_use().filter(kid=error.kid).exists():
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
    """Sign with a new key from now on; the old ones stay good until their tokens are dead.

    Other processes sign with an old key until they next read the keys.
    """
    pem = generate_pem()
    last_token_s = settings.HUB.token_lifetime_s + _KEYS_READ_EVERY_S + LEEWAY_S
    with transaction.atomic():
        row = SigningKey.objects.create(kid=load_pem(pem).kid, private_key=pem)
        SigningKey.objects.exclude(pk=row.pk).filter(retired_at=None).update(
            retired_at=timezone.now() + timedelta(seconds=last_token_s)
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
    return list(_in_use().order_by("-id"))


def _in_use() -> QuerySet[SigningKey]:
    return SigningKey.objects.filter(Q(retired_at=None) | Q(retired_at__gt=timezone.now()))


def _first_key() -> SigningKey:
    pem = generate_pem()
    return SigningKey.objects.create(kid=load_pem(pem).kid, private_key=pem)


def _grant(principal: Principal, scope: Scope) -> Scope:
    if scope.type == "registry" and scope.name == "catalog" and not principal.is_anonymous:
        return Scope(scope.type, scope.name, ("*",)) if "*" in scope.actions else scope.only(())
    if scope.type != "repository":
        return scope.only(())
    return scope.only(allowed_actions(principal, scope.name))


def _grant_elsewhere(principal: Principal, scope: Scope) -> Scope:
    """At another registry, whose catalogue hides no name from whoever may read it, and whose
    repositories need not exist here for their owner to delete there."""
    if scope.type == "registry" and not principal.is_superuser:
        return scope.only(())
    if scope.type == "repository":
        return scope.only(allowed_actions(principal, scope.name, absent=ACTIONS, former=False))
    return _grant(principal, scope)


def allowed_actions(
    principal: Principal,
    path: str,
    *,
    absent: Sequence[str] = ("pull", "push"),
    former: bool = True,
) -> set[str]:
    """What the principal may do now with a repository path; `absent` is what whoever may make a
    repository of that name may do before it exists. Without `former` the answer is for another
    registry: a former path counts for nothing, and so does making what is there and hidden."""
    if not is_path(path):
        return set()
    name = RepositoryName.parse(path)
    repository = find_visible(principal, str(name), bare=True)
    if repository is not None:
        return {str(action) for action in may_do(principal, repository)} & set(ACTIONS)
    moved = find_moved(principal, str(name), bare=True) if former else None
    if moved is not None:
        return {"pull"} if "pull" in may_do(principal, moved) else set()
    namespace = find_namespace(name.namespace)
    if namespace is None or not may_create(principal, namespace):
        return set()
    # Elsewhere nobody decides a second time; here a push into what is hidden is refused.
    if not former and Repository.objects.filter(path=str(name)).exists():
        return set()
    return set(principal.token_actions(str(name))) & set(absent)
