"""Bodies and answers of the REST API about webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.rest import StrictSerializer
from webhooks.checking import MAX_GLOB_CHARS, MAX_NAME_CHARS, MAX_SECRET_CHARS
from webhooks.models import Attempt, Delivery, Promotion, Result, Webhook
from webhooks.results import MAX_CONTEXT_CHARS, MAX_DESCRIPTION_CHARS, MAX_URL_CHARS
from webhooks.services import MAX_OVERLAP, MAX_WEBHOOKS
from webhooks.signing import headers_of
from webhooks.trial import Trial
from webhooks.types import EVENTS, name_of

_MOST_ID = 2**63 - 1


def _pattern(help_text: str) -> serializers.CharField:
    return serializers.CharField(
        max_length=MAX_GLOB_CHARS, required=False, allow_blank=True, help_text=help_text
    )


class TrialBodySerializer(StrictSerializer):
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=EVENTS),
        required=False,
        help_text="Left out for a new webhook: push.",
    )
    tag_filter = _pattern(
        "A pattern over tags, such as v*, or a regular expression between slashes; empty for all."
    )
    platform_filter = _pattern("A pattern over platforms of what is pushed, such as linux/arm64.")
    actor_filter = _pattern("A pattern over the names of those who act, such as acme+*.")
    media_type_filter = _pattern("A pattern over media types, such as *.oci.image.index.*.")


class WebhookBodySerializer(TrialBodySerializer):
    url = serializers.CharField(max_length=2000)
    name = serializers.CharField(max_length=MAX_NAME_CHARS, required=False, allow_blank=True)
    secret = serializers.CharField(
        max_length=MAX_SECRET_CHARS,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Signs deliveries. Left out, a new webhook gets a fresh one and an existing one "
        "keeps its own.",
    )
    format = serializers.ChoiceField(choices=Webhook.Format.choices, required=False)
    template = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="For the format custom: a JSON object whose texts may have ${…} in them.",
    )
    headers = serializers.DictField(
        child=serializers.CharField(allow_null=True, trim_whitespace=False),
        required=False,
        help_text="All headers of its own. Values are never shown; null keeps the one there is.",
    )
    client_certificate = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="PEM with chain and key for receivers that ask for one; empty for none. Never "
        "shown.",
    )
    active = serializers.BooleanField(required=False)


class WebhookSerializer(serializers.Serializer[Webhook]):
    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    tag_filter = serializers.CharField()
    platform_filter = serializers.CharField()
    actor_filter = serializers.CharField()
    media_type_filter = serializers.CharField()
    format = serializers.CharField()
    template = serializers.CharField()
    headers = serializers.SerializerMethodField(help_text="Names of its own headers.")
    has_client_certificate = serializers.SerializerMethodField()
    active = serializers.BooleanField(help_text="Switched on by people.")
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="The first failure since something arrived, or null."
    )
    paused_at = serializers.DateTimeField(
        allow_null=True, help_text="When the hub paused it after days of failure, or null."
    )
    previous_secret_until = serializers.DateTimeField(
        source="previous_until",
        allow_null=True,
        help_text="Until then the former secret signs too.",
    )
    created_at = serializers.DateTimeField()

    def get_headers(self, row: Webhook) -> list[str]:
        return list(headers_of(row))

    def get_has_client_certificate(self, row: Webhook) -> bool:
        return bool(row.client_certificate)


class CreatedWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(help_text="Shown this once.")


class RotateBodySerializer(StrictSerializer):
    secret = serializers.CharField(
        max_length=MAX_SECRET_CHARS,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Left out: a fresh one.",
    )
    overlap_hours = serializers.IntegerField(
        min_value=0,
        max_value=MAX_OVERLAP.days * 24,
        required=False,
        help_text="How long the former one signs too; left out: 24.",
    )


class RotatedSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Shown this once.")
    previous_secret_until = serializers.DateTimeField(allow_null=True)


class PingBodySerializer(StrictSerializer):
    event_id = serializers.UUIDField(
        required=False,
        help_text="The id of an earlier push to show; left out: the newest that fits.",
    )


class ReplayBodySerializer(StrictSerializer):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()


class CountSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="How many are sent again.")


class TrialSerializer(serializers.Serializer[Trial]):
    event_id = serializers.UUIDField(source="event.uid")
    repository = serializers.CharField(source="event.repository_path")
    tag = serializers.SerializerMethodField()
    digest = serializers.SerializerMethodField()
    actor = serializers.CharField(source="event.actor_name")
    occurred_at = serializers.DateTimeField(source="event.occurred_at")
    matches = serializers.BooleanField()
    reason = serializers.CharField(help_text="Why it does not pass, or empty.")

    def get_tag(self, row: Trial) -> str:
        return str(row.event.payload.get("tag", ""))

    def get_digest(self, row: Trial) -> str:
        return str(row.event.payload.get("digest", ""))


class TrialsSerializer(serializers.Serializer[Any]):
    results = TrialSerializer(many=True)


class PreviewBodySerializer(StrictSerializer):
    format = serializers.ChoiceField(choices=Webhook.Format.choices)
    template = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    event_id = serializers.UUIDField(
        required=False, help_text="The id of an earlier push; left out: the newest."
    )


class PreviewSerializer(serializers.Serializer[Any]):
    event_id = serializers.UUIDField()
    content_type = serializers.CharField()
    body = serializers.CharField()


class SearchSerializer(StrictSerializer):
    state = serializers.ChoiceField(choices=Delivery.State.choices, required=False)
    event = serializers.CharField(required=False)
    tag = serializers.CharField(required=False)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    q = serializers.CharField(required=False)


class LineSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=("same", "left", "right"))
    left = serializers.CharField()
    right = serializers.CharField()


class DifferenceSerializer(serializers.Serializer[Any]):
    lines = LineSerializer(many=True)


class PromotionBodySerializer(StrictSerializer):
    source = _pattern(  # type: ignore[assignment]  # a field, not that
        "A pattern over tags whose pushes are waited on; empty for all."
    )
    target = serializers.CharField(max_length=128, help_text="The tag that is moved.")
    requires = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=_MOST_ID),
        max_length=MAX_WEBHOOKS,
        help_text="Ids of this repository's webhooks that must all report success.",
    )


class PromotionSerializer(serializers.Serializer[Promotion]):
    id = serializers.IntegerField(source="pk")
    source = serializers.CharField()  # type: ignore[assignment]  # a field, not that
    target = serializers.CharField()
    requires = serializers.SerializerMethodField(help_text="Ids of webhooks.")
    created_at = serializers.DateTimeField()

    def get_requires(self, row: Promotion) -> list[int]:
        return sorted(hook.pk for hook in row.requires.all())


class CallbackBodySerializer(StrictSerializer):
    state = serializers.ChoiceField(choices=Result.State.choices)
    description = serializers.CharField(max_length=MAX_DESCRIPTION_CHARS, required=False)
    context = serializers.CharField(  # type: ignore[assignment]  # a field, not that
        max_length=MAX_CONTEXT_CHARS,
        required=False,
        help_text="What this is about: of each the newest is shown.",
    )
    target_url = serializers.CharField(
        max_length=MAX_URL_CHARS, required=False, help_text="Where to read more; http or https."
    )


class CallbackAnswerSerializer(serializers.Serializer[Any]):
    ok = serializers.BooleanField()


class ResultSerializer(serializers.Serializer[Result]):
    id = serializers.IntegerField(source="pk")
    tag = serializers.CharField()
    digest = serializers.CharField()
    state = serializers.ChoiceField(choices=Result.State.choices)
    context = serializers.CharField()  # type: ignore[assignment]  # a field, not that
    description = serializers.CharField()
    target_url = serializers.CharField()
    webhook = serializers.SerializerMethodField(
        help_text="Its id, for administrators and while it is there."
    )
    at = serializers.DateTimeField()

    def get_webhook(self, row: Result) -> int | None:
        told: bool = self.context["names"]  # type: ignore[index]  # not the field
        return row.webhook_id if told else None


class AttemptRequestSerializer(serializers.Serializer[Any]):
    headers = serializers.DictField(child=serializers.CharField())
    body = serializers.CharField()


class AttemptResponseSerializer(serializers.Serializer[Any]):
    headers = serializers.DictField(child=serializers.CharField())
    excerpt = serializers.CharField(help_text="How the body begins, where it may be shown.")
    size_bytes = serializers.IntegerField()


class AttemptSerializer(serializers.Serializer[Attempt]):
    id = serializers.IntegerField(source="pk")
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
    repository = serializers.CharField(
        source="event.repository_path", help_text="Its path then; empty for an event about none."
    )
    tag = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=Delivery.State.choices)
    attempt_count = serializers.IntegerField(help_text="Since it was last asked for.")
    next_attempt_at = serializers.SerializerMethodField(help_text="Null unless it is due.")
    created_at = serializers.DateTimeField()
    attempts = AttemptSerializer(source="attempts.all", many=True, help_text="Oldest first.")

    result = serializers.SerializerMethodField(help_text="What its receiver reported, or null.")

    def get_tag(self, row: Delivery) -> str:
        return str(row.event.payload.get("tag") or "")

    @extend_schema_field(ResultSerializer(allow_null=True))
    def get_result(self, row: Delivery) -> Any:
        found = getattr(row, "result", None)
        return None if found is None else ResultSerializer(found, context={"names": True}).data

    def get_event(self, row: Delivery) -> str:
        return name_of(row.event.kind)

    def get_next_attempt_at(self, row: Delivery) -> datetime | None:
        return row.next_attempt_at if row.state == Delivery.State.DUE else None
