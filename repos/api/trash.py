"""REST: repositories that were deleted and can still come back."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import HubView, StrictSerializer, describe
from accounts.types import Principal
from core.paging import page_by_id
from repos.api.repositories import sizes_of, whole
from repos.models import Repository
from repos.serializers import RepositorySerializer
from repos.services.trash import (
    enter_trash,
    get_trashed,
    list_trash,
    purge_repository,
    restore_repository,
)

TAG = "trash"


class TrashedSerializer(serializers.Serializer[Repository]):
    id = serializers.IntegerField()
    name = serializers.CharField(source="former_name")
    visibility = serializers.CharField()
    size_bytes = serializers.SerializerMethodField()
    deleted_at = serializers.DateTimeField()
    deleted_by = serializers.CharField(source="deleted_by_name")
    purge_after = serializers.DateTimeField(help_text="Until then it can be restored.")

    def get_size_bytes(self, row: Repository) -> int:
        sizes: dict[int, int] = self.context.get("sizes", {})
        return sizes.get(row.pk, 0)


class RestoreSerializer(StrictSerializer):
    name = serializers.CharField(
        max_length=200, required=False, help_text="Another name, if the old one is taken."
    )


class TrashView(HubView):
    @describe(
        TAG,
        "Deleted repositories of a namespace that you could administer",
        operation="trash_list",
        rows=TrashedSerializer,
    )
    def get(self, request: Request, namespace: str) -> Response:
        found = enter_trash(self.principal, namespace)
        page = page_by_id(list_trash(self.principal, found), **self.paging())
        return self.answer_page(page, TrashedSerializer, sizes=sizes_of(page.rows))


class TrashedView(HubView):
    @describe(TAG, "Delete a repository in the trash for good", operation="trash_delete")
    def delete(self, request: Request, namespace: str, id: int) -> Response:
        purge_repository(_find(self.principal, namespace, id), principal=self.principal)
        return Response(status=204)


class RestoreView(HubView):
    @describe(
        TAG,
        "Restore a deleted repository with all it holds",
        operation="trash_restore",
        body=RestoreSerializer,
        answer=RepositorySerializer,
    )
    def post(self, request: Request, namespace: str, id: int) -> Response:
        row = _find(self.principal, namespace, id)
        values: dict[str, Any] = self.read(RestoreSerializer)
        back = restore_repository(row, principal=self.principal, name=values.get("name", ""))
        return Response(whole(self.principal, back))


def _find(principal: Principal, namespace: str, key: int) -> Repository:
    """The one with this id; raises as the list does, and NotFound."""
    return get_trashed(principal, enter_trash(principal, namespace), key)
