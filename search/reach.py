"""Where to look for what somebody holds a role on: an index into `repos.permissions`, no decision.

May name rows that are not theirs; a test sees to it that none of theirs is missing. Written as SQL
because it is part of every search, and one look into an index for each way to a role: a single
query for all of them would read every repository.
"""

from __future__ import annotations

from accounts.types import Principal
from search.index import Sql

# Ids of namespaces: one's own, of one's organizations, the library; of a robot.
_OWN = "SELECT n.id FROM accounts_namespace n WHERE n.user_id = %s"
_MEMBER = (
    "SELECT n.id FROM accounts_membership m"
    " JOIN accounts_organization o ON o.id = m.organization_id"
    " JOIN accounts_namespace n ON n.organization_id = o.id"
    " WHERE m.user_id = %s AND (m.role = 'owner' OR o.base_role <> '')"
)
_TEAM = (
    "SELECT n.id FROM accounts_teammembership m JOIN accounts_team t ON t.id = m.team_id"
    " JOIN accounts_namespace n ON n.organization_id = t.organization_id"
    " WHERE m.user_id = %s AND t.base_role <> ''"
)
_LIBRARY = "SELECT n.id FROM accounts_namespace n WHERE n.kind = 'library'"
_ROBOT = "SELECT n.id FROM accounts_namespace n WHERE n.id = %s"
# Ids of single repositories: given to somebody, to their teams, opened by them.
_LENT = "SELECT repository_id FROM repos_collaborator WHERE user_id = %s"
_GRANTED = (
    "SELECT g.repository_id FROM accounts_teammembership m"
    " JOIN repos_teamgrant g ON g.team_id = m.team_id WHERE m.user_id = %s"
)
_OPENED = "SELECT repository_id FROM repos_opening WHERE user_id = %s"


def reach(principal: Principal, visibility: str, namespace: str = "") -> list[Sql]:
    """Statements that tell ids, together those of everything of this visibility with a role, in
    one namespace if it is given; those of single repositories tell all there are."""
    found = []
    for sql, params in _spaces(principal):
        if namespace:
            sql, params = f"{sql} AND n.name = %s", [*params, namespace]
        of_space = f"visibility = %s AND namespace_id IN ({sql})"
        found.append((f"SELECT id FROM repos_repository WHERE {of_space}", [visibility, *params]))  # noqa: S608
    return found + _single(principal)


def near(principal: Principal, table: str) -> Sql:
    """The same as a condition on a row: cheap, where a decision on each row is not."""
    spaces, single = _spaces(principal), _single(principal)
    in_spaces, in_single = (" UNION ALL ".join(sql for sql, _ in some) for some in (spaces, single))
    params = [value for _, values in (*spaces, *single) for value in values]
    # The signs keep SQLite from gathering the rows by these columns, which is what is not wanted.
    return f"(+{table}.namespace_id IN ({in_spaces}) OR +{table}.id IN ({in_single}))", params


def _spaces(principal: Principal) -> list[Sql]:
    user = principal.account_id
    if principal.is_robot:
        return [(_ROBOT, [principal.robot_of or 0])]
    found: list[Sql] = [(_OWN, [user]), (_MEMBER, [user]), (_TEAM, [user])]
    return [*found, (_LIBRARY, [])] if principal.is_superuser else found


def _single(principal: Principal) -> list[Sql]:
    user = principal.account_id
    if principal.is_robot:
        return [(_LENT, [user])]
    found: list[Sql] = [(_LENT, [user]), (_GRANTED, [user])]
    return [*found, (_OPENED, [user])] if principal.is_superuser else found
