"""REST: the tags of a repository."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import HubView, StrictSerializer, describe
from core.errors import NotFound
from core.paging import page_by_id, page_by_name
from oci.digest import Digest
from registry.errors import ManifestUnknown
from registry.history import clients_of, target_of
from registry.models import Tag, TagMove
from registry.selectors import get_tag_row, platforms_of, tag_rows
from registry.services.retag import retag, roll_back
from registry.services.tags import delete_tag
from registry.services.undo import list_deleted, undo_deletions
from repos.access import Access, enter
from repos.models import Repository
from repos.permissions import require
from webhooks.results import results_of

TAG = "tags"
_SHOWN = ("state", "context", "description", "target_url", "at")


class TagResultSerializer(serializers.Serializer[Any]):
    state = serializers.CharField(help_text="success, failure or error.")
    context = serializers.CharField()  # type: ignore[assignment]  # a field, not that
    description = serializers.CharField()
    target_url = serializers.CharField()
    webhook = serializers.IntegerField(
        allow_null=True, help_text="Its id, for administrators and while it is there."
    )
    at = serializers.DateTimeField()


class TagSerializer(serializers.Serializer[Tag]):
    name = serializers.CharField()
    digest = serializers.CharField(source="manifest.digest")
    media_type = serializers.CharField(source="manifest.media_type")
    size_bytes = serializers.IntegerField(source="manifest.total_size")
    platforms = serializers.SerializerMethodField(help_text="os/architecture/variant each.")
    pushed_at = serializers.DateTimeField(source="moved_at")
    pushed_by = serializers.CharField(source="moved_by_name")
    last_pulled_at = serializers.DateTimeField(allow_null=True)

    results = serializers.SerializerMethodField(
        help_text="What receivers of webhooks reported of the image, the newest of each context."
    )

    def get_platforms(self, row: Tag) -> list[str]:
        return platforms_of(row.manifest)

    @extend_schema_field(TagResultSerializer(many=True))
    def get_results(self, row: Tag) -> list[Any]:
        found: list[Any] = self.context["results"].get(row.manifest.digest, [])
        return found


class TagsView(HubView):
    @describe(TAG, "Tags by name", operation="tag_list", rows=TagSerializer, public=True)
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}")
        page = page_by_name(tag_rows(access.repository), field="name", **self.paging())
        return self.answer_page(page, TagSerializer, results=_results(access, page.rows))


class TagMoveSerializer(serializers.Serializer[TagMove]):
    id = serializers.IntegerField(source="pk")
    kind = serializers.CharField(help_text="push, delete, restore or mirror.")
    digest = serializers.CharField(help_text="Empty for a deletion.")
    previous_digest = serializers.CharField()
    moved_at = serializers.DateTimeField(source="at")
    moved_by = serializers.CharField(source="actor_name")
    target = serializers.SerializerMethodField(
        help_text="What a rollback can name; empty once it has gone."
    )
    client = serializers.SerializerMethodField(
        help_text="What the program called itself; empty if that is not known or you may not push."
    )

    def get_target(self, row: TagMove) -> str:
        return target_of(row)

    def get_client(self, row: TagMove) -> str:
        clients: dict[int, str] = self.context["clients"]
        return clients.get(row.pk, "")


class DeletedTagSerializer(serializers.Serializer[TagMove]):
    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    digest = serializers.CharField(source="manifest.digest")
    media_type = serializers.CharField(source="manifest.media_type")
    size_bytes = serializers.IntegerField(source="manifest.total_size")
    deleted_at = serializers.DateTimeField(source="at")
    deleted_by = serializers.CharField(source="actor_name")
    keep_until = serializers.DateTimeField(help_text="Until then it can be restored.")
    current_digest = serializers.CharField(
        source="current",
        allow_null=True,
        help_text="What has the name by now; restoring needs `replace` then.",
    )


class RestoreTagSerializer(StrictSerializer):
    replace = serializers.BooleanField(
        default=False, help_text="Also if the name means something else by now."
    )


class DeletedTagsView(HubView):
    @describe(
        TAG,
        "Deleted tags that can be restored, newest first, for whoever may push",
        operation="deleted_tag_list",
        rows=DeletedTagSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "push")
        page = page_by_id(list_deleted(access.repository), **self.paging())
        return self.answer_page(page, DeletedTagSerializer)


class RestoreTagView(HubView):
    @describe(
        TAG,
        "Restore a deleted tag where it was; webhooks are told as of a push",
        operation="deleted_tag_restore",
        body=RestoreTagSerializer,
        answer=TagSerializer,
    )
    def post(self, request: Request, namespace: str, name: str, id: int) -> Response:
        access = enter(request, f"{namespace}/{name}", "push")
        (tag,) = undo_deletions(
            access.repository,
            [id],
            actor=access.principal.actor,
            replace=self.read(RestoreTagSerializer)["replace"],
            recheck=access.recheck("push"),
        )
        return _answer(access, tag)


class RetagSerializer(StrictSerializer):
    digest = serializers.CharField(
        max_length=140, required=False, help_text="An image of this repository."
    )
    replace = serializers.BooleanField(
        default=True, help_text="false refuses to move a tag that names another image."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """With `from`, which cannot be the name of an attribute."""
        help_text = "A tag of this repository, instead of a digest."
        named = serializers.CharField(max_length=128, required=False, help_text=help_text)
        return {**super().get_fields(), "from": named}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two; raises ValidationError."""
        if ("digest" in attrs) == ("from" in attrs):
            raise serializers.ValidationError("Give a digest or the tag to take it from.")
        return attrs


