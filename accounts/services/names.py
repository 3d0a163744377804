"""Who may have a name: not what somebody has, had, or gave up lately, nor what looks like it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import CharField, F, Q, QuerySet, Value
from django.db.models.functions import Replace
from django.utils import timezone

from accounts.models import Membership, Namespace, NamespaceAlias, Organization, RetiredName, User
from accounts.names import RESERVED

RETIRED_FOR = timedelta(days=180)
KNOWN_PULLS = 100  # a name with more is never given to anybody else
_SEPARATORS = "-_."


def is_name_free(name: str, *, to: User | None = None, of: Namespace | None = None) -> bool:
    """Whether a person or an organization may have this name.

    `to` is the person who would own it, whose own names may look like it; `of` the namespace that
    would change its name, which may go back to one of its former ones.
    """
    mine = _own(to, of)
    if _has_somebody(name, of) or _looks(name) in _RESERVED_LOOKS:
        return False
    # Names in use before former ones: a rename moves a name from the first to the second.
    if _alike(Namespace.objects.exclude(pk__in=mine), "name", name).exists():
        return False
    former = NamespaceAlias.objects.exclude(namespace=of) if of else NamespaceAlias.objects.all()
    if former.filter(old_name=name).exists():
        return False
    if _alike(former.exclude(namespace__in=mine), "old_name", name).exists():
        return False
    retired = RetiredName.objects.filter(Q(free_at=None) | Q(free_at__gt=timezone.now()))
    if _alike(retired, "name", name).exists():
        return False
    # Former addresses of repositories that were transferred away from a namespace that is gone.
    elsewhere = Namespace.objects.filter(
        repositories__aliases__old_path__startswith=f"{name}/",
        repositories__state__in=("active", "trashed"),
    )
    return not (elsewhere.exclude(pk=of.pk) if of else elsewhere).exists()


def retire_name(name: str, *, pulls: int) -> RetiredName:
    """Keep the name of what is gone from everybody for a while; for ever if it was pulled much."""
    free_at = None if pulls > KNOWN_PULLS else timezone.now() + RETIRED_FOR
    return RetiredName.objects.update_or_create(name=name, defaults={"free_at": free_at})[0]


def is_called(user: User, name: str) -> bool:
    """Whether this is the account's name, or was; machines hold credentials with old names."""
    name = name.lower()
    if name == user.username:
        return True
    if "\0" in name:  # nobody's, and no text for PostgreSQL
        return False
    first, plus, rest = name.partition("+")
    aliases = NamespaceAlias.objects.filter(old_name=first)
    if user.is_robot:
        same = bool(plus) and rest == user.username.partition("+")[2]
        return same and aliases.filter(namespace=user.robot_namespace_id).exists()
    return not plus and aliases.filter(namespace__user=user).exists()


def _has_somebody(name: str, of: Namespace | None) -> bool:
    people, organizations = User.objects.filter(username=name), Organization.objects.all()
    namespaces = Namespace.objects.filter(name=name)
    if of is not None:
        namespaces = namespaces.exclude(pk=of.pk)
        people = people.exclude(pk=of.user_id or 0)
        organizations = organizations.exclude(pk=of.organization_id or 0)
    return namespaces.exists() or people.exists() or organizations.filter(name=name).exists()


def _own(to: User | None, of: Namespace | None) -> QuerySet[Namespace, int]:
    """Namespaces of the owner: those of whoever has the namespace that changes its name, too."""
    mine = Q(pk=of.pk if of else 0)
    owner = to.pk if to else of.user_id if of else None
    if owner is not None:
        owned = Membership.objects.filter(user_id=owner, role=Membership.Role.OWNER)
        mine |= Q(user_id=owner) | Q(organization__in=owned.values("organization"))
    return Namespace.objects.filter(mine).values_list("pk", flat=True)


def _looks(name: str) -> str:
    return "".join(c for c in name if c not in _SEPARATORS)


def _alike(rows: QuerySet[Any], field: str, name: str) -> QuerySet[Any]:
    """Rows whose name differs from this one only in separators, or not at all."""
    looks: F | Replace = F(field)
    for separator in _SEPARATORS:
        looks = Replace(looks, Value(separator), output_field=CharField())
    found: QuerySet[Any] = rows.alias(looks=looks).filter(looks=_looks(name))
    return found


_RESERVED_LOOKS = frozenset(_looks(name) for name in RESERVED) - {""}
