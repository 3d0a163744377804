"""Bodies and answers of the REST API about repositories."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.rest import StrictSerializer
from repos.models import Collaborator, Comment, Repository, Role, TeamGrant, Visibility
from repos.services.comments import MAX_CHARS
from repos.services.repositories import MAX_DESCRIPTION_CHARS, MAX_README_CHARS


class NewRepositorySerializer(StrictSerializer):
    namespace = serializers.CharField(max_length=60)
    name = serializers.CharField(max_length=200, help_text="May hold slashes.")
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.PRIVATE)
    description = serializers.CharField(
        max_length=MAX_DESCRIPTION_CHARS, default="", allow_blank=True
    )


class RepositoryChangeSerializer(StrictSerializer):
    description = serializers.CharField(
        max_length=MAX_DESCRIPTION_CHARS, required=False, allow_blank=True
    )
    readme = serializers.CharField(
        max_length=MAX_README_CHARS,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Markdown.",
    )
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False)
    comments_open = serializers.BooleanField(
        required=False, help_text="Whether people may comment; what was said stays readable."
    )


class RepositoryRowSerializer(serializers.Serializer[Repository]):
    # Context: `sizes`, bytes by id.
    namespace = serializers.CharField(source="namespace.name")
    name = serializers.CharField()
    path = serializers.CharField(help_text="Namespace and name.")
    description = serializers.CharField()
    visibility = serializers.ChoiceField(choices=Visibility.choices)
    star_count = serializers.IntegerField()
    comment_count = serializers.IntegerField()
    pull_count = serializers.IntegerField()
    size_bytes = serializers.SerializerMethodField(help_text="Of its distinct blobs.")
    last_pushed_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()

    def get_size_bytes(self, row: Repository) -> int:
        return int(self.context["sizes"].get(row.pk, 0))


class RepositoryPermissionsSerializer(serializers.Serializer[Any]):
    see = serializers.BooleanField()
    pull = serializers.BooleanField()
    push = serializers.BooleanField()
    administer = serializers.BooleanField()


class RepositorySerializer(RepositoryRowSerializer):
    # Context: also `permissions`, by name.
    readme = serializers.CharField(help_text="Markdown.")
    comments_open = serializers.BooleanField()
    permissions = serializers.SerializerMethodField()

    def get_permissions(self, row: Repository) -> RepositoryPermissionsSerializer:
        return self.context["permissions"]  # type: ignore[no-any-return]  # the schema's type


class RoleSerializer(StrictSerializer):
    role = serializers.ChoiceField(choices=Role.choices)


class CollaboratorSerializer(serializers.Serializer[Collaborator]):
    username = serializers.CharField(source="user.username")
    role = serializers.CharField(help_text="read, write or admin")
    created_at = serializers.DateTimeField()


class TeamGrantSerializer(serializers.Serializer[TeamGrant]):
    organization = serializers.CharField(source="team.organization.name")
    team = serializers.CharField(source="team.name")
    role = serializers.CharField(help_text="read, write or admin")
    created_at = serializers.DateTimeField()


class CommentBodySerializer(StrictSerializer):
    body = serializers.CharField(max_length=MAX_CHARS, help_text="Markdown.")


class NewCommentSerializer(CommentBodySerializer):
    tag = serializers.CharField(
        max_length=140, required=False, help_text="The tag or digest that it is about."
    )


class CommentPermissionsSerializer(serializers.Serializer[Any]):
    edit = serializers.BooleanField()
    delete = serializers.BooleanField()
    hide = serializers.BooleanField()


class CommentSerializer(serializers.Serializer[Comment]):
    # Context: `permissions`, a function of the comment.
    id = serializers.IntegerField(source="pk")
    author = serializers.CharField(
        source="author.username", default=None, allow_null=True, help_text="Null once it is gone."
    )
    body = serializers.CharField(help_text="Markdown.")
    body_html = serializers.CharField(help_text="Safe HTML.")
    tag = serializers.CharField(help_text="The tag it is about, or nothing.")
    digest = serializers.CharField(help_text="What the tag was then, or the digest it is about.")
    hidden_at = serializers.DateTimeField(
        allow_null=True, help_text="When an administrator hid it from all but its author."
    )
    hidden_by = serializers.CharField(source="hidden_by_name")
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)
    permissions = serializers.SerializerMethodField()

    def get_permissions(self, row: Comment) -> CommentPermissionsSerializer:
        return self.context["permissions"](row)  # type: ignore[no-any-return]  # as above
