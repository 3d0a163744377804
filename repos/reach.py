"""Who reaches what, and through what: the roles of many people on many repositories at once.

A fixed number of queries for any number of either. `permissions` decides about one request; a test
holds the two to agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import Membership, Namespace, Organization, Team, TeamMembership, User
from accounts.services.credentials import principal_of
from repos.models import Collaborator, Repository, Role, TeamGrant
from repos.permissions.lists import held_by
from repos.permissions.roles import RANK

MAX_REPOSITORIES = 2_000  # whose roles are compared at once


@dataclass(frozen=True, slots=True)
class Source:
    """Where a role comes from: `kind` and `key` name the row, `text` says it to people."""

    kind: str
    key: int
    role: str
    text: str


@dataclass(slots=True)
class Reach:
    """One account on one repository."""

    user: User
    repository: Repository
    sources: list[Source] = field(default_factory=list)

    @property
    def role(self) -> str:
        """The highest role that counts: nothing while a demanded second factor is missing, reading
        at most until the address is confirmed."""
        if self.is_suspended:
            return ""
        held = highest(self.sources)
        return held if self.user.is_verified or not held else Role.READ.value

    @property
    def is_suspended(self) -> bool:
        """Waiting for the second factor that the organization demands."""
        organization = self.repository.namespace.organization
        return bool(
            organization
            and organization.second_factor_required
            and not self.user.second_factor
            and not self.user.is_robot
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody's role on a repository would become; nothing is the empty text."""

    name: str
    path: str
    before: str
    after: str


class Changes(list[Change]):
    """Changes by path and name; `is_cut` if there are more repositories than were compared."""

    is_cut = False


def highest(sources: Iterable[Source]) -> str:
    """The highest of some roles."""
    return max((s.role for s in sources), key=RANK.__getitem__, default="")


def who_reaches(repository: Repository) -> list[Reach]:
    """Everybody with a role on a repository, highest first, then by name."""
    rows = _reaches([repository])
    return sorted(rows, key=lambda r: (-RANK[highest(r.sources)], r.user.username))


def reachable(user: User, organization: Organization | None = None) -> QuerySet[Repository]:
    """Repositories an account holds a role on, by path; within one organization if it is given."""
    rows = held_by(principal_of(user))
    if organization is not None:
        rows = rows.filter(namespace__organization=organization)
    related = rows.select_related("namespace__organization", "namespace__user")
    return related.defer("readme", "readme_html").order_by("path")


def reach_in(user: User, repositories: Iterable[Repository]) -> list[Reach]:
    """An account's roles on some of `reachable`, by path."""
    found = _reaches(list(repositories), user)
    return sorted(found, key=lambda r: r.repository.path)


def changes_without_team(team: Team) -> Changes:
    """What the members of a team lose if it goes."""
    rows = _of_organization(team.organization_id)
    if not team.base_role:
        rows = rows.filter(team_grants__team=team)
    return _compare(rows, None, {("team", team.pk)})


def changes_without_member(organization: Organization, user: User) -> Changes:
    """What a member loses by leaving; roles they were given directly stay."""
    teams = Team.objects.filter(organization=organization, memberships__user=user)
    gone = {("team", pk) for pk in teams.values_list("pk", flat=True)}
    gone.add(("member", organization.pk))
    return _compare(reachable(user, organization), user, gone)


def changes_without_grant(repository: Repository, team: Team) -> Changes:
    """What the members of a team lose if it has no role of its own on a repository any more."""
    return _compare(_only(repository), None, {("grant", team.pk)})


def changes_without_collaborator(repository: Repository, user: User) -> Changes:
    """What somebody loses with the role they were given directly."""
    return _compare(_only(repository), user, {("collaborator", user.pk)})


def _compare(
    repositories: QuerySet[Repository], user: User | None, gone: set[tuple[str, int]]
) -> Changes:
    """Roles that are not what they were without the sources named; a team's grants go with it."""
    teams = {key for kind, key in gone if kind == "team"}
    compared = list(repositories[: MAX_REPOSITORIES + 1])
    changes = Changes()
    changes.is_cut = len(compared) > MAX_REPOSITORIES
    for row in _reaches(compared[:MAX_REPOSITORIES], user):
        left = [
            s
            for s in row.sources
            if (s.kind, s.key) not in gone and not (s.kind == "grant" and s.key in teams)
        ]
        floor = Role.READ.value if row.repository.is_public else ""
        before = max(highest(row.sources), floor, key=RANK.__getitem__)
        after = max(highest(left), floor, key=RANK.__getitem__)
        if before != after:
            changes.append(Change(row.user.username, row.repository.path, before, after))
    changes.sort(key=lambda c: (c.path, c.name))
    return changes


def _of_organization(organization_id: int) -> QuerySet[Repository]:
    rows = _with_owner().filter(
        namespace__organization_id=organization_id, state=Repository.State.ACTIVE
    )
    return rows.order_by("path")


def _only(repository: Repository) -> QuerySet[Repository]:
    return _with_owner().filter(pk=repository.pk)


def _with_owner() -> QuerySet[Repository]:
    related = Repository.objects.select_related("namespace__organization", "namespace__user")
    return related.defer("readme", "readme_html")


