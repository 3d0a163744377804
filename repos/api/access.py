"""REST: who reaches what and through what; asking for access, and answering."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.rest import HubView, StrictSerializer, describe
from core.paging import Page, page_by_id, page_by_name
from repos.access import enter
from repos.models import AccessRequest, Role
from repos.reach import Reach, reach_in, reachable, who_reaches
from repos.services.access_requests import answer, ask, get_request

TAG = "access"


class SourceSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(Role.choices)
    text = serializers.CharField(help_text="Where the role comes from.")


class ReachSerializer(serializers.Serializer[Reach]):
    name = serializers.CharField(source="user.username")
    kind = serializers.SerializerMethodField(help_text="person or robot")
    repository = serializers.CharField(source="repository.path")
    role = serializers.CharField(help_text="Empty while a demanded second factor is missing.")
    through = SourceSerializer(source="sources", many=True)

    def get_kind(self, row: Reach) -> str:
        return "robot" if row.user.is_robot else "person"


class ReachesSerializer(serializers.Serializer[Any]):
    results = ReachSerializer(many=True)
    next = serializers.URLField(allow_null=True)


class NewAccessRequestSerializer(StrictSerializer):
    role = serializers.ChoiceField(Role.choices)
    message = serializers.CharField(max_length=500, required=False, allow_blank=True)


class AccessRequestSerializer(serializers.Serializer[AccessRequest]):
    id = serializers.IntegerField(source="pk")
    username = serializers.CharField(source="user.username")
    role = serializers.CharField()
    message = serializers.CharField()
    state = serializers.CharField()
    created_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)


class AnswerSerializer(StrictSerializer):
    state = serializers.ChoiceField(["granted", "refused"])
    role = serializers.ChoiceField(Role.choices, required=False)


class RepositoryAccessView(HubView):
    @describe(
        TAG,
        "Everybody with a role on the repository and where it comes from, for administrators",
        operation="repository_access",
        answer=ReachesSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        rows = who_reaches(access.repository)
        return Response(ReachesSerializer({"results": rows, "next": None}).data)


class UserAccessView(HubView):
    @describe(
        TAG,
        "Every repository you hold a role on and where it comes from",
        operation="user_access",
        rows=ReachSerializer,
    )
    def get(self, request: Request) -> Response:
        user = User.objects.get(pk=self.require_account().account_id)
        page: Page[Any] = page_by_name(reachable(user), field="path", **self.paging())
        page = replace(page, rows=reach_in(user, page.rows))
        return self.answer_page(page, ReachSerializer)


class AccessRequestsView(HubView):
    @describe(
        TAG,
        "Requests for access, newest first, for administrators",
        operation="access_request_list",
        rows=AccessRequestSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        rows = AccessRequest.objects.filter(repository=access.repository).select_related("user")
        return self.answer_page(page_by_id(rows, **self.paging()), AccessRequestSerializer)

    @describe(
        TAG,
        "Ask for access; the answer is the same whether there is such a repository or not",
        operation="access_request_create",
        body=NewAccessRequestSerializer,
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        principal = self.require_account()
        values = self.read(NewAccessRequestSerializer)
        ask(principal, f"{namespace}/{name}", **values)
        return Response(status=204)


class AccessRequestView(HubView):
    @describe(
        TAG,
        "Grant or refuse a request for access, for administrators",
        operation="access_request_answer",
        body=AnswerSerializer,
        answer=AccessRequestSerializer,
    )
    def post(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = enter(request, f"{namespace}/{name}", "administer")
        asked = get_request(access.repository, id)
        values = self.read(AnswerSerializer)
        granted = values["state"] == "granted"
        actor = access.principal.actor
        row = answer(asked, actor=actor, granted=granted, role=values.get("role", ""))
        return Response(AccessRequestSerializer(row).data)
