"""Failed sign-ins in the audit log: once for each name and address in a minute, to stay cheap."""

from __future__ import annotations

import hashlib
import re

from django.core.cache import cache

from accounts.models import Namespace
from events.services import audit
from events.types import Actor

EVERY_S = 60
# Names, robots' names and mail addresses; what else was typed may be a secret in the wrong field.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(?:\+[a-z0-9._-]+)?(?:@[a-z0-9.-]+)?", re.IGNORECASE)
_SECRET = re.compile(r"hub[a-z]_", re.IGNORECASE)


def note_failed_signin(username: str, address: str, *, credential: str) -> None:
    """Somebody came with a credential that is not good: `password`, `token`.

    Nobody is proven to have done it, so that the entry has a name and no account.
    """
    key = hashlib.sha256(f"{username.lower()}\0{address}".encode()).hexdigest()
    if not cache.add(f"signin-noted:{key}", 1, EVERY_S):
        return
    name = shown_name(username)
    namespace = Namespace.objects.filter(name=name.partition("+")[0]).values_list("pk", flat=True)
    audit(
        "signin.failed",
        actor=Actor(None, name, credential),
        namespace_id=namespace.first(),
        outcome="bad_credential",
    )


def shown_name(username: str) -> str:
    """The name that was tried, if it can be one."""
    name = username.strip().lower()
    if len(name) > 150 or not _NAME.fullmatch(name) or _SECRET.match(name):
        return ""
    return name
