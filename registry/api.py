"""REST: the tags of a repository."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import HubView, describe
from core.errors import NotFound
from core.paging import page_by_name
from registry.errors import ManifestUnknown
from registry.models import Tag
from registry.selectors import get_tag_row, platforms_of, tag_rows
from registry.services.tags import delete_tag
from repos.access import enter
from repos.models import Repository
from repos.permissions import require

TAG = "tags"


class TagSerializer(serializers.Serializer[Tag]):
    name = serializers.CharField()
    digest = serializers.CharField(source="manifest.digest")
    media_type = serializers.CharField(source="manifest.media_type")
    size_bytes = serializers.IntegerField(source="manifest.total_size")
    platforms = serializers.SerializerMethodField(help_text="os/architecture/variant each.")
    pushed_at = serializers.DateTimeField(source="moved_at")
    pushed_by = serializers.CharField(source="moved_by_name")
    last_pulled_at = serializers.DateTimeField(allow_null=True)

    def get_platforms(self, row: Tag) -> list[str]:
        return platforms_of(row.manifest)


class TagsView(HubView):
    @describe(TAG, "Tags by name", operation="tag_list", rows=TagSerializer, public=True)
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}")
        page = page_by_name(tag_rows(access.repository), field="name", **self.paging())
        return self.answer_page(page, TagSerializer)


class TagView(HubView):
    @describe(TAG, "A tag", operation="tag_read", answer=TagSerializer, public=True)
    def get(self, request: Request, namespace: str, name: str, tag: str) -> Response:
        access = enter(request, f"{namespace}/{name}")
        return Response(TagSerializer(_tag(access.repository, tag)).data)

    @describe(TAG, "Delete a tag; other tags on the same image stay", operation="tag_delete")
    def delete(self, request: Request, namespace: str, name: str, tag: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "delete")
        _tag(access.repository, tag)

        def recheck(row: Repository) -> None:
            require(access.principal, "delete", row)

        delete_tag(access.repository, tag, actor=access.principal.actor, recheck=recheck)
        return Response(status=204)


def _tag(repository: Repository, name: str) -> Tag:
    try:
        return get_tag_row(repository, name)
    except ManifestUnknown as error:
        raise NotFound("There is no such tag.") from error
