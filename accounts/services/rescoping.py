"""Access tokens name repositories; what is renamed is renamed in them too, or machines stop."""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import TextField
from django.db.models.functions import Cast

from accounts.models import AccessToken, Namespace, User
from accounts.services.tokens import MAX_GLOB_CHARS, beginning
from events.services import audit
from events.types import Actor


def follow_repository(old: str, new: str, *, actor: Actor, sees: Callable[[User], bool]) -> int:
    """Scopes that name exactly the old path name the new one; how many tokens were changed.

    So no scope that was made for one repository reaches what gets its name later. Only tokens of
    accounts that see the repository follow: nobody else learns its new name. Call it inside the
    transaction that renames.
    """
    return _rescope(f"repository:{old}:", f"repository:{new}:", actor, sees)


def follow_namespace(old: str, new: str, *, actor: Actor) -> int:
    """The same for every scope that begins with the old namespace."""
    return _rescope(f"repository:{old}/", f"repository:{new}/", actor, lambda _owner: True)


def _rescope(old: str, new: str, actor: Actor, sees: Callable[[User], bool]) -> int:
    rows = AccessToken.objects.alias(text=Cast("scopes", TextField())).filter(
        revoked_at=None, text__contains=f'"{old}'
    )
    changed = 0
    for token in rows.select_for_update(no_key=True, of=("self",)).select_related("user"):
        scopes = [_replaced(scope, old, new) for scope in token.scopes]
        if scopes == token.scopes or not sees(token.user):
            continue
        before, token.scopes = token.scopes, scopes
        token.save(update_fields=["scopes"])
        _audit(token, before, actor)
        changed += 1
    return changed


def _replaced(scope: str, old: str, new: str) -> str:
    """A glob that would get too long stays: nothing else is ever called as it says."""
    if not scope.startswith(old):
        return scope
    replaced = new + scope.removeprefix(old)
    return replaced if len(replaced.split(":")[1]) <= MAX_GLOB_CHARS else scope


def _audit(token: AccessToken, before: list[str], actor: Actor) -> None:
    owner = token.user
    place = owner.robot_namespace_id
    if place is None:
        place = Namespace.objects.filter(user=owner).values_list("pk", flat=True).first()
    audit(
        "token.rescoped",
        actor=actor,
        namespace_id=place,
        payload={
            "token": token.name,
            "prefix": beginning(token),
            "owner": owner.username,
            "before": {"scopes": before},
            "after": {"scopes": token.scopes},
        },
    )