class RollbackSerializer(StrictSerializer):
    digest = serializers.CharField(max_length=140, help_text="Where the tag was before.")


class TagHistoryView(HubView):
    @describe(
        TAG,
        "Where a tag has been, newest first; also of one that was deleted",
        operation="tag_history",
        rows=TagMoveSerializer,
        public=True,
    )
    def get(self, request: Request, namespace: str, name: str, tag: str) -> Response:
        access = enter(request, f"{namespace}/{name}")
        rows = TagMove.objects.filter(repository=access.repository, name=tag)
        if not rows.exists():
            raise NotFound("There is no such tag.")
        page = page_by_id(rows, **self.paging())
        clients = clients_of(access.repository, page.rows) if access.can_write else {}
        return self.answer_page(page, TagMoveSerializer, clients=clients)


class TagRollbackView(HubView):
    @describe(
        TAG,
        "Point a tag at an image it pointed at before; webhooks are told as of a push",
        operation="tag_rollback",
        body=RollbackSerializer,
        answer=TagSerializer,
    )
    def post(self, request: Request, namespace: str, name: str, tag: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "push")

        def recheck(row: Repository) -> None:
            require(access.principal, "push", row)

        digest = str(Digest.parse(self.read(RollbackSerializer)["digest"]))
        actor = access.principal.actor
        roll_back(access.repository, tag, digest, actor=actor, recheck=recheck)
        return _answer(access, tag)


class TagView(HubView):
    @describe(TAG, "A tag", operation="tag_read", answer=TagSerializer, public=True)
    def get(self, request: Request, namespace: str, name: str, tag: str) -> Response:
        access = enter(request, f"{namespace}/{name}")
        return _answer(access, tag)

    @describe(
        TAG,
        "Point a tag at an image that is already here; webhooks are told as of a push",
        operation="tag_write",
        body=RetagSerializer,
        answer=TagSerializer,
    )
    def put(self, request: Request, namespace: str, name: str, tag: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "push")
        values = self.read(RetagSerializer)
        if "from" in values:
            digest = _tag(access.repository, values["from"]).manifest.digest
        else:
            digest = str(Digest.parse(values["digest"]))
        retag(
            access.repository,
            tag,
            digest,
            actor=access.principal.actor,
            replace=values["replace"],
            recheck=access.recheck("push"),
        )
        return _answer(access, tag)

    @describe(TAG, "Delete a tag; other tags on the same image stay", operation="tag_delete")
    def delete(self, request: Request, namespace: str, name: str, tag: str) -> Response:
        access = enter(request, f"{namespace}/{name}", "delete")
        _tag(access.repository, tag)

        def recheck(row: Repository) -> None:
            require(access.principal, "delete", row)

        delete_tag(access.repository, tag, actor=access.principal.actor, recheck=recheck)
        return Response(status=204)


def _answer(access: Access, name: str) -> Response:
    row = _tag(access.repository, name)
    return Response(TagSerializer(row, context={"results": _results(access, [row])}).data)


def _results(access: Access, tags: Sequence[Tag]) -> dict[str, Any]:
    """By digest; who may not see webhooks is not told which one it was."""
    found = results_of(access.repository, [tag.manifest.digest for tag in tags])
    return {
        digest: TagResultSerializer(
            [
                {
                    **{name: getattr(row, name) for name in _SHOWN},
                    "webhook": row.webhook_id if access.can_administer else None,
                }
                for row in rows
            ],
            many=True,
        ).data
        for digest, rows in found.items()
    }


def _tag(repository: Repository, name: str) -> Tag:
    try:
        return get_tag_row(repository, name)
    except ManifestUnknown as error:
        raise NotFound("There is no such tag.") from error
