"""What receivers read: one function per format, and the way from a delivery to bytes.

docs/webhooks.md shows each format and says what becomes of events it has no shape for.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from events.models import Event
from webhooks.formats.chats import mattermost, slack, teams
from webhooks.formats.cloudevents import cloudevents
from webhooks.formats.common import JSON, MAX_BODY_BYTES, Shape, encode
from webhooks.formats.forges import gitea, github
from webhooks.formats.registries import distribution, dockerhub, harbor, quay
from webhooks.formats.templates import (
    PATHS,
    check_address,
    check_template,
    fill,
    fill_address,
    parse,
)
from webhooks.models import Delivery, Webhook
from webhooks.news import News

__all__ = [
    "FORMATS",
    "JSON",
    "MAX_BODY_BYTES",
    "PATHS",
    "Rendered",
    "check_address",
    "check_template",
    "preview",
    "render",
    "shape_of",
]
FORMATS: dict[str, Callable[[News], Shape]] = {
    Webhook.Format.DOCKERHUB: dockerhub,
    Webhook.Format.DISTRIBUTION: distribution,
    Webhook.Format.HARBOR: harbor,
    Webhook.Format.QUAY: quay,
    Webhook.Format.CLOUDEVENTS: cloudevents,
    Webhook.Format.SLACK: slack,
    Webhook.Format.TEAMS: teams,
    Webhook.Format.MATTERMOST: mattermost,
    Webhook.Format.GITHUB: github,
    Webhook.Format.GITEA: gitea,
}
_NO_DELIVERY = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A body in UTF-8 of at most MAX_BODY_BYTES and where it goes.

    `url` is the webhook's address with values in its query. `headers` are what the format's
    readers expect besides; in them `${signature}` still waits for `webhooks.signing`.
    """

    body: bytes
    content_type: str = JSON
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def render(delivery: Delivery) -> Rendered:
    """What a delivery sends, as of this moment. At most five queries when event, webhook and its
    repository with its namespace are loaded."""
    hook = delivery.webhook
    news = News.of(delivery)
    shape = shape_of(hook.format, hook.template, news)
    return Rendered(
        body=encode(shape.document),
        content_type=shape.content_type,
        url=fill_address(hook.url, news),
        headers=shape.headers,
    )


def preview(webhook: Webhook, event: Event) -> Rendered:
    """What this webhook, saved or not, would send of an event; its callback leads nowhere."""
    return render(Delivery(uid=_NO_DELIVERY, webhook=webhook, event=event))


def shape_of(format: str, template: str, news: News) -> Shape:
    """A document in a format; raises WebhookInvalid for a template that was never checked."""
    if format == Webhook.Format.CUSTOM:
        return Shape(fill(parse(template), news))
    return FORMATS[format](news)
