"""REST: organizations, their members and invitations."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.account import own_account
from accounts.models import Invitation, Membership, Organization
from accounts.permissions import require_member, require_owner, sees_inside
from accounts.rest import HubView, describe
from accounts.selectors import get_member, get_organization, get_team, get_user
from accounts.serializers import (
    InvitationSerializer,
    MemberRoleSerializer,
    MemberSerializer,
    NewInvitationSerializer,
    NewOrganizationSerializer,
    NewOwnerSerializer,
    OrganizationChangeSerializer,
    OrganizationRowSerializer,
    OrganizationSerializer,
)
from accounts.services.invitations import get_open, invite, list_open, resend, withdraw
from accounts.services.organizations import (
    create_organization,
    delete_organization,
    remove_member,
    set_member,
    transfer_ownership,
    update_organization,
)
from core.errors import Denied
from core.paging import page_by_id

ORGANIZATIONS = "organizations"


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
        principal = self.require_account()
        if not principal.is_verified:
            raise Denied(
                "Confirm your email address first; the link is in the mail you got.",
                code="UNVERIFIED",
            )
        values = self.read(NewOrganizationSerializer)
        made = create_organization(own_account(principal), actor=principal.actor, **values)
        return Response(_whole(made), status=201)


class BelowOrganization(HubView):
    """A view below an organization, whose name and address are public."""

    def owned(self, name: str) -> Organization:
        """The organization, for its owners; raises NotFound, Unauthenticated or Denied."""
        organization = get_organization(name)
        require_owner(self.require_account(), organization)
        return organization

    def joined(self, name: str) -> Membership:
        """The caller's membership; to others the organization has no inside: raises NotFound."""
        if self.principal.is_limited:
            self.require_account()
        return require_member(self.principal, get_organization(name))


class OrganizationView(BelowOrganization):
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
        organization = get_organization(org, former=True)
        inside = sees_inside(self.principal, organization)
        return Response(OrganizationSerializer(organization, context={"inside": inside}).data)

    @describe(
        ORGANIZATIONS,
        "Change what an organization says of itself, and its switches",
        operation="organization_update",
        body=OrganizationChangeSerializer,
        answer=OrganizationSerializer,
    )
    def patch(self, request: Request, org: str) -> Response:
        organization = self.owned(org)
        values = self.read(OrganizationChangeSerializer, partial=True)
        changed = update_organization(organization, actor=self.principal.actor, **values)
        return Response(_whole(changed))

    @describe(
        ORGANIZATIONS,
        "Delete an organization that has no repositories",
        operation="organization_delete",
    )
    def delete(self, request: Request, org: str) -> Response:
        organization = self.owned(org)
        self.require_recent_sign_in()
        delete_organization(organization, actor=self.principal.actor)
        return Response(status=204)


class OwnershipView(BelowOrganization):
    @describe(
        ORGANIZATIONS,
        "Make another member owner in your place",
        operation="organization_transfer",
        body=NewOwnerSerializer,
        answer=MemberSerializer,
    )
    def post(self, request: Request, org: str) -> Response:
        organization = self.owned(org)
        self.require_recent_sign_in()
        me = own_account(self.principal)
        to = get_user(self.read(NewOwnerSerializer)["username"])
        transfer_ownership(organization, me, to, actor=self.principal.actor)
        return Response(MemberSerializer(get_member(organization, to.username)).data)


class MembersView(BelowOrganization):
    @describe(ORGANIZATIONS, "Members, for members", operation="member_list", rows=MemberSerializer)
    def get(self, request: Request, org: str) -> Response:
        organization = self.joined(org).organization
        rows = Membership.objects.filter(organization=organization).select_related("user")
        return self.answer_page(page_by_id(rows, **self.paging()), MemberSerializer)


class MemberView(BelowOrganization):
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
        if role == Membership.Role.OWNER:
            self.require_recent_sign_in()
        member = set_member(organization, get_user(username), role, actor=self.principal.actor)
        return Response(MemberSerializer(member).data)

    @describe(ORGANIZATIONS, "Remove a member, or leave", operation="member_delete")
    def delete(self, request: Request, org: str, username: str) -> Response:
        leaving = self.principal.username == username
        organization = self._own(org) if leaving else self.owned(org)
        user = get_member(organization, username).user
        remove_member(organization, user, actor=self.principal.actor)
        return Response(status=204)

    def _own(self, org: str) -> Organization:
        """One's own organization, which one may leave whatever else it demands."""
        organization = get_organization(org)
        get_member(organization, self.require_account().username)
        return organization


class InvitationsView(BelowOrganization):
    @describe(
        ORGANIZATIONS,
        "Invitations that were not answered yet, for owners",
        operation="invitation_list",
        rows=InvitationSerializer,
    )
    def get(self, request: Request, org: str) -> Response:
        rows = list_open(self.owned(org))
        return self.answer_page(page_by_id(rows, **self.paging()), InvitationSerializer)

    @describe(
        ORGANIZATIONS,
        "Invite somebody by mail; inviting the same address again sends another mail",
        operation="invitation_create",
        body=NewInvitationSerializer,
        answer=InvitationSerializer,
        status=201,
    )
    def post(self, request: Request, org: str) -> Response:
        organization = self.owned(org)
        values = self.read(NewInvitationSerializer)
        if values["role"] == Membership.Role.OWNER:
            self.require_recent_sign_in()
        team = get_team(organization, values["team"]) if values["team"] else None
        row = invite(
            organization, values["email"], values["role"], inviter=self.principal.actor, team=team
        )
        return Response(InvitationSerializer(row).data, status=201)


class InvitationView(BelowOrganization):
    @describe(ORGANIZATIONS, "Withdraw an invitation", operation="invitation_delete")
    def delete(self, request: Request, org: str, id: int) -> Response:
        row: Invitation = get_open(self.owned(org), id)
        withdraw(row, actor=self.principal.actor)
        return Response(status=204)


class InvitationResendView(BelowOrganization):
    @describe(
        ORGANIZATIONS,
        "Send an invitation again, with another link",
        operation="invitation_resend",
        answer=InvitationSerializer,
    )
    def post(self, request: Request, org: str, id: int) -> Response:
        row = get_open(self.owned(org), id)
        if row.role == Membership.Role.OWNER:
            self.require_recent_sign_in()
        row = resend(row, actor=self.principal.actor)
        return Response(InvitationSerializer(row).data)


def _whole(organization: Organization) -> dict[str, object]:
    """With the settings, for its people."""
    return dict(OrganizationSerializer(organization, context={"inside": True}).data)
