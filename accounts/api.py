"""REST: people, the caller, their tokens; organizations, members, teams."""

from __future__ import annotations

from django.conf import settings
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import SignupClosed
from accounts.models import AccessToken, Membership, Organization, Team, TeamMembership, User
from accounts.rest import HubView, SignupThrottle, describe
from accounts.selectors import (
    get_organization,
    get_team,
    get_user,
    is_member,
    is_owner,
    list_organizations,
)
from accounts.serializers import (
    CreatedTokenSerializer,
    MemberRoleSerializer,
    MemberSerializer,
    MeSerializer,
    NewOrganizationSerializer,
    NewTeamSerializer,
    NewTokenSerializer,
    NewUserSerializer,
    OrganizationRowSerializer,
    OrganizationSerializer,
    TeamMemberSerializer,
    TeamSerializer,
    TokenSerializer,
    UserSerializer,
)
from accounts.services.organizations import (
    add_to_team,
    create_organization,
    create_team,
    remove_from_team,
    remove_member,
    set_member,
)
from accounts.services.signup import create_user
from accounts.services.tokens import create_token, revoke_token
from accounts.types import Principal
from core.errors import Denied, NotFound
from core.paging import page_by_id, page_by_name

ACCOUNT, ORGANIZATIONS = "account", "organizations"


class UsersView(HubView):
    throttle_classes = (SignupThrottle,)

    @describe(
        ACCOUNT,
        "Make an account, where sign-up is open or as an administrator",
        operation="user_create",
        body=NewUserSerializer,
        answer=UserSerializer,
        status=201,
        public=True,
    )
    def post(self, request: Request) -> Response:
        principal = self.principal
        if principal.is_limited:
            self.require_account()
        if settings.HUB.signup != "open" and not principal.is_superuser:
            raise SignupClosed("People cannot sign up here; ask an administrator for an account.")
        user = create_user(**self.read(NewUserSerializer))
        return Response(UserSerializer(user).data, status=201)


class UserView(HubView):
    @describe(ACCOUNT, "Who you are", operation="user_read", answer=MeSerializer)
    def get(self, request: Request) -> Response:
        user = _own_account(self.require_account())
        me = {
            "username": user.username,
            "email": user.email,
            "organizations": list_organizations(user.pk),
        }
        return Response(MeSerializer(me).data)


class TokensView(HubView):
    @describe("tokens", "Your access tokens", operation="token_list", rows=TokenSerializer)
    def get(self, request: Request) -> Response:
        rows = _own_tokens(self.require_account())
        return self.answer_page(page_by_id(rows, **self.paging()), TokenSerializer)

    @describe(
        "tokens",
        "Make an access token; its secret is shown this once",
        operation="token_create",
        body=NewTokenSerializer,
        answer=CreatedTokenSerializer,
        status=201,
    )
    def post(self, request: Request) -> Response:
        user = _own_account(self.require_account())
        made = create_token(user, **self.read(NewTokenSerializer))
        answer = CreatedTokenSerializer(made.row, context={"secret": made.secret})
        return Response(answer.data, status=201)


class TokenView(HubView):
    @describe("tokens", "Revoke an access token", operation="token_delete")
    def delete(self, request: Request, id: int) -> Response:
        token = _own_tokens(self.require_account()).filter(pk=id).first()
        if token is None:
            raise NotFound("There is no such token.")
        revoke_token(token)
        return Response(status=204)


class OrganizationsView(HubView):
    @describe(
        ORGANIZATIONS,
        "Organizations you belong to",
        operation="organization_list",
        rows=OrganizationRowSerializer,
    )
    def get(self, request: Request) -> Response:
        principal = self.require_account()
        rows = Membership.objects.filter(user_id=principal.account_id)
        page = page_by_id(rows.select_related("organization"), **self.paging())
        return self.answer_page(page, OrganizationRowSerializer)

    @describe(
        ORGANIZATIONS,
        "Make an organization that you own",
        operation="organization_create",
        body=NewOrganizationSerializer,
        answer=OrganizationSerializer,
        status=201,
    )
    def post(self, request: Request) -> Response:
        user = _own_account(self.require_account())
        organization = create_organization(user, **self.read(NewOrganizationSerializer))
        return Response(OrganizationSerializer(organization).data, status=201)