class _Roles:
    """Roles as they are found, by account and repository."""

    def __init__(self, repositories: list[Repository], user: User | None) -> None:
        self.user = user
        self.only = Q() if user is None else Q(user=user)
        self.by_id = {repository.pk: repository for repository in repositories}
        self.by_namespace: dict[int, list[Repository]] = defaultdict(list)
        self.by_organization: dict[int, list[Repository]] = defaultdict(list)
        self.found: dict[tuple[int, int], Reach] = {}
        for repository in repositories:
            self.by_namespace[repository.namespace_id].append(repository)
            if repository.namespace.organization_id is not None:
                self.by_organization[repository.namespace.organization_id].append(repository)

    def add(self, who: User, repositories: Iterable[Repository], source: Source) -> None:
        """One more source of one account on some repositories."""
        for repository in repositories:
            key = (who.pk, repository.pk)
            self.found.setdefault(key, Reach(who, repository)).sources.append(source)

    def of_owners(self) -> None:
        """The persons whose namespaces these are."""
        for repository in self.by_id.values():
            owner = repository.namespace.user
            if owner is not None and self.user in (None, owner):
                source = Source("owner", owner.pk, Role.ADMIN, _("owns the namespace"))
                self.add(owner, [repository], source)

    def of_library(self) -> None:
        """Administrators keep what belongs to nobody else."""
        kind = Namespace.Kind.LIBRARY
        held = [r for r in self.by_id.values() if r.namespace.kind == kind]
        rows = User.objects.filter(is_superuser=True, is_active=True) if held else []
        for keeper in rows:
            if self.user in (None, keeper):
                source = Source("library", keeper.pk, Role.ADMIN, _("keeps the library"))
                self.add(keeper, held, source)

    def of_organizations(self) -> None:
        """Owners, members with a base role, teams with a role everywhere."""
        for membership in _memberships(self.by_organization, self.only):
            held = self.by_organization[membership.organization_id]
            self.add(membership.user, held, _of_membership(membership))
        for place in _base_teams(self.by_organization, self.only):
            held = self.by_organization[place.team.organization_id]
            self.add(place.user, held, _of_base_team(place.team))

    def of_single_ones(self) -> None:
        """Collaborators, and teams with a role on one repository."""
        for row in _collaborators(self.by_id, self.only):
            source = Source("collaborator", row.user_id, row.role, _("collaborator"))
            self.add(row.user, [self.by_id[row.repository_id]], source)
        for team_id, repository_id, role, name, who in _team_grants(self.by_id, self.only):
            source = Source("grant", team_id, role, _("team %(name)s") % {"name": name})
            self.add(who, [self.by_id[repository_id]], source)

    def of_robots(self) -> None:
        """Robots with a role on all of their namespace."""
        for robot in _robots(self.by_namespace, self.user):
            text = _("robot account of the namespace")
            source = Source("robot", robot.pk, robot.robot_role, text)
            self.add(robot, self.by_namespace[robot.robot_namespace_id or 0], source)


def _reaches(repositories: list[Repository], user: User | None = None) -> list[Reach]:
    """Every role on these repositories, of one account or of all."""
    roles = _Roles(repositories, user)
    roles.of_owners()
    roles.of_library()
    roles.of_organizations()
    roles.of_single_ones()
    roles.of_robots()
    return list(roles.found.values())


def _memberships(organizations: dict[int, list[Repository]], only: Q) -> QuerySet[Membership]:
    counts = Q(role=Membership.Role.OWNER) | ~Q(organization__base_role="")
    rows = Membership.objects.filter(only, counts, organization__in=organizations)
    return rows.filter(user__is_active=True).select_related("user", "organization")


def _of_membership(row: Membership) -> Source:
    if row.role == Membership.Role.OWNER:
        return Source("member", row.organization_id, Role.ADMIN, _("owner of the organization"))
    text = _("member of the organization")
    return Source("member", row.organization_id, row.organization.base_role, text)


def _base_teams(organizations: dict[int, list[Repository]], only: Q) -> QuerySet[TeamMembership]:
    rows = TeamMembership.objects.filter(only, ~Q(team__base_role=""))
    rows = rows.filter(team__organization__in=organizations, user__is_active=True)
    return rows.select_related("user", "team")


def _of_base_team(team: Team) -> Source:
    text = _("team %(name)s, on all repositories") % {"name": team.name}
    return Source("team", team.pk, team.base_role, text)


def _collaborators(repositories: dict[int, Repository], only: Q) -> QuerySet[Collaborator]:
    rows = Collaborator.objects.filter(only, repository__in=repositories, user__is_active=True)
    return rows.select_related("user")


def _team_grants(
    repositories: dict[int, Repository], only: Q
) -> list[tuple[int, int, str, str, User]]:
    """Team, repository, role, the team's name and a member, for every member."""
    members: dict[int, list[User]] = defaultdict(list)
    places = TeamMembership.objects.filter(
        only, team__grants__repository__in=repositories, user__is_active=True
    )
    for place in places.select_related("user").distinct():
        members[place.team_id].append(place.user)
    grants = TeamGrant.objects.filter(repository__in=repositories, team__in=members)
    return [
        (grant.team_id, grant.repository_id, grant.role, grant.team.name, who)
        for grant in grants.select_related("team")
        for who in members[grant.team_id]
    ]


def _robots(namespaces: dict[int, list[Repository]], user: User | None) -> QuerySet[User]:
    rows = User.objects.filter(robot_namespace__in=namespaces, is_active=True)
    rows = rows.exclude(robot_role="")
    return rows if user is None else rows.filter(pk=user.pk)
