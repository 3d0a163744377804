"""REST: other names for repositories and accounts, and the former ones."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Namespace
from accounts.rest import HubView, StrictSerializer, describe
from accounts.selectors import find_namespace, get_organization
from core.errors import Denied
from core.paging import page_by_id
from repos.access import Access, enter
from repos.api.repositories import TAG, whole
from repos.models import Alias
from repos.serializers import RepositorySerializer
from repos.services.aliases import remove_alias
from repos.services.renaming import (
    rename_account,
    rename_repository,
    require_owner,
    transfer_repository,
)


class NameSerializer(StrictSerializer):
    name = serializers.CharField(max_length=200)


class TransferSerializer(StrictSerializer):
    namespace = serializers.CharField(max_length=60, help_text="Where you may make repositories.")


class UsernameSerializer(StrictSerializer):
    username = serializers.CharField(max_length=60)


class RenamedOrganizationSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()


class RenamedUserSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()


class AliasSerializer(serializers.Serializer[Alias]):
    id = serializers.IntegerField()
    path = serializers.CharField(source="old_path")
    uses = serializers.IntegerField(help_text="Pulls and look-ups under this name, about.")
    created_at = serializers.DateTimeField()


class RenameView(HubView):
    @describe(
        TAG,
        "Rename a repository; its old name leads to it",
        operation="repository_rename",
        body=NameSerializer,
        answer=RepositorySerializer,
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        access = owned(request, f"{namespace}/{name}")
        values = self.read(NameSerializer)
        renamed = rename_repository(access.repository, values["name"], principal=access.principal)
        return Response(whole(access.principal, renamed))


class TransferView(HubView):
    @describe(
        TAG,
        "Transfer a repository to another namespace; roles of teams and robots end",
        operation="repository_transfer",
        body=TransferSerializer,
        answer=RepositorySerializer,
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        access = owned(request, f"{namespace}/{name}")
        target = find_namespace(self.read(TransferSerializer)["namespace"])
        if target is None:
            raise Denied("You may not make repositories in this namespace.", code="NOT_YOURS")
        self.require_recent_sign_in()
        moved = transfer_repository(access.repository, target, principal=access.principal)
        return Response(whole(access.principal, moved))


class AliasesView(HubView):
    @describe(TAG, "Former names of a repository", operation="alias_list", rows=AliasSerializer)
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        rows = Alias.objects.filter(repository=access.repository)
        return self.answer_page(page_by_id(rows, **self.paging()), AliasSerializer)


class AliasView(HubView):
    @describe(TAG, "Give a former name up", operation="alias_delete")
    def delete(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = owned(request, f"{namespace}/{name}")
        remove_alias(access.repository, id, actor=access.principal.actor)
        return Response(status=204)


class OrganizationRenameView(HubView):
    @describe(
        "organizations",
        "Rename an organization; its old name leads to it",
        operation="organization_rename",
        body=NameSerializer,
        answer=RenamedOrganizationSerializer,
    )
    def post(self, request: Request, org: str) -> Response:
        organization = get_organization(org)
        principal = self.require_account()
        namespace = Namespace.objects.select_related("organization").get(organization=organization)
        require_owner(principal, namespace)
        name = self.read(NameSerializer)["name"]
        renamed = rename_account(namespace, name, principal=principal)
        return Response(RenamedOrganizationSerializer({"name": renamed.name}).data)


class UserRenameView(HubView):
    @describe(
        "account",
        "Rename yourself; your old name leads to you",
        operation="user_rename",
        body=UsernameSerializer,
        answer=RenamedUserSerializer,
    )
    def post(self, request: Request) -> Response:
        principal = self.require_account()
        namespace = Namespace.objects.filter(user_id=principal.account_id).first()
        if namespace is None:
            raise Denied("Your account has no namespace; the operator chose its name.")
        name = self.read(UsernameSerializer)["username"]
        renamed = rename_account(namespace, name, principal=principal)
        return Response(RenamedUserSerializer({"username": renamed.name}).data)


def owned(request: Request, path: str) -> Access:
    """The repository, for whoever owns its namespace; raises as `enter`, and NotOwner."""
    access = enter(request, path, "administer")
    require_owner(access.principal, access.repository.namespace)
    return access
