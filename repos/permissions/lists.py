"""The set forms of decide(…, "see", …): what lists are made from, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import (
    BigIntegerField,
    CharField,
    Exists,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Concat, Now

from accounts.models import Membership, Namespace, NamespaceAlias, TeamMembership
from accounts.types import ANONYMOUS, Principal
from core.prepared import Prepared
from repos.models import Alias, Collaborator, Opening, Repository, TeamGrant

_DECIDING = (
    *("path", "visibility", "state", "immutable_tags", "created_at"),
    *("namespace__name", "namespace__kind", "namespace__user"),
    *("namespace__organization__name", "namespace__organization__base_role"),
    "namespace__organization__second_factor_required",
)
_Rows = QuerySet[Repository]
_DEMANDS = "namespace__organization__second_factor_required"
_SUSPENDED = Q(**{_DEMANDS: True})


@dataclass(frozen=True, slots=True)
class _Kind:
    """What of a principal shapes the query; everything else is an argument of it."""

    is_superuser: bool = False
    second_factor: bool = False
    is_robot: bool = False
    everywhere: bool = False  # a robot with a role on all of its namespace

    @classmethod
    def of(cls, principal: Principal) -> _Kind:
        if principal.is_robot:
            return cls(is_robot=True, everywhere=bool(principal.robot_role))
        return cls(principal.is_superuser, principal.second_factor)


_Queries = dict[_Kind | None, Prepared[Repository]]


def visible_to(principal: Principal) -> QuerySet[Repository]:
    """Every active repository `decide(…, "see", …)` allows; the base of every list."""
    if principal.is_anonymous:
        return _active().filter(visibility="public")
    if principal.scopes is not None:
        return _active().filter(Q(visibility="public") | Q(pk__in=_in_scope(principal)))
    return _active().filter(Q(visibility="public") | _held(principal))


def visible_in(principal: Principal, column: str) -> Exists:
    """Whether the repository that a column of the outer query names is one of `visible_to`.

    For walks through what belongs to many repositories, such as events: roles are gathered once,
    and only rows that come by are asked about.
    """
    return Exists(visible_to(principal).filter(pk=OuterRef(column)))


def held_by(principal: Principal) -> QuerySet[Repository]:
    """Every active repository this principal holds a role on and may see."""
    # A role shows what it is on; only a token can hide it again.
    rows = visible_to(principal) if principal.is_limited else _active()
    return rows.filter(_held(principal))


def visible_each(principal: Principal) -> QuerySet[Repository]:
    """The same as `visible_to`, for queries that come to few rows: each is asked about by itself.

    So a row that is there and hidden takes no longer than one that is not there.
    """
    if principal.is_anonymous or principal.is_limited:
        return visible_to(principal)
    held = _holds_role(_Kind.of(principal), principal.account_id, principal.robot_of)
    return _active().filter(Q(visibility="public") | held)


def find_visible(principal: Principal, path: str, *, bare: bool = False) -> Repository | None:
    """The repository at a path if `decide(…, "see", …)` allows it.

    Absent and invisible take the same one query, and so the same time. `bare` reads only what
    decisions are made from, and nothing that a pull or a star changes.
    """
    reach = principal
    if principal.is_limited:
        reach = replace(principal, scopes=None) if principal.token_actions(path) else ANONYMOUS
    return _first(_bare if bare else _whole, reach, path)


def find_moved(principal: Principal, path: str, *, bare: bool = False) -> Repository | None:
    """The repository that had this path, or whose namespace had its name then, if the principal
    may see it. Ask once nothing has the path now.

    Nothing, hidden and found take the same one query.
    """
    namespace, _, name = path.partition("/")
    names = (path, namespace, f"/{name}")
    reach = replace(principal, scopes=None) if principal.is_limited else principal
    found = _first(_bare_moved if bare else _whole_moved, reach, *names)
    if found is None or found.is_public or principal.token_actions(found.path):
        return found
    return None


def member_ids(principal: Principal) -> QuerySet[Repository, int]:
    """Ids of the repositories this principal holds a role on."""
    return Repository.objects.filter(_held(principal)).values_list("pk", flat=True)


def _held(principal: Principal) -> Q:
    """What this principal holds a role on: one look into an index for each way to a role.

    A union, because planners read every repository for an OR of them.
    """
    own = Collaborator.objects.filter(user_id=principal.account_id).values("repository")
    if principal.is_robot:
        home = Q(namespace_id=principal.robot_of or 0)
        return home if principal.robot_role else home & Q(pk__in=own)
    spaces = _spaces(principal)
    of_spaces = Repository.objects.filter(namespace__in=spaces[0].union(*spaces[1:], all=True))
    single = [own, _granted(principal)]
    if not principal.second_factor:
        single = [rows.exclude(**{f"repository__{_DEMANDS}": True}) for rows in single]
    if principal.is_superuser:
        opened = Opening.objects.filter(user_id=principal.account_id, until__gt=Now())
        single.append(opened.values("repository"))
    return Q(pk__in=of_spaces.values("pk").union(*single, all=True))


def _spaces(principal: Principal) -> list[QuerySet[Any, Any]]:
    """Ids of namespaces where a role is held on all there is, by the way to it."""
    user = principal.account_id
    spaces = Namespace.objects.values("pk")
    roles = Membership.objects.filter(_counts(), user_id=user).values("organization")
    teams = TeamMembership.objects.filter(~Q(team__base_role=""), user_id=user)
    houses = [
        spaces.filter(organization__in=roles),
        spaces.filter(organization__in=teams.values("team__organization")),
    ]
    if not principal.second_factor:
        houses = [rows.exclude(organization__second_factor_required=True) for rows in houses]
    kept = [spaces.filter(kind=Namespace.Kind.LIBRARY)] if principal.is_superuser else []
    return [spaces.filter(user_id=user), *houses, *kept]


def _granted(principal: Principal) -> QuerySet[TeamGrant, Any]:
    """Ids of repositories that teams of this principal have a role on."""
    rows = TeamGrant.objects.filter(team__memberships__user_id=principal.account_id)
    return rows.values("repository")


def _holds_role(kind: _Kind, user: Any, robot_of: Any) -> Q:
    """`member_ids` asked of each row, without making a list of ids first."""
    own = Q(Exists(Collaborator.objects.filter(repository=OuterRef("pk"), user_id=user)))
    if kind.is_robot:
        return Q(namespace_id=robot_of) if kind.everywhere else Q(namespace_id=robot_of) & own
    owner = OuterRef("namespace__organization")
    roles = Membership.objects.filter(_counts(), organization=owner, user_id=user)
    teams = TeamMembership.objects.filter(
        ~Q(team__base_role=""), team__organization=owner, user_id=user
    )
    of_teams = TeamGrant.objects.filter(repository=OuterRef("pk"), team__memberships__user_id=user)
    held = own | Q(Exists(roles)) | Q(Exists(teams)) | Q(Exists(of_teams))
    if not kind.second_factor:
        held &= ~_SUSPENDED
    held |= Q(namespace__user_id=user)
    if kind.is_superuser:
        opened = Opening.objects.filter(repository=OuterRef("pk"), user_id=user, until__gt=Now())
        held |= Q(namespace__kind=Namespace.Kind.LIBRARY) | Q(Exists(opened))
    return held


def _counts() -> Q:
    """Memberships that give a role on every repository of the organization."""
    return Q(role=Membership.Role.OWNER) | ~Q(organization__base_role="")


def had_path(path: str) -> Q:
    """Repositories that had this path, or whose namespace had its name then."""
    namespace, _, name = path.partition("/")
    return _had(path, namespace, Value(f"/{name}"))


def _has(path: Any) -> Q:
    return Q(path=path)


def _had(path: Any, namespace: Any, name: Any) -> Q:
    """Rows that were called `path`, which is `namespace` and `name` with the slash in front.

    An alias has its namespace's present name, so a former name of either, or of both, leads on.
    """
    renamed = NamespaceAlias.objects.filter(old_name=namespace).values("namespace__name")
    now = Concat(Subquery(renamed), name, output_field=CharField())
    old = Alias.objects.filter(Q(old_path=path) | Q(old_path=now))
    return Q(path=now) | Q(pk__in=old.values("repository"))


def _first(prepared: _Queries, reach: Principal, *names: str) -> Repository | None:
    if reach.is_anonymous:
        return prepared[None].first(*names)
    kind = _Kind.of(reach)
    who = (reach.account_id, reach.robot_of) if kind.is_robot else (reach.account_id,)
    return prepared[kind].first(*who, *names)


def _prepare(
    kind: _Kind | None, which: Callable[..., Q], names: int, cut: Callable[[_Rows], _Rows]
) -> Prepared[Repository]:
    """The one row that `which`, asked with so many names, tells of, for nobody or a kind of
    principal."""

    def visible(held: Q, *path: Any) -> QuerySet[Repository]:
        return cut(_active().filter(Q(visibility="public") | held, which(*path)))

    texts: list[CharField[str, str]] = [CharField() for _ in range(names)]
    if kind is None:
        return Prepared(lambda *path: visible(Q(), *path), *texts)
    if kind.is_robot:
        return Prepared(
            lambda user, robot_of, *path: visible(_holds_role(kind, user, robot_of), *path),
            BigIntegerField(),
            BigIntegerField(),
            *texts,
        )
    return Prepared(
        lambda user, *path: visible(_holds_role(kind, user, None), *path),
        BigIntegerField(),
        *texts,
    )


def _active() -> QuerySet[Repository]:
    return Repository.objects.filter(state=Repository.State.ACTIVE)


def _deciding(rows: _Rows) -> _Rows:
    """The one row, with the columns that decisions are made from."""
    return _entire(rows).only(*_DECIDING)


def _entire(rows: _Rows) -> _Rows:
    return rows.select_related("namespace__organization")[:1]


_KINDS = [
    *(_Kind(is_superuser=s, second_factor=f) for s in (False, True) for f in (False, True)),
    *(_Kind(is_robot=True, everywhere=e) for e in (False, True)),
]
_bare, _whole = (
    {kind: _prepare(kind, _has, 1, cut) for kind in (None, *_KINDS)} for cut in (_deciding, _entire)
)
_bare_moved, _whole_moved = (
    {kind: _prepare(kind, _had, 3, cut) for kind in (None, *_KINDS)} for cut in (_deciding, _entire)
)


def _in_scope(principal: Principal) -> list[int]:
    """Globs do not translate to SQL on both engines; a person's own list is short."""
    mine = Repository.objects.filter(_held(principal)).values_list("pk", "path")
    return [pk for pk, path in mine if principal.token_actions(path)]
