"""Django's own admin for repositories: to look at, and to correct a few texts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.authentication import principal_from
from repos.models import Collaborator, Repository
from repos.services.repositories import update_repository


class CollaboratorInline(admin.TabularInline):  # type: ignore[type-arg]
    """Who has a role of their own."""

    model = Collaborator
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Roles are given on the repository's page, where it is recorded."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As above."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As above."""
        return False


@admin.register(Repository)
class RepositoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Repositories. They are made and deleted on their pages, where content goes with them."""

    list_display = (
        "path",
        "visibility",
        "state",
        "star_count",
        "pull_count",
        "last_pushed_at",
        "created_at",
    )
    list_filter = ("visibility", "state")
    search_fields = ("path", "description")
    fields = (
        "path",
        "state",
        "visibility",
        "description",
        "immutable_tags",
        "untagged_days",
        "star_count",
        "comment_count",
        "pull_count",
        "created_at",
        "last_pushed_at",
    )
    # Everything but the description has rules that services keep.
    readonly_fields = tuple(name for name in fields if name != "description")
    inlines = (CollaboratorInline,)

    def save_model(self, request: HttpRequest, obj: Repository, form: Any, change: bool) -> None:
        """The description, which is all there is to change here; recorded as on its pages."""
        kept = Repository.objects.select_related("namespace__organization").get(pk=obj.pk)
        actor = principal_from(request).actor
        update_repository(kept, actor=actor, description=obj.description)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False
