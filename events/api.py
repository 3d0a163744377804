"""REST: what happened, as far as whoever asks may know."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import HubView, describe
from core.paging import page_by_id
from events.models import Event
from repos.access import enter
from repos.permissions import decide, visible_to
from webhooks.types import name_of

TAG = "events"
# What everybody who sees a repository may know of; who was given access is not among it.
SHOWN = (
    "repository.created",
    "repository.updated",
    "repository.visibility",
    "repository.starred",
    "tag.moved",
    "tag.deleted",
    "manifest.deleted",
    "comment.added",
)


class EventSerializer(serializers.Serializer[Event]):
    id = serializers.UUIDField(source="uid")
    kind = serializers.SerializerMethodField(help_text="As webhooks name it: push, star, …")
    repository = serializers.CharField(source="repository_path")
    actor = serializers.CharField(source="actor_name")
    occurred_at = serializers.DateTimeField()
    payload = serializers.DictField(help_text="What the kind brings along: tag, digest, …")

    def get_kind(self, row: Event) -> str:
        return name_of(row.kind) or row.kind


class EventsView(HubView):
    @describe(
        TAG,
        "What happened in the repositories you may see now, newest first",
        operation="event_list",
        rows=EventSerializer,
        public=True,
    )
    def get(self, request: Request) -> Response:
        visible = visible_to(self.principal).values("pk")
        rows = Event.objects.filter(kind__in=SHOWN, repository_id__in=visible)
        return self._answer(rows)

    def _answer(self, rows: QuerySet[Event]) -> Response:
        return self.answer_page(page_by_id(rows, **self.paging()), EventSerializer)


class RepositoryEventsView(EventsView):
    @describe(
        TAG,
        "What happened in a repository, newest first; administrators also see who was given access",
        operation="repository_event_list",
        rows=EventSerializer,
        public=True,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:  # type: ignore[override]
        access = enter(request, f"{namespace}/{name}")
        rows = Event.objects.filter(repository_id=access.repository.pk)
        if not decide(access.principal, "administer", access.repository).allowed:
            rows = rows.filter(kind__in=SHOWN)
        return self._answer(rows)
