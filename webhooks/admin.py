"""Django's own admin for what is told to whom: webhooks, the outbox, messages that failed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.authentication import principal_from
from events.models import Event, QueueMessage
from webhooks.models import Webhook
from webhooks.services import switch_off
from webhooks.standing import host_shown


class SeenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows to look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


@admin.register(Webhook)
class WebhookAdmin(SeenAdmin):
    """Webhooks, without their secrets; the action stops one that does harm.

    Of addresses the host alone: many receivers take the rest for a password.
    """

    list_display = ("repository", "namespace", "host", "events", "active", "created_at")
    list_filter = ("active", "format")
    search_fields = ("repository__path", "namespace__name")
    list_select_related = ("repository", "namespace")
    fields = (
        "repository",
        "namespace",
        "host",
        "events",
        "tag_filter",
        "format",
        "active",
        "created_at",
    )
    readonly_fields = ("host",)
    actions = ("switch_off",)

    @admin.display(description=_("Leads to"))
    def host(self, webhook: Webhook) -> str:
        """Where messages go."""
        return host_shown(webhook.url)

    @admin.action(description=_("Switch off selected webhooks"), permissions=["view"])
    def switch_off(self, request: HttpRequest, webhooks: QuerySet[Webhook]) -> None:
        """Nothing more is sent to them until somebody switches them on again."""
        rows = list(webhooks.select_related("repository__namespace", "namespace"))
        for webhook in rows:
            switch_off(webhook, actor=principal_from(request).actor)
        count = len(rows)
        self.message_user(
            request,
            ngettext(
                "%(count)d webhook was switched off.",
                "%(count)d webhooks were switched off.",
                count,
            )
            % {"count": count},
            messages.SUCCESS,
        )


@admin.register(Event)
class EventAdmin(SeenAdmin):
    """History; nobody edits it."""

    list_display = ("id", "kind", "repository_path", "actor_name", "occurred_at", "dispatched_at")
    list_filter = ("kind", ("dispatched_at", admin.EmptyFieldListFilter))
    search_fields = ("=uid", "repository_path", "actor_name")
    date_hierarchy = "occurred_at"
    show_full_result_count = False


@admin.register(QueueMessage)
class QueueMessageAdmin(SeenAdmin):
    """Messages of the embedded broker; dead ones were given up."""

    list_display = ("id", "queue", "dead", "reads", "priority")
    list_filter = ("dead", "queue")
    show_full_result_count = False