class _OrganizationView(HubView):
    """A view below an organization, whose name and address are public."""

    def owned(self, name: str) -> Organization:
        """The organization, for its owners; raises NotFound, Unauthenticated or Denied."""
        organization = get_organization(name)
        principal = self.require_account()
        if not is_owner(principal.user_id, organization):
            raise _not_owner(organization)
        return organization

    def joined(self, name: str) -> Organization:
        """The organization, for its members; to others it has none: raises NotFound."""
        organization = get_organization(name)
        principal = self.principal
        if principal.is_limited:
            self.require_account()
        if not is_member(principal.user_id, organization):
            raise NotFound("There is nothing here that you may see.")
        return organization


class OrganizationView(_OrganizationView):
    @describe(
        ORGANIZATIONS,
        "An organization",
        operation="organization_read",
        answer=OrganizationSerializer,
        public=True,
    )
    def get(self, request: Request, org: str) -> Response:
        if self.principal.is_limited:
            self.require_account()
        return Response(OrganizationSerializer(get_organization(org)).data)


class MembersView(_OrganizationView):
    @describe(ORGANIZATIONS, "Members, for members", operation="member_list", rows=MemberSerializer)
    def get(self, request: Request, org: str) -> Response:
        rows = Membership.objects.filter(organization=self.joined(org)).select_related("user")
        return self.answer_page(page_by_id(rows, **self.paging()), MemberSerializer)


class MemberView(_OrganizationView):
    @describe(
        ORGANIZATIONS,
        "Add a member, or change their role",
        operation="member_set",
        body=MemberRoleSerializer,
        answer=MemberSerializer,
    )
    def put(self, request: Request, org: str, username: str) -> Response:
        organization = self.owned(org)
        role = self.read(MemberRoleSerializer)["role"]
        member = set_member(organization, get_user(username), role)
        return Response(MemberSerializer(member).data)

    @describe(ORGANIZATIONS, "Remove a member, or leave", operation="member_delete")
    def delete(self, request: Request, org: str, username: str) -> Response:
        leaving = self.principal.username == username
        organization = self.joined(org) if leaving else self.owned(org)
        remove_member(organization, get_user(username))
        return Response(status=204)


class TeamsView(_OrganizationView):
    @describe(
        ORGANIZATIONS,
        "Teams: all for owners, one's own for members",
        operation="team_list",
        rows=TeamSerializer,
    )
    def get(self, request: Request, org: str) -> Response:
        organization = self.joined(org)
        rows = Team.objects.filter(organization=organization).select_related("organization")
        if not is_owner(self.principal.user_id, organization):
            rows = rows.filter(memberships__user_id=self.principal.account_id)
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
        team = create_team(organization, self.read(NewTeamSerializer)["name"])
        return Response(TeamSerializer(team).data, status=201)


class TeamMembersView(_OrganizationView):
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


class TeamMemberView(_OrganizationView):
    @describe(
        ORGANIZATIONS,
        "Put a member of the organization into a team",
        operation="team_member_set",
        answer=TeamMemberSerializer,
    )
    def put(self, request: Request, org: str, team: str, username: str) -> Response:
        found = get_team(self.owned(org), team)
        return Response(TeamMemberSerializer(add_to_team(found, get_user(username))).data)

    @describe(ORGANIZATIONS, "Take somebody out of a team", operation="team_member_delete")
    def delete(self, request: Request, org: str, team: str, username: str) -> Response:
        remove_from_team(get_team(self.owned(org), team), get_user(username))
        return Response(status=204)


def _own_account(principal: Principal) -> User:
    return User.objects.get(pk=principal.account_id)


def _own_tokens(principal: Principal) -> QuerySet[AccessToken]:
    return AccessToken.objects.filter(user_id=principal.account_id, revoked_at=None)


def _not_owner(organization: Organization) -> Denied:
    return Denied(f"Only owners of {organization.name} can do this.", code="NOT_OWNER")
