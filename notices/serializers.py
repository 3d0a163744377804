"""Bodies and answers of the REST API about notices."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from accounts.rest import StrictSerializer
from notices.models import Kind, Notice, Watch
from notices.sentences import sentence_of, target_of

MOST_IDS = 500


class WatchBodySerializer(StrictSerializer):
    level = serializers.ChoiceField(
        choices=Watch.Level.choices,
        help_text="everything; tags: only new ones; none: nothing but mentions.",
    )


class WatchSerializer(serializers.Serializer[Any]):
    level = serializers.CharField(allow_null=True, help_text="Null while nothing was chosen.")
    watchers = serializers.IntegerField(help_text="How many people watch it.")


class NoticeSerializer(serializers.Serializer[Notice]):
    id = serializers.IntegerField(source="pk")
    kind = serializers.ChoiceField(choices=Kind.choices)
    text = serializers.SerializerMethodField(help_text="One sentence for people.")
    url = serializers.SerializerMethodField(help_text="The page it is about.")
    repository = serializers.CharField(
        source="repository.path", default=None, allow_null=True, help_text="Its path."
    )
    actor = serializers.CharField(source="actor_name")
    times = serializers.IntegerField(help_text="How many things of this kind it stands for.")
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)

    def get_text(self, row: Notice) -> str:
        return sentence_of(row)

    def get_url(self, row: Notice) -> str:
        return f"{settings.HUB.external_url}{target_of(row)}"


class ReadSerializer(StrictSerializer):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        required=False,
        max_length=MOST_IDS,
        help_text="Which; without it all.",
    )
