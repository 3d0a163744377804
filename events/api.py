"""REST: what happened, as far as whoever asks may know; and the audit log."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import HubView, describe
from accounts.services.auditing import (
    trail_of_account,
    trail_of_hub_for,
    trail_of_namespace_for,
    with_person,
)
from core.errors import Invalid
from core.paging import page_by_id
from events.audit import GROUPS, record_of
from events.models import Event
from events.selectors import DONE, REFUSED, Filters, Trail, trail_of_repository
from repos.access import enter
from repos.permissions import decide, visible_in
from repos.permissions.trails import without_hidden
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
# What its administrators may know besides; refusals, addresses and the like are in the audit log.
SHOWN_TO_ADMINISTRATORS = (
    *SHOWN,
    "collaborator.added",
    "collaborator.removed",
    "repository.renamed",
    "repository.transferred",
)
AUDIT = "audit"
AUDIT_QUERY = [
    ("kind", f"A kind of entry, or a group of kinds: {', '.join(GROUPS)}."),
    ("person", "Only what this person or robot did."),
    ("outcome", f"`{DONE}` or `{REFUSED}`."),
    ("repository", "Only entries about the repository with this path."),
    ("from", "The first day, as 2026-01-31, in UTC."),
    ("to", "The last day."),
]


class EventSerializer(serializers.Serializer[Event]):
    id = serializers.UUIDField(source="uid")
    kind = serializers.SerializerMethodField(help_text="As webhooks name it: push, star, …")
    repository = serializers.CharField(source="repository_path")
    actor = serializers.CharField(source="actor_name")
    occurred_at = serializers.DateTimeField()
    payload = serializers.SerializerMethodField(
        help_text="What the kind brings along: tag, digest, …"
    )

    def get_kind(self, row: Event) -> str:
        return name_of(row.kind) or row.kind

    def get_payload(self, row: Event) -> dict[str, Any]:
        # What was there before is for the audit log: it may have been taken away for a reason.
        return {k: v for k, v in row.payload.items() if k not in ("before", "after")}


class AuditSerializer(serializers.Serializer[Event]):
    id = serializers.UUIDField()
    occurred_at = serializers.DateTimeField()
    kind = serializers.CharField(help_text="tag.moved, token.revoked, …")
    actor = serializers.CharField(help_text="Who did it, or the name that was tried.")
    credential = serializers.CharField(help_text="What they came with: session, token ci (…).")
    address = serializers.CharField()
    client = serializers.CharField(help_text="What the program calls itself.")
    repository = serializers.CharField(help_text="Its path at that time.")
    outcome = serializers.CharField(help_text="`done`, or the code of the refusal.")
    before = serializers.DictField()
    after = serializers.DictField()
    details = serializers.DictField()
    request_id = serializers.CharField()

    def to_representation(self, row: Event) -> dict[str, object]:
        return record_of(row)


class EventsView(HubView):
    @describe(
        TAG,
        "What happened in the repositories you may see now, newest first",
        operation="event_list",
        rows=EventSerializer,
        public=True,
    )
    def get(self, request: Request) -> Response:
        visible = visible_in(self.principal, "repository_id")
        return self._answer(Event.objects.filter(visible, kind__in=SHOWN))

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
            return self._answer(rows.filter(kind__in=SHOWN))
        return self._answer(rows.filter(kind__in=SHOWN_TO_ADMINISTRATORS))


class AuditView(HubView):
    @describe(
        AUDIT,
        "The audit log of the hub, newest first, for its administrators",
        operation="audit_list",
        rows=AuditSerializer,
        query=AUDIT_QUERY,
    )
    def get(self, request: Request) -> Response:
        return self._answer(trail_of_hub_for(self.principal))

    def _answer(self, trail: Trail) -> Response:
        page = trail.filtered(self._filters()).page(**self.paging())
        return self.answer_page(page, AuditSerializer)

    def _filters(self) -> Filters:
        outcome = self.text("outcome")
        if outcome not in ("", DONE, REFUSED):
            raise Invalid(f"outcome is {DONE} or {REFUSED}.", code="OUTCOME_INVALID")
        return with_person(
            Filters(
                kind=self.text("kind"),
                person=self.text("person").lower(),
                outcome=outcome,
                repository=self.text("repository"),
                since=self._day("from"),
                until=self._day("to"),
            )
        )

    def _day(self, name: str) -> date | None:
        text = self.text(name)
        try:
            return date.fromisoformat(text) if text else None
        except ValueError as error:
            raise Invalid(f"{name} is a day as 2026-01-31.", code="DAY_INVALID") from error


class AccountAuditView(AuditView):
    @describe(
        AUDIT,
        "What you did, and what was done or tried with your account",
        operation="account_audit_list",
        rows=AuditSerializer,
        query=AUDIT_QUERY,
    )
    def get(self, request: Request) -> Response:
        principal = self.require_account()
        return self._answer(without_hidden(trail_of_account(principal), principal))


class NamespaceAuditView(AuditView):
    @describe(
        AUDIT,
        "The audit log of your own namespace or of an organization you own",
        operation="namespace_audit_list",
        rows=AuditSerializer,
        query=AUDIT_QUERY,
    )
    def get(self, request: Request, namespace: str) -> Response:  # type: ignore[override]
        return self._answer(trail_of_namespace_for(self.require_account(), namespace))


class RepositoryAuditView(AuditView):
    @describe(
        AUDIT,
        "The audit log of a repository, for its administrators",
        operation="repository_audit_list",
        rows=AuditSerializer,
        query=AUDIT_QUERY,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:  # type: ignore[override]
        access = enter(request, f"{namespace}/{name}", "administer")
        return self._answer(trail_of_repository(access.repository.pk))
