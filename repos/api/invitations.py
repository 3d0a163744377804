"""REST: inviting to a repository by mail, and answering any invitation."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Invitation, User
from accounts.rest import HubView, StrictSerializer, describe
from core.paging import page_by_id
from repos.access import enter
from repos.models import RepositoryInvitation, Role
from repos.services.invitations import accept_any, get_open, invite, list_open, resend, withdraw

TAG = "organizations"
COLLABORATORS = "collaborators"


class NewRepositoryInvitationSerializer(StrictSerializer):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=Role.choices)


class RepositoryInvitationSerializer(serializers.Serializer[RepositoryInvitation]):
    id = serializers.IntegerField(source="pk")
    email = serializers.CharField()
    role = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class SecretSerializer(StrictSerializer):
    secret = serializers.CharField(max_length=100, help_text="The end of the link in the mail.")


class AcceptedSerializer(serializers.Serializer[object]):
    kind = serializers.CharField(help_text="organization or repository")
    name = serializers.CharField(help_text="Of the organization, or the repository's path.")
    role = serializers.CharField(help_text="The role that was offered.")


class AcceptView(HubView):
    @describe(
        TAG,
        "Accept an invitation into an organization or to a repository",
        operation="invitation_accept",
        body=SecretSerializer,
        answer=AcceptedSerializer,
    )
    def post(self, request: Request) -> Response:
        principal = self.require_account()
        secret = self.read(SecretSerializer)["secret"]
        user = User.objects.get(pk=principal.account_id)
        found = accept_any(secret, user, actor=principal.actor)
        into = isinstance(found, Invitation)
        name = found.organization.name if isinstance(found, Invitation) else found.repository.path
        answer = {"kind": "organization" if into else "repository", "name": name}
        return Response(AcceptedSerializer({**answer, "role": found.role}).data)


class RepositoryInvitationsView(HubView):
    @describe(
        COLLABORATORS,
        "Invitations to the repository that were not answered yet, for administrators",
        operation="repository_invitation_list",
        rows=RepositoryInvitationSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        page = page_by_id(list_open(access.repository), **self.paging())
        return self.answer_page(page, RepositoryInvitationSerializer)

    @describe(
        COLLABORATORS,
        "Invite somebody by mail; inviting the same address again sends another mail",
        operation="repository_invitation_create",
        body=NewRepositoryInvitationSerializer,
        answer=RepositoryInvitationSerializer,
        status=201,
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        values = self.read(NewRepositoryInvitationSerializer)
        actor = access.principal.actor
        row = invite(access.repository, values["email"], values["role"], inviter=actor)
        return Response(RepositoryInvitationSerializer(row).data, status=201)


class RepositoryInvitationView(HubView):
    @describe(COLLABORATORS, "Withdraw an invitation", operation="repository_invitation_delete")
    def delete(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        withdraw(get_open(access.repository, id), actor=access.principal.actor)
        return Response(status=204)


class ResendView(HubView):
    @describe(
        COLLABORATORS,
        "Send an invitation again, with another link",
        operation="repository_invitation_resend",
        answer=RepositoryInvitationSerializer,
    )
    def post(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        row = resend(get_open(access.repository, id), actor=access.principal.actor)
        return Response(RepositoryInvitationSerializer(row).data)
