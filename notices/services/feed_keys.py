"""The secret in the addresses of one's own feeds: shown once, kept as a hash."""

from __future__ import annotations

import secrets
import string

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.services.credentials import principal_of
from accounts.types import Principal
from core.crypto import token_hash
from core.errors import NotFound
from events.services import audit
from events.types import Actor
from notices.models import FeedKey

PREFIX = "hubf_"
_ALPHABET = string.digits + string.ascii_letters
_CHARS = 43


def make_key(user: User, *, actor: Actor) -> str:
    """A new secret; the one before is dead at once."""
    secret = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_CHARS))
    values = {"secret_hash": token_hash(secret), "created_at": timezone.now()}
    with transaction.atomic():
        FeedKey.objects.update_or_create(user=user, defaults=values)
        _audit("token.feed_made", user, actor)
    return secret


def revoke_key(user: User, *, actor: Actor) -> None:
    """No feed can be read with the secret any more; repeating it changes nothing."""
    with transaction.atomic():
        if FeedKey.objects.filter(user=user).delete()[0]:
            _audit("token.feed_revoked", user, actor)


def reader_of(secret: str) -> Principal:
    """Whose feeds a secret reads; raises NotFound. Only for showing what they may see."""
    found = None
    if secret.startswith(PREFIX) and len(secret) == len(PREFIX) + _CHARS:
        rows = FeedKey.objects.select_related("user")
        found = rows.filter(secret_hash=token_hash(secret), user__is_active=True).first()
    if found is None:
        raise NotFound("There is no such feed.")
    return principal_of(found.user)


def _audit(kind: str, user: User, actor: Actor) -> None:
    namespace = getattr(user, "namespace", None)
    audit(
        kind,
        actor=actor,
        namespace_id=None if namespace is None else namespace.pk,
        payload={"user": user.username},
    )
