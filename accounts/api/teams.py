"""REST: teams of an organization."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.organizations import ORGANIZATIONS, BelowOrganization
from accounts.models import Membership, Team, TeamMembership, User
from accounts.rest import describe
from accounts.selectors import get_member, get_team, get_user
from accounts.serializers import (
    NewTeamSerializer,
    TeamChangeSerializer,
    TeamMemberSerializer,
    TeamSerializer,
)
from accounts.services.teams import (
    add_to_team,
    create_team,
    delete_team,
    remove_from_team,
    teams_for,
    update_team,
)
from core.errors import NotFound
from core.paging import page_by_id, page_by_name


class TeamsView(BelowOrganization):
    @describe(
        ORGANIZATIONS,
        "Teams: all for owners, one's own for members",
        operation="team_list",
        rows=TeamSerializer,
    )
    def get(self, request: Request, org: str) -> Response:
        member = self.joined(org)
        owner = member.role == Membership.Role.OWNER
        rows = teams_for(member.organization, member.user_id, owner=owner)
        page = page_by_name(rows, field="name", **self.paging())
        return self.answer_page(page, TeamSerializer)

    @describe(
        ORGANIZATIONS,
        "Make a team",
        operation="team_create",
        body=NewTeamSerializer,
        answer=TeamSerializer,
        status=201,
    )
    def post(self, request: Request, org: str) -> Response:
        organization = self.owned(org)
        values = self.read(NewTeamSerializer)
        team = create_team(organization, values.pop("name"), actor=self.principal.actor, **values)
        return Response(TeamSerializer(team).data, status=201)


class TeamView(BelowOrganization):
    @describe(
        ORGANIZATIONS,
        "A team, for owners and for who is in it",
        operation="team_read",
        answer=TeamSerializer,
    )
    def get(self, request: Request, org: str, team: str) -> Response:
        member = self.joined(org)
        owner = member.role == Membership.Role.OWNER
        rows = teams_for(member.organization, member.user_id, owner=owner)
        found = rows.filter(name=team).first()
        if found is None:
            raise NotFound("There is no such team.")
        return Response(TeamSerializer(found).data)

    @describe(
        ORGANIZATIONS,
        "Change a team's name, description or role on all repositories",
        operation="team_update",
        body=TeamChangeSerializer,
        answer=TeamSerializer,
    )
    def patch(self, request: Request, org: str, team: str) -> Response:
        found = self._owned(org, team)
        values = self.read(TeamChangeSerializer, partial=True)
        changed = update_team(found, actor=self.principal.actor, **values)
        return Response(TeamSerializer(changed).data)

    @describe(ORGANIZATIONS, "Delete a team with the roles it gives", operation="team_delete")
    def delete(self, request: Request, org: str, team: str) -> Response:
        delete_team(self._owned(org, team), actor=self.principal.actor)
        return Response(status=204)

    def _owned(self, org: str, team: str) -> Team:
        return get_team(self.owned(org), team)


class TeamMembersView(BelowOrganization):
    @describe(
        ORGANIZATIONS,
        "Who is in a team, for owners",
        operation="team_member_list",
        rows=TeamMemberSerializer,
    )
    def get(self, request: Request, org: str, team: str) -> Response:
        found = get_team(self.owned(org), team)
        rows = TeamMembership.objects.filter(team=found).select_related("user")
        return self.answer_page(page_by_id(rows, **self.paging()), TeamMemberSerializer)


class TeamMemberView(BelowOrganization):
    @describe(
        ORGANIZATIONS,
        "Put a member of the organization into a team",
        operation="team_member_set",
        answer=TeamMemberSerializer,
    )
    def put(self, request: Request, org: str, team: str, username: str) -> Response:
        found = get_team(self.owned(org), team)
        row = add_to_team(found, get_user(username), actor=self.principal.actor)
        return Response(TeamMemberSerializer(row).data)

    @describe(ORGANIZATIONS, "Take somebody out of a team", operation="team_member_delete")
    def delete(self, request: Request, org: str, team: str, username: str) -> Response:
        found = get_team(self.owned(org), team)
        user: User = get_member(found.organization, username).user
        remove_from_team(found, user, actor=self.principal.actor)
        return Response(status=204)
