"""Tokens of the old index: `signature=…,repository="…",access=…`, for one person, one repository
and one kind of request. Whoever brings one may do what that person may do by then, and no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.core import signing

from accounts.services.credentials import refresh
from accounts.types import Principal
from registry.v1.errors import AuthorizationRequired
from repos.models import Repository

LIFETIME_S = 600
PUSH_LIFETIME_S = 6 * 3600  # one token for a whole push; it ends with the push
_SALT = "registry.v1.tokens/2"
_PAIR = re.compile(r'(\w+)\s*[=:]\s*"?([^",\s]*)')
MAX_CHARS = 2048


@dataclass(frozen=True, slots=True)
class IndexToken:
    """What a token is for: a repository as it was then, and reading, deleting or one push."""

    principal: Principal
    path: str
    repository_id: int
    access: str
    push: str = ""


def issue(principal: Principal, repository: Repository, access: str, push: str = "") -> str:
    """A token's text; good for LIFETIME_S seconds, that of a push for PUSH_LIFETIME_S at most."""
    claims = [
        [principal.user_id, principal.username, principal.credential],
        [principal.token_id, principal.token_mark],
        [repository.path, repository.pk],
        [access, push],
    ]
    signature = signing.dumps(claims, salt=_SALT).replace(":", ".")
    return f'signature={signature},repository="{repository.path}",access={access}'


def read(text: str) -> IndexToken:
    """What stands after `Authorization: Token`; raises AuthorizationRequired, BadCredential.

    Clients repeat the scheme, and write spaces and quotes as they like.
    """
    pairs = dict(_PAIR.findall(text[:MAX_CHARS]))
    try:
        signature = pairs.get("signature", "").replace(".", ":")
        claims = signing.loads(signature, salt=_SALT, max_age=PUSH_LIFETIME_S)
        person, credential, (path, key), (access, push) = claims
        if not push:
            signing.loads(signature, salt=_SALT, max_age=LIFETIME_S)
    except signing.BadSignature as error:
        raise AuthorizationRequired from error
    if (pairs.get("repository"), pairs.get("access")) != (path, access):
        raise AuthorizationRequired
    user_id, username, kind = person
    token_id, mark = credential
    known = Principal(
        user_id=user_id, username=username, credential=kind, token_id=token_id, token_mark=mark
    )
    return IndexToken(refresh(known), path, key, access, push)
