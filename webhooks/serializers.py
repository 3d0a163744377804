"""Bodies and answers of the REST API about webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers

from accounts.rest import StrictSerializer
from webhooks.models import Attempt, Delivery, Webhook
from webhooks.services import MAX_GLOB_CHARS, MAX_SECRET_CHARS
from webhooks.types import EVENTS, name_of


class WebhookBodySerializer(StrictSerializer):
    url = serializers.CharField(max_length=2000)
    secret = serializers.CharField(
        max_length=MAX_SECRET_CHARS,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Signs deliveries. Left out, a new webhook gets a fresh one and an existing one "
        "keeps its own.",
    )
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=EVENTS),
        required=False,
        help_text="Left out for a new webhook: push.",
    )
    tag_filter = serializers.CharField(
        max_length=MAX_GLOB_CHARS,
        required=False,
        allow_blank=True,
        help_text="A pattern over tags, such as v*; empty for all.",
    )
    format = serializers.ChoiceField(choices=Webhook.Format.choices, required=False)
    active = serializers.BooleanField(required=False)


class WebhookSerializer(serializers.Serializer[Webhook]):
    id = serializers.IntegerField(source="pk")
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    tag_filter = serializers.CharField()
    format = serializers.CharField()
    active = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class CreatedWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(help_text="Shown this once.")


class AttemptRequestSerializer(serializers.Serializer[Any]):
    headers = serializers.DictField(child=serializers.CharField())
    body = serializers.CharField()


class AttemptResponseSerializer(serializers.Serializer[Any]):
    headers = serializers.DictField(child=serializers.CharField())
    excerpt = serializers.CharField(help_text="How the body begins, where it may be shown.")
    size_bytes = serializers.IntegerField()


class AttemptSerializer(serializers.Serializer[Attempt]):
    at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True, help_text="Null when no answer came.")
    error = serializers.CharField(help_text="Why it failed, or empty.")
    request = serializers.SerializerMethodField()
    response = serializers.SerializerMethodField()

    def get_request(self, row: Attempt) -> AttemptRequestSerializer:
        return {  # type: ignore[return-value]  # the annotation is the schema's
            "headers": row.request_headers,
            "body": row.request_body,
        }

    def get_response(self, row: Attempt) -> AttemptResponseSerializer:
        return {  # type: ignore[return-value]  # the annotation is the schema's
            "headers": row.response_headers,
            "excerpt": row.response_excerpt,
            "size_bytes": row.response_size,
        }


class DeliverySerializer(serializers.Serializer[Delivery]):
    id = serializers.IntegerField(source="pk")
    event = serializers.SerializerMethodField(help_text="As X-Hub-Event has it.")
    event_id = serializers.UUIDField(source="event.uid", help_text="As X-Hub-Delivery has it.")
    state = serializers.ChoiceField(choices=Delivery.State.choices)
    attempt_count = serializers.IntegerField(help_text="Since it was last asked for.")
    next_attempt_at = serializers.SerializerMethodField(help_text="Null unless it is due.")
    created_at = serializers.DateTimeField()
    attempts = AttemptSerializer(source="attempts.all", many=True, help_text="Oldest first.")

    def get_event(self, row: Delivery) -> str:
        return name_of(row.event.kind)

    def get_next_attempt_at(self, row: Delivery) -> datetime | None:
        return row.next_attempt_at if row.state == Delivery.State.DUE else None
